"""The registry: from a specification to the detector it names, built and initialised."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import torch
from torch import Tensor

from baselines import torchvision
from baselines.tf_od.detector import TensorFlowDetector, published_checkpoint
from method.boxes import BoxCoding
from method.choices import Law
from method.detection import Selection
from method.detector import Detector, TrainableDetector
from method.first_weights import draw_weights
from method.lapnet.choices import Backbone
from method.lapnet.detector import LapNet, LapNetConfig
from method.lapnet.network import MobileNetEncoder
from method.matching import Matching
from method.mobilenet import load_folded, load_torchvision
from method.samplers import Sampling
from method.ssd import CUSTOM_ATTACHMENT, ORIGINAL_ATTACHMENT, SSD, SSDConfig
from pipelines.runs.spec import (
    Augment,
    DetectorName,
    Precision,
    Released,
    RunSpec,
    Schedule,
    Switch,
)
from pipelines.system.errors import UserError

RELEASED_SAMPLE_LIMIT = 10_000
SSDS = {DetectorName.SCALE_AWARE_SSD, DetectorName.SSD_MOBILENET_V2}
"""The paper's pair, which differ in nothing but their heads' places."""
FP32_ONLY = {DetectorName.SSD_MOBILENET_V2_TF}
# Detectron2 takes seconds to import: the functions that need it do so themselves.
DETECTRON2 = {
    DetectorName.FASTER_RCNN_R50: "COCO-Detection/faster_rcnn_R_50_FPN_3x.yaml",
    DetectorName.FASTER_RCNN_R101: "COCO-Detection/faster_rcnn_R_101_FPN_3x.yaml",
    DetectorName.RETINANET_R50: "COCO-Detection/retinanet_R_50_FPN_3x.yaml",
}
"""Detectron2's detectors, by their configurations in its model zoo."""
PUBLISHED = ("none", "torchvision", "zoo")
WEIGHT_FILES = (".npz", ".safetensors", ".pkl", ".index")
"""Folded ImageNet weights, a run's weights, Detectron2's and TensorFlow's checkpoints."""
SSD_ONLY = (
    "attach", "anchors", "aspect_ratios", "class_weights", "head_init", "sampler", "width",
    "released",
)  # fmt: skip
"""What a specification says of this project's SSDs alone."""
OWN_ONLY = ("compile", "max_detections")
"""Of this project's SSDs and LapNet."""
LAPNET_ONLY = (
    "backbone", "overlap", "ambiguity", "balance", "classification", "weights_learning_rate",
)  # fmt: skip
HEADS = r"_heads\.|^BoxPredictor/"
ENCODERS = r"encoder\.|ssd_mobile_net_v2_keras_feature_extractor/"
"""In the names of weights, of this project's SSDs and of TensorFlow's."""


def build_detector(spec: RunSpec, classes: int, calibration: Tensor) -> Detector:
    """The detector of a run with its first weights.

    Args:
        spec: the run.
        classes: foreground classes of the data set.
        calibration: B×3×S×S `uint8` training images, for weights whose batch norms were folded.

    Raises:
        UserError: the specification does not fit the data, or the weights cannot be had.
    """
    try:
        return _BUILDERS[spec.detector](spec, classes, calibration)
    except ValueError as error:
        raise UserError(f"run with {spec.detector}: {error}") from None
    except URLError as error:
        raise UserError(
            f"init: {spec.init} cannot be downloaded ({error.reason}); give a file of weights, "
            "or none"
        ) from None


def ssd_config(spec: RunSpec, classes: int) -> SSDConfig:
    """What a specification says of an SSD."""
    own = ORIGINAL_ATTACHMENT if spec.detector is DetectorName.SSD_MOBILENET_V2 else None
    first, second = spec.attach or own or CUSTOM_ATTACHMENT
    released = set(spec.released)
    coding = BoxCoding.SSD
    if Released.CORNER_CODING in released:
        coding = BoxCoding.CORNER
    elif Released.NO_VARIANCES in released:
        coding = BoxCoding.SSD_UNSCALED
    selection = Selection(most=spec.max_detections, whole_pixels=Released.WHOLE_PIXELS in released)
    if Released.SCORE_FLOOR in released:
        selection = replace(selection, score_floor=0.3, nms_iou=0.3, most=300, best_class_only=True)
    return SSDConfig(
        classes=classes,
        input_size=spec.input_size,
        attach=(first, second),
        anchors=spec.anchors,
        aspect_ratios=spec.aspect_ratios,
        width=spec.width,
        class_weights=spec.class_weights,
        coding=coding,
        softmax_twice=Released.SOFTMAX_TWICE in released,
        sampling=Sampling(
            spec.sampler,
            over_batch=Released.MINE_OVER_BATCH in released,
            limit=RELEASED_SAMPLE_LIMIT if Released.SAMPLE_LIMIT in released else None,
        ),
        matching=Matching(
            inclusive_overlap=Released.INCLUSIVE_OVERLAP in released,
            later_wins=Released.LATER_WINS in released,
        ),
        whole_pixel_targets=Released.WHOLE_PIXEL_TARGETS in released,
        selection=selection,
    )


