"""The TF Object Detection API's detector, with its first weights."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from baselines.tf_od.detector import TensorFlowDetector, published_checkpoint
from pipelines.detectors.weights import load_all_but_heads, read_weights
from pipelines.runs.spec import Augment, RunSpec


def build(spec: RunSpec, classes: int, calibration: Tensor) -> TensorFlowDetector:
    """The detector of a run; arguments and errors as of `build_detector`."""
    if unknown := set(spec.augment) - {Augment.FLIP, Augment.CROP}:
        raise ValueError(f"augment: TensorFlow has flip and crop, not {', '.join(unknown)}")
    if spec.validate_every and spec.iterations % spec.validate_every:
        raise ValueError("validate_every must divide iterations: weights are kept at its steps")
    detector = TensorFlowDetector(classes, spec.input_size, spec.weight_decay, spec.seed)
    if spec.init.endswith(".safetensors"):
        load_all_but_heads(detector, read_weights(spec.init))
    elif spec.init.endswith(".index"):
        detector.restore(str(Path(spec.init).absolute().with_suffix("")), whole=False)
    elif spec.init == "zoo":
        detector.restore(published_checkpoint(), whole=False)
    elif spec.init != "none":
        raise ValueError(f"init must be none, zoo, a .safetensors or an .index, not {spec.init}")
    return detector
