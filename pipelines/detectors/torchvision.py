"""torchvision's detectors, with their first weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from baselines import torchvision
from baselines.torchvision import TorchvisionDetector
from pipelines.runs.spec import RunSpec


def build_ssdlite(spec: RunSpec, classes: int, calibration: Tensor) -> TorchvisionDetector:
    """SSDLite; arguments and errors as of `build_detector`."""
    return _build(torchvision.ssdlite, spec, classes)


def build_retinanet(spec: RunSpec, classes: int, calibration: Tensor) -> TorchvisionDetector:
    """RetinaNet; arguments and errors as of `build_detector`."""
    return _build(torchvision.retinanet, spec, classes)


def _build(
    make: Callable[..., TorchvisionDetector], spec: RunSpec, classes: int
) -> TorchvisionDetector:
    if spec.init not in ("none", "torchvision"):
        raise ValueError(f"init must be none or torchvision (COCO's weights), not {spec.init}")
    return make(classes, spec.input_size, pretrained=spec.init == "torchvision", seed=spec.seed)
