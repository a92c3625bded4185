"""torchvision's detectors, with their first weights."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from baselines import torchvision
from baselines.torchvision import TorchvisionDetector
from pipelines.detectors.weights import load_all_but_other_classes
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
    own = spec.init.endswith(".safetensors")
    if not own and spec.init not in ("none", "torchvision"):
        raise ValueError(
            f"init must be none, torchvision (COCO's weights) or a .safetensors, not {spec.init}"
        )
    pretrained = spec.init == "torchvision"
    detector = make(classes, spec.input_size, pretrained=pretrained, seed=spec.seed)
    if own:
        load_all_but_other_classes(detector, spec)
    return detector
