"""The registry: one entry a detector, with every trait that the rest of the project asks for.

A detector that is added here, or by `registered`, is trained, scored, timed and listed as the
others are. What builds it is named, not imported: its library is only loaded when it is built.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from method.choices import CUSTOM_ATTACHMENT, ORIGINAL_ATTACHMENT
from method.lapnet.choices import Backbone
from pipelines.runs.choices import Optimiser, Precision, Schedule


class DetectorName(StrEnum):
    """The detectors that code and tests speak of by name."""

    SCALE_AWARE_SSD = "scale-aware-ssd"
    SSD_MOBILENET_V2 = "ssd-mobilenet-v2"
    LAPNET = "lapnet"
    SSDLITE = "ssdlite-mobilenet-v3"
    RETINANET_TORCHVISION = "retinanet-r50-torchvision"
    SSD_MOBILENET_V2_TF = "ssd-mobilenet-v2-tf"
    FASTER_RCNN_R50 = "faster-rcnn-r50"
    FASTER_RCNN_R101 = "faster-rcnn-r101"
    RETINANET_R50 = "retinanet-r50"
    FASTER_RCNN_MOBILENET = "faster-rcnn-mobilenet"
    RETINANET_MOBILENET = "retinanet-mobilenet"
    FCOS_MOBILENET = "fcos-mobilenet"


class Family(StrEnum):
    """Whose detector it is."""

    SSD = "the SSDs of this project"
    """They share a configuration, and differ in where their heads attach."""
    LAPNET = "LapNet"
    RIVAL = "the rivals"


class Trainer(StrEnum):
    """Whose loop trains it."""

    OWN = "this project's own trainer"
    DETECTRON2 = "Detectron2"
    TENSORFLOW = "TensorFlow"
    """As a whole, in an environment of its own; the others step by step."""


ANY_DETECTOR = frozenset({"optimiser"})
OWN_DETECTORS = ANY_DETECTOR | {"compile", "max_detections", "width"}
NO_EXPORT = (
    "only this project's own detectors can be exported, the SSDs and LapNet; a rival has an "
    "exporter of its own library"
)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A detector and its traits."""

    name: str
    """In specifications, tables and file names."""
    summary: str
    """What it is, in a line."""
    builder: str
    """`module:function` of specification, classes and calibration images, as `build_detector`."""
    family: Family = Family.RIVAL
    trainer: Trainer = Trainer.OWN
    settings: frozenset[str] = ANY_DETECTOR
    """The fields of a specification that it heeds, of those that belong to some detectors alone."""
    optimiser: Optimiser | None = None
    """Its trainer's, where that leaves no choice."""
    precisions: tuple[Precision, ...] = tuple(Precision)
    """In which it is trained and timed."""
    schedules: tuple[Schedule, ...] = tuple(Schedule)
    """By which its learning rate can fall."""
    size_step: int = 64
    """What divides the side of its input, pixels."""
    attach: tuple[int, int] = CUSTOM_ATTACHMENT
    """An SSD's two blocks that carry a head, unless a specification names others."""
    heavy_backbones: tuple[Backbone, ...] = ()
    """On which it is timed too, untrained and whole: its paper's."""
    configuration: str = ""
    """In its library's model zoo."""
    two_stage: bool = False
    """Draws proposals at random in training, and decodes and suppresses in its midst."""
    bitwise_on_cpu: bool = True
    """Whether trainings of one specification agree to the bit on a CPU."""
    not_exported: str | None = NO_EXPORT
    """Why it has no ONNX file; None if it has."""
    packages: tuple[str, ...] = ()
    """Pure Python that it imports beside torch, torchvision and numpy."""
    compiled_packages: tuple[str, ...] = ()
    needs: str = ""
    """What it cannot do without, where that is not on every machine."""

    def agreement(self, *device_types: str) -> str:
        """How trainings of one specification on such devices agree: `bitwise` or `statistical`.

        A GPU adds up gradients in no fixed order.
        """
        return "bitwise" if self.bitwise_on_cpu and {*device_types} == {"cpu"} else "statistical"


def _ssd(name: str, summary: str, attach: tuple[int, int]) -> Entry:
    return Entry(
        name=name,
        summary=summary,
        builder="pipelines.detectors.ssd:build",
        family=Family.SSD,
        settings=OWN_DETECTORS
        | {
            "attach",
            "anchors",
            "aspect_ratios",
            "class_weights",
            "head_init",
            "sampler",
            "released",
        },
        attach=attach,
        not_exported=None,
    )