def weights_fingerprint(init: str) -> str | None:
    """SHA-256 of the file that the first weights come from, if they come from a file.

    A checkpoint of TensorFlow's is its index and the files of the same name beside it.

    Raises:
        UserError: there is no such file, or it is of no kind that holds weights.
    """
    if init in PUBLISHED:
        return None
    path = Path(init)
    if path.suffix not in WEIGHT_FILES or not path.is_file():
        raise UserError(
            f"init: no file {init}; give {', '.join(PUBLISHED)}, or the path of weights "
            f"({', '.join(WEIGHT_FILES)})"
        )
    parts = sorted(path.parent.glob(f"{path.stem}.*")) if path.suffix == ".index" else [path]
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def agreement(name: DetectorName, *device_types: str) -> str:
    """How trainings of one specification on such devices agree: to the bit, or on average.

    A GPU adds up gradients in no fixed order.
    """
    on_average = name is DetectorName.SSD_MOBILENET_V2_TF or {*device_types} != {"cpu"}
    return "statistical" if on_average else "bitwise"


def network_cost(detector: Detector, image: Tensor) -> dict[str, int]:
    """Parameters, and floating-point operations of the network in one 1×3×S×S image."""
    parameters = sum(p.numel() for p in detector.parameters())
    with torch.compiler.set_stance("force_eager"):
        return {"parameters": parameters, "flops_an_image": detector.flops(image)}


def _build_ssd(spec: RunSpec, classes: int, calibration: Tensor) -> SSD:
    _refuse(spec, LAPNET_ONLY, "LapNet")
    detector = SSD(ssd_config(spec, classes))
    draw_weights(detector.extras, spec.seed, spec.head_init.of_extras)
    draw_weights(detector.class_heads, spec.seed, spec.head_init.of_heads)
    draw_weights(detector.box_heads, spec.seed + 1, spec.head_init.of_heads)
    if spec.init == "none":
        draw_weights(detector.encoder, spec.seed, Law.HE)
    elif spec.init == "torchvision":
        _normalise_as_imagenet(detector)
        load_torchvision(detector.encoder)
    elif spec.init.endswith(".safetensors"):
        weights_fingerprint(spec.init)
        _load_weights(detector, spec)
    else:
        weights_fingerprint(spec.init)
        with np.load(spec.init, allow_pickle=False) as layers:
            normalised = (calibration - detector.mean) / detector.std
            load_folded(detector.encoder, layers, normalised)
    return detector


def _build_lapnet(spec: RunSpec, classes: int, calibration: Tensor) -> LapNet:
    _refuse(spec, SSD_ONLY, "the SSDs of this project")
    config = LapNetConfig(
        classes,
        spec.input_size,
        backbone=spec.backbone,
        overlap=spec.overlap,
        ambiguity=spec.ambiguity is Switch.ON,
        balance=spec.balance,
        loss=spec.classification,
        selection=Selection(most=spec.max_detections),
    )
    detector = _pretrained_lapnet(config, spec) if spec.init == "zoo" else LapNet(config, spec.seed)
    if spec.init == "zoo" and spec.backbone is not Backbone.INCEPTION_RESNET_V2:
        _normalise_as_imagenet(detector)
    elif spec.init.endswith(".npz"):
        weights_fingerprint(spec.init)
        encoder = detector.network.encoder
        if not isinstance(encoder, MobileNetEncoder):
            raise ValueError(f"init: {spec.init} is of MobileNet v2, not of {spec.backbone}")
        with np.load(spec.init, allow_pickle=False) as layers:
            load_folded(encoder.blocks, layers, (calibration - detector.mean) / detector.std)
    elif spec.init not in ("none", "zoo"):
        raise ValueError(f"init must be none, zoo or a .npz of folded weights, not {spec.init}")
    return detector


def _pretrained_lapnet(config: LapNetConfig, spec: RunSpec) -> LapNet:
    """With an encoder's weights from where its library keeps them."""
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return LapNet(config, spec.seed, pretrained=True)
    except LocalEntryNotFoundError:
        raise URLError("no connection") from None


def _normalise_as_imagenet(detector: SSD | LapNet) -> None:
    """Mean and deviation with which torchvision's and timm's weights were trained."""
    detector.mean.copy_(255 * torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
    detector.std.copy_(255 * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))


def _load_weights(detector: SSD, spec: RunSpec) -> None:
    """Another training's weights: all of them to be scored, or all but the heads to start from.

    Raises:
        ValueError: they do not fit.
    """
    weights = _read_weights(spec.init)
    if spec.iterations:
        _load_all_but_heads(detector, weights)
        return
    try:
        detector.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ValueError(f"init: {spec.init} is not of this detector: {reason}") from None


