"""LapNet: what a specification says of it, and its first weights."""

from __future__ import annotations

from urllib.error import URLError

from torch import Tensor

from method.detection import Selection
from method.lapnet.choices import Backbone
from method.lapnet.detector import LapNet, LapNetConfig
from method.lapnet.network import MobileNetEncoder
from pipelines.detectors.weights import (
    load_all_but_other_classes,
    load_folded_file,
    normalise_as_imagenet,
)
from pipelines.runs.spec import RunSpec, Switch


def build(spec: RunSpec, classes: int, calibration: Tensor) -> LapNet:
    """The LapNet of a run; arguments and errors as of `build_detector`."""
    if spec.width != 1 and spec.backbone is not Backbone.MOBILENET_V2:
        raise ValueError(f"width must be 1 for the backbone {spec.backbone}, not {spec.width:g}")
    config = LapNetConfig(
        classes,
        spec.input_size,
        backbone=spec.backbone,
        width=spec.width,
        anchors_a_class=spec.anchors_a_class,
        overlap=spec.overlap,
        ambiguity=spec.ambiguity is Switch.ON,
        balance=spec.balance,
        loss=spec.classification,
        selection=Selection(most=spec.max_detections),
    )
    detector = _pretrained_lapnet(config, spec) if spec.init == "zoo" else LapNet(config, spec.seed)
    if spec.init == "zoo" and spec.backbone is not Backbone.INCEPTION_RESNET_V2:
        normalise_as_imagenet(detector)
    elif spec.init.endswith(".npz"):
        encoder = detector.network.encoder
        if not isinstance(encoder, MobileNetEncoder):
            raise ValueError(f"init: {spec.init} is of MobileNet v2, not of {spec.backbone}")
        load_folded_file(encoder.blocks, spec.init, (calibration - detector.mean) / detector.std)
    elif spec.init.endswith(".safetensors"):
        load_all_but_other_classes(detector, spec)
    elif spec.init not in ("none", "zoo"):
        raise ValueError(
            f"init must be none, zoo, a .npz of folded weights or a .safetensors, not {spec.init}"
        )
    return detector


def _pretrained_lapnet(config: LapNetConfig, spec: RunSpec) -> LapNet:
    """With an encoder's weights from where its library keeps them."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return LapNet(config, spec.seed, pretrained=True)
    except LocalEntryNotFoundError:
        raise URLError("no connection") from None
