"""In what a run's conditions differ from its paper's experiments: numbered, and named on every row.

S are conditions of the scale-aware SSD's experiments, L of LapNet's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from method.first_weights import HeadInit
from method.lapnet.network import Backbone
from method.scale import REFERENCE_SIZE
from pipelines.runs.spec import Augment, DetectorName, Optimiser, Precision, RunSpec, Schedule

SSD_IMAGES = 94_500
"""Images that the SSD paper's training sees: 500 epochs of 85 % of TomatOD's 222 (READING)."""
OWN_SSDS = (DetectorName.SCALE_AWARE_SSD, DetectorName.SSD_MOBILENET_V2)
"""Whose heads' first weights are a setting."""
LAPNET_IMAGES = 120_000 * 16
"""The fewest that LapNet's training sees (§4.1: 120,000 iterations)."""


class Paper(StrEnum):
    """The two, by their names in papers.yaml."""

    SSD = "scale_aware_ssd"
    LAPNET = "lapnet"


@dataclass(frozen=True)
class Condition:
    """One condition of a paper's experiments."""

    number: str
    name: str
    paper: str
    """What the paper does."""
    here: Callable[[RunSpec], object]
    """What a run does."""
    alike: Callable[[RunSpec], bool]
    """Whether that is the same."""

    @property
    def label(self) -> str:
        return f"{self.number} {self.name}"


def departures(spec: RunSpec, paper: Paper) -> list[str]:
    """Number and name of each of a paper's conditions that a run does not share."""
    return [c.label for c in CONDITIONS[paper] if not c.alike(spec)]


def _first_weights(spec: RunSpec) -> str:
    published = {
        "none": "random",
        "torchvision": "torchvision's published",
        "zoo": "the model zoo's published",
    }
    if spec.init.endswith(".npz"):
        return "an ImageNet encoder"
    return published.get(spec.init, "of another training here")


def _pretrained(spec: RunSpec) -> bool:
    return spec.init in ("torchvision", "zoo") or spec.init.endswith(".npz")


def _optimiser(spec: RunSpec) -> str:
    kind = f"{spec.optimiser}, {spec.learning_rate:g}, {spec.schedule}, batch {spec.batch_size}"
    learned = spec.weights_learning_rate
    return kind if learned is None else f"{kind}, learned weights {learned:g}"


def _data(spec: RunSpec) -> str:
    return spec.dataset


def _input_size(spec: RunSpec) -> str:
    return f"{spec.input_size}×{spec.input_size}"


def _images(spec: RunSpec) -> str:
    return f"{spec.images_seen:,}"


def _precision(spec: RunSpec) -> str:
    return spec.precision


CONDITIONS: dict[Paper, Sequence[Condition]] = {
    Paper.SSD: (
        Condition("S1", "data", "TomatOD", _data, lambda s: s.dataset == "tomatod"),
        Condition(
            "S2", "input size", "512×512", _input_size, lambda s: s.input_size == REFERENCE_SIZE
        ),
        Condition("S3", "width", "1", lambda s: f"{s.width:g}", lambda s: s.width == 1),
        Condition("S4", "first weights", "an ImageNet encoder", _first_weights, _pretrained),
        Condition(
            "S5", "optimiser", "Adam with L2 of 1e-3, 1e-4, step, batch 4", _optimiser,
            lambda s: (
                (s.optimiser, s.weight_decay, s.learning_rate, s.schedule, s.batch_size)
                == (Optimiser.ADAM, 1e-3, 1e-4, Schedule.STEP, 4)
            ),
        ),
        Condition(
            "S6", "images seen", f"up to {SSD_IMAGES:,} (500 epochs)", _images,
            lambda s: s.images_seen >= SSD_IMAGES,
        ),
        Condition(
            "S7", "precision", "fp32", _precision, lambda s: s.precision is Precision.FP32
        ),
        Condition(
            "S8", "first weights of the heads", "PyTorch's own (released code)",
            lambda s: s.head_init,
            lambda s: s.detector not in OWN_SSDS or s.head_init is HeadInit.RELEASED,
        ),
    ),
    Paper.LAPNET: (
        Condition(
            "L1", "data", "VOC 2007 and 2012, or COCO", _data,
            lambda s: s.dataset in ("voc", "coco"),
        ),
        Condition(
            "L2", "input size", "512×512 or 608×608", _input_size,
            lambda s: s.input_size in (512, 608),
        ),
        Condition(
            "L3", "backbone", "DarkNet-53 or Inception-ResNet-v2", lambda s: s.backbone,
            lambda s: s.backbone is not Backbone.MOBILENET_V2,
        ),
        Condition("L4", "first weights", "an ImageNet encoder", _first_weights, _pretrained),
        Condition(
            "L5", "optimiser", "SGD, 0.005, polynomial, batch 28 or 16", _optimiser,
            lambda s: (
                (s.optimiser, s.learning_rate, s.schedule, s.weights_learning_rate)
                == (Optimiser.SGD, 0.005, Schedule.POLYNOMIAL, None)
            ),
        ),
        Condition(
            "L6", "augmentation", "random scale and flip", lambda s: ", ".join(s.augment) or "none",
            lambda s: set(s.augment) == {Augment.FLIP, Augment.SCALE},
        ),
        Condition(
            "L7", "images seen", f"{LAPNET_IMAGES:,} or more", _images,
            lambda s: s.images_seen >= LAPNET_IMAGES,
        ),
        Condition(
            "L8", "precision", "fp32", _precision, lambda s: s.precision is Precision.FP32
        ),
    ),
}  # fmt: skip


def explain_departures(paper: Paper) -> str:
    """What stands behind the numbers in a table."""
    return (
        f"The numbers are explained in `deviations.md`. {_REMARK[paper]}Δ is the mean difference "
        "to the reference row over the seeds both have. Its 95 % interval comes from drawing test "
        "images anew and from the spread between seeds, pooled over the rows that have several, "
        "if there are any. A difference whose interval holds 0 says nothing."
    )


_REMARK = {
    Paper.SSD: "",
    Paper.LAPNET: (
        "The paper does not say which definition of VOC's AP it uses; its values stand beside that "
        "of 2007, which the detectors it compares with report. "
    ),
}