def _read_weights(path: str) -> dict[str, Tensor]:
    """Of a `.safetensors`, by name.

    Raises:
        ValueError: it is none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"init: {path}: {error}") from None


def _load_all_but_heads(detector: Detector, weights: dict[str, Tensor]) -> None:
    """Take over what another training made of the same layers; heads and absent layers stay."""
    own = detector.state_dict()
    shared = {
        name: value
        for name, value in weights.items()
        if name in own and not re.search(HEADS, name) and value.shape == own[name].shape
    }
    missing = [name for name in own if re.match(ENCODERS, name) and name not in shared]
    if missing:
        raise ValueError(f"init: the file has no {missing[0]} of {tuple(own[missing[0]].shape)}")
    detector.load_state_dict({**own, **shared})


def _build_torchvision(
    make: Callable[..., TrainableDetector[Any]], spec: RunSpec, classes: int, calibration: Tensor
) -> TrainableDetector[Any]:
    _refuse_own(spec)
    if spec.init not in ("none", "torchvision"):
        raise ValueError(f"init must be none or torchvision (COCO's weights), not {spec.init}")
    return make(classes, spec.input_size, pretrained=spec.init == "torchvision", seed=spec.seed)


def _build_detectron2(spec: RunSpec, classes: int, calibration: Tensor) -> TrainableDetector[Any]:
    from baselines import detectron2

    _refuse_own(spec)
    _refuse(spec, ("optimiser",), "this project's own trainer")
    if spec.schedule is Schedule.POLYNOMIAL:
        raise ValueError("schedule must be step or cosine for Detectron2, not polynomial")
    path, from_scratch = DETECTRON2[spec.detector], spec.init == "none"
    detector = detectron2.Detectron2Detector(
        path, classes, spec.input_size, spec.seed, from_scratch=from_scratch
    )
    if spec.init == "zoo":
        detector.load(detectron2.published_weights(path))
    elif spec.init.endswith(".safetensors"):
        weights = _read_weights(spec.init)
        detector.load({name.removeprefix("model."): w for name, w in weights.items()})
    elif spec.init.endswith(".pkl"):
        detector.load(detectron2.read_weights(Path(spec.init)))
    elif not from_scratch:
        raise ValueError(f"init must be none, zoo, a .safetensors or a .pkl, not {spec.init}")
    return detector


def _build_tensorflow(spec: RunSpec, classes: int, calibration: Tensor) -> Detector:
    _refuse_own(spec)
    _refuse(spec, ("optimiser",), "this project's own trainer")
    if spec.precision is not Precision.FP32 or spec.schedule is not Schedule.COSINE:
        raise ValueError("TensorFlow trains with precision fp32 and schedule cosine alone")
    if unknown := set(spec.augment) - {Augment.FLIP, Augment.CROP}:
        raise ValueError(f"augment: TensorFlow has flip and crop, not {', '.join(unknown)}")
    if spec.validate_every and spec.iterations % spec.validate_every:
        raise ValueError("validate_every must divide iterations: weights are kept at its steps")
    detector = TensorFlowDetector(classes, spec.input_size, spec.weight_decay, spec.seed)
    if spec.init.endswith(".safetensors"):
        _load_all_but_heads(detector, _read_weights(spec.init))
    elif spec.init.endswith(".index"):
        detector.restore(spec.init.removesuffix(".index"), whole=False)
    elif spec.init == "zoo":
        detector.restore(published_checkpoint(), whole=False)
    elif spec.init != "none":
        raise ValueError(f"init must be none, zoo, a .safetensors or an .index, not {spec.init}")
    return detector


def _refuse_own(spec: RunSpec) -> None:
    """What belongs to this project's detectors is an error for a rival."""
    _refuse(spec, SSD_ONLY, "the SSDs of this project")
    _refuse(spec, LAPNET_ONLY, "LapNet")
    _refuse(spec, OWN_ONLY, "the detectors of this project")


def _refuse(spec: RunSpec, names: Sequence[str], whose: str) -> None:
    """Settings that would change nothing are an error."""
    own = {f.name: f.default for f in fields(spec)}
    for name in names:
        if getattr(spec, name) != own[name]:
            raise ValueError(f"{name} belongs to {whose}; leave it out")


_BUILDERS: dict[DetectorName, Callable[[RunSpec, int, Tensor], Detector]] = {
    DetectorName.SCALE_AWARE_SSD: _build_ssd,
    DetectorName.SSD_MOBILENET_V2: _build_ssd,
    DetectorName.LAPNET: _build_lapnet,
    DetectorName.SSDLITE: partial(_build_torchvision, torchvision.ssdlite),
    DetectorName.RETINANET_TORCHVISION: partial(_build_torchvision, torchvision.retinanet),
    DetectorName.SSD_MOBILENET_V2_TF: _build_tensorflow,
    **dict.fromkeys(DETECTRON2, _build_detectron2),
}