def _detectron2(
    name: str,
    summary: str,
    configuration: str,
    *,
    builder: str = "build",
    two_stage: bool = False,
) -> Entry:
    return Entry(
        name=name,
        summary=summary,
        builder=f"pipelines.detectors.detectron2:{builder}",
        trainer=Trainer.DETECTRON2,
        settings=frozenset({"max_detections"}),
        optimiser=Optimiser.SGD,
        schedules=(Schedule.STEP, Schedule.COSINE),
        configuration=f"COCO-Detection/{configuration}.yaml",
        two_stage=two_stage,
        packages=(
            "sal-detectron2",
            "fvcore",
            "iopath",
            "omegaconf",
            "antlr4-python3-runtime",
            "yacs",
            "tabulate",
            "termcolor",
            "cloudpickle",
            "portalocker",
            "packaging",
            "setuptools",
            "pydot",
            "pyparsing",
        ),
        compiled_packages=("pycocotools", "pyyaml"),
    )


_BUILT_IN = (
    _ssd(
        DetectorName.SCALE_AWARE_SSD,
        "SSD on MobileNet v2 with heads on blocks 5 and 8",
        CUSTOM_ATTACHMENT,
    ),
    _ssd(
        DetectorName.SSD_MOBILENET_V2,
        "the same SSD with the original heads, on block 14 and the last",
        ORIGINAL_ATTACHMENT,
    ),
    Entry(
        name=DetectorName.LAPNET,
        summary="LapNet, on the backbone that the specification names",
        builder="pipelines.detectors.lapnet:build",
        family=Family.LAPNET,
        settings=OWN_DETECTORS
        | {
            "backbone",
            "anchors_a_class",
            "overlap",
            "ambiguity",
            "balance",
            "classification",
            "weights_learning_rate",
        },
        size_step=32,
        heavy_backbones=(Backbone.DARKNET53, Backbone.INCEPTION_RESNET_V2),
        not_exported=None,
    ),
    Entry(
        name=DetectorName.SSDLITE,
        summary="torchvision's SSDLite on MobileNet v3 large",
        builder="pipelines.detectors.torchvision:build_ssdlite",
    ),
    Entry(
        name=DetectorName.RETINANET_TORCHVISION,
        summary="torchvision's RetinaNet on ResNet-50 with a feature pyramid",
        builder="pipelines.detectors.torchvision:build_retinanet",
    ),
    Entry(
        name=DetectorName.SSD_MOBILENET_V2_TF,
        summary="the TF Object Detection API's SSD on MobileNet v2",
        builder="pipelines.detectors.tensorflow:build",
        trainer=Trainer.TENSORFLOW,
        settings=frozenset(),
        optimiser=Optimiser.SGD,
        precisions=(Precision.FP32,),
        schedules=(Schedule.COSINE,),
        bitwise_on_cpu=False,
        needs="TensorFlow's environment, Python 3.11",
    ),
    _detectron2(
        DetectorName.FASTER_RCNN_R50,
        "Detectron2's Faster R-CNN on ResNet-50 with a feature pyramid",
        "faster_rcnn_R_50_FPN_3x",
        two_stage=True,
    ),
    _detectron2(
        DetectorName.FASTER_RCNN_R101,
        "the same on ResNet-101",
        "faster_rcnn_R_101_FPN_3x",
        two_stage=True,
    ),
    _detectron2(
        DetectorName.RETINANET_R50,
        "Detectron2's RetinaNet on ResNet-50 with a feature pyramid",
        "retinanet_R_50_FPN_3x",
    ),
    _detectron2(
        DetectorName.FASTER_RCNN_MOBILENET,
        "Detectron2's Faster R-CNN on the SSDs' encoder with a feature pyramid",
        "faster_rcnn_R_50_FPN_3x",
        builder="build_on_mobilenet",
        two_stage=True,
    ),
    _detectron2(
        DetectorName.RETINANET_MOBILENET,
        "Detectron2's RetinaNet on the same",
        "retinanet_R_50_FPN_3x",
        builder="build_on_mobilenet",
    ),
    _detectron2(
        DetectorName.FCOS_MOBILENET,
        "Detectron2's FCOS on the same",
        "retinanet_R_50_FPN_3x",
        builder="build_fcos_on_mobilenet",
    ),
)

ENTRIES = {entry.name: entry for entry in _BUILT_IN}
"""Every detector that a run can train, by its name."""


@contextmanager
def registered(entry: Entry) -> Iterator[Entry]:
    """One detector more, for as long as the context lasts.

    Raises:
        ValueError: there is one of that name.
    """
    if entry.name in ENTRIES:
        raise ValueError(f"there is a detector {entry.name} already")
    ENTRIES[entry.name] = entry
    try:
        yield entry
    finally:
        del ENTRIES[entry.name]
