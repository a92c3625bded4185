"""Detectron2's detectors, with their first weights."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from baselines import detectron2
from pipelines.detectors.weights import read_weights, say_what_is_fresh
from pipelines.runs.spec import RunSpec


def build(spec: RunSpec, classes: int, calibration: Tensor) -> detectron2.Detectron2Detector:
    """The detector of a run; arguments and errors as of `build_detector`."""
    path, from_scratch = spec.entry.configuration, spec.init == "none"
    detector = detectron2.Detectron2Detector(
        path, classes, spec.input_size, spec.seed, from_scratch=from_scratch
    )
    if from_scratch:
        return detector
    say_what_is_fresh(detector.load(_weights(spec.init, path)), spec)
    return detector


def _weights(init: str, path: str) -> dict[str, Tensor]:
    """What `init` names, by the names of the model of a configuration."""
    if init == "zoo":
        return detectron2.published_weights(path)
    if init.endswith(".safetensors"):
        return {name.removeprefix("model."): w for name, w in read_weights(init).items()}
    if init.endswith((".pkl", ".pth")):
        return detectron2.read_weights(Path(init))
    raise ValueError(f"init must be none, zoo, a .safetensors, a .pkl or a .pth, not {init}")
