"""Detectron2's detectors, with their first weights."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from baselines import detectron2
from pipelines.detectors.weights import read_weights
from pipelines.runs.spec import RunSpec


def build(spec: RunSpec, classes: int, calibration: Tensor) -> detectron2.Detectron2Detector:
    """The detector of a run; arguments and errors as of `build_detector`."""
    path, from_scratch = spec.entry.configuration, spec.init == "none"
    detector = detectron2.Detectron2Detector(
        path, classes, spec.input_size, spec.seed, from_scratch=from_scratch
    )
    if spec.init == "zoo":
        detector.load(detectron2.published_weights(path))
    elif spec.init.endswith(".safetensors"):
        weights = read_weights(spec.init)
        detector.load({name.removeprefix("model."): w for name, w in weights.items()})
    elif spec.init.endswith(".pkl"):
        detector.load(detectron2.read_weights(Path(spec.init)))
    elif not from_scratch:
        raise ValueError(f"init must be none, zoo, a .safetensors or a .pkl, not {spec.init}")
    return detector
