"""Detectron2's detectors, with their first weights."""

from __future__ import annotations

from pathlib import Path

from detectron2.config import CfgNode
from torch import Tensor

from baselines.detectron2.detector import (
    Detectron2Detector,
    configuration,
    published_weights,
    read_weights,
)
from baselines.detectron2.mobilenet_fpn import MobileNetDetector
from pipelines.detectors import weights
from pipelines.runs.spec import RunSpec


def build(spec: RunSpec, classes: int, calibration: Tensor) -> Detectron2Detector:
    """The detector of a run; arguments and errors as of `build_detector`."""
    detector = Detectron2Detector(_configuration(spec, classes), spec.input_size, spec.seed)
    if spec.init == "none":
        return detector
    weights.say_what_is_fresh(detector.load(_weights(spec)), spec)
    return detector


def build_on_mobilenet(
    spec: RunSpec, classes: int, calibration: Tensor, *, fcos: bool = False
) -> MobileNetDetector:
    """The same on MobileNet v2; `init` names what it names for the SSDs, or Detectron2's files."""
    detector = MobileNetDetector(
        _configuration(spec, classes), spec.input_size, spec.seed, fcos=fcos
    )
    if spec.init in ("none", "torchvision") or spec.init.endswith(".npz"):
        weights.initialise_encoder(detector, spec, calibration)
    elif spec.init == "zoo":
        raise ValueError("init: the zoo has no weights for MobileNet v2; take torchvision's")
    else:
        weights.say_what_is_fresh(detector.load(_weights(spec)), spec)
    return detector


def build_fcos_on_mobilenet(spec: RunSpec, classes: int, calibration: Tensor) -> MobileNetDetector:
    """FCOS, which has no configuration of its own in the form of the others."""
    return build_on_mobilenet(spec, classes, calibration, fcos=True)


def _configuration(spec: RunSpec, classes: int) -> CfgNode:
    return configuration(
        spec.entry.configuration,
        classes,
        from_scratch=spec.init == "none",
        most=spec.max_detections,
    )


def _weights(spec: RunSpec) -> dict[str, Tensor]:
    """What `init` names, by the names of Detectron2's model."""
    init = spec.init
    if init == "zoo":
        return published_weights(spec.entry.configuration)
    if init.endswith(".safetensors"):
        return {n.removeprefix("model."): w for n, w in weights.read_weights(init).items()}
    if init.endswith((".pkl", ".pth")):
        return read_weights(Path(init))
    raise ValueError(f"init must be none, zoo, a .safetensors, a .pkl or a .pth, not {init}")
