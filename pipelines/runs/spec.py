"""The specification of a run: everything that changes its result, typed, frozen, checked."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, get_args, get_origin, get_type_hints

from method.choices import HeadInit, Sampler
from method.lapnet.choices import Backbone, Balance, ClassificationLoss, Overlap
from pipelines.data.dataset_spec import Fold
from pipelines.data.preparation import Preparation
from pipelines.data.tiling import DEFAULT_OVERLAP, Tiling
from pipelines.runs.choices import Augment, Optimiser, Precision, Released, Schedule, Switch
from pipelines.runs.registry import ENTRIES, DetectorName, Entry, Family, Trainer
from pipelines.system.errors import UserError

__all__ = [
    "Augment",
    "DetectorName",
    "Optimiser",
    "Precision",
    "Released",
    "RunSpec",
    "Schedule",
    "Switch",
    "explain_fields",
]
OWN_DETECTORS = "the detectors of this project"


def _explained(text: str, default: Any, of: str | None = None) -> Any:
    """A field with its help; `of` are the only detectors or trainers that heed it, if not all."""
    return field(default=default, metadata={"help": text, "of": of})


@dataclass(frozen=True)
class RunSpec:
    """One training of one detector. Two runs with equal specifications are the same run."""

    profile: str = _explained("which study the run belongs to", "quick")
    dataset: str = _explained("a data set's name, or the folder of one in COCO form", "scenes")
    fold: Fold = _explained(
        "which of five parts over whole bursts is tested, 0 to 4; or published: its own split",
        Fold.PUBLISHED,
    )
    input_size: int = _explained("side of the square network input, pixels", 256)
    tiles: int | None = _explained(
        "cut photographs into tiles of this side, scaled to the input size, rather than squeeze "
        "them; whole photographs are scored, their tiles' detections merged; none unless given",
        None,
    )
    tile_overlap: float = _explained(
        "share of its side that a tile has in common with the next, 0 to 0.9; best above the "
        "objects' sides",
        DEFAULT_OVERLAP,
    )
    detector: str = _explained("what is trained", DetectorName.SCALE_AWARE_SSD)
    attach: tuple[int, ...] | None = _explained(
        "the two MobileNet v2 blocks that carry a head; the detector's own unless given",
        None,
        of=Family.SSD,
    )
    anchors: tuple[float, ...] = _explained(
        "side of each head's square anchor, pixels of a 512x512 input",
        (25.0, 38.0, 58.0, 87.0),
        of=Family.SSD,
    )
    aspect_ratios: tuple[float, ...] = _explained(
        "anchors of each cell, width over height, all of the same area", (1.0,), of=Family.SSD
    )
    head_init: HeadInit = _explained(
        "first weights of an SSD's heads and extra layers", HeadInit.XAVIER, of=Family.SSD
    )
    max_detections: int = _explained(
        "detections kept an image", 100, of=f"{OWN_DETECTORS} and Detectron2's"
    )
    class_weights: tuple[float, ...] | None = _explained(
        "weight of each class in the classification loss; all 1 unless given", None, of=Family.SSD
    )
    sampler: Sampler = _explained("which negatives enter the loss", Sampler.BASIC, of=Family.SSD)
    backbone: Backbone = _explained("LapNet's encoder", Backbone.MOBILENET_V2, of=Family.LAPNET)
    anchors_a_class: int = _explained(
        "LapNet's anchors for each class, fitted to its objects", 10, of=Family.LAPNET
    )
    overlap: Overlap = _explained(
        "which anchors LapNet gives to an object", Overlap.PONO, of=Family.LAPNET
    )
    ambiguity: Switch = _explained("whether LapNet manages ambiguity", Switch.ON, of=Family.LAPNET)
    balance: Balance = _explained(
        "LapNet's weights of its losses", Balance.LEARNED, of=Family.LAPNET
    )
    classification: ClassificationLoss = _explained(
        "LapNet's classification loss", ClassificationLoss.CROSS_ENTROPY, of=Family.LAPNET
    )
    width: float = _explained("multiplier of MobileNet v2's channels", 1.0, of=OWN_DETECTORS)
    init: str = _explained(
        "the first weights: none; torchvision or zoo (the library's published ones); a .npz of "
        "folded ImageNet weights; a run's model.safetensors (of an SSD all but the heads, unless "
        "iterations is 0; of others all but the layers of other classes); or a checkpoint of "
        "Detectron2's (.pth, .pkl) or TensorFlow's (its .index)",
        "none",
    )
    released: tuple[Released, ...] = _explained(
        "what to do as the released code does, not as the paper says", (), of=Family.SSD
    )
    augment: tuple[Augment, ...] = _explained("changes of the training images", ())
    iterations: int = _explained(
        "training steps; 0 scores the weights that init names as they are", 600
    )
    batch_size: int = _explained("images a step", 8)
    optimiser: Optimiser = _explained(
        "what turns gradients into steps", Optimiser.ADAMW, of=Trainer.OWN
    )
    learning_rate: float = _explained("the learning rate at its height", 1e-3)
    weights_learning_rate: float | None = _explained(
        "that of LapNet's learned weights; the network's own unless given", None, of=Family.LAPNET
    )
    weight_decay: float = _explained("weight decay, decoupled unless the optimiser is adam", 1e-3)
    warmup: int = _explained("steps over which the learning rate rises", 20)
    schedule: Schedule = _explained("how the learning rate falls", Schedule.COSINE)
    precision: Precision = _explained("arithmetic of the network", Precision.BF16)
    compile: Switch = _explained(
        "whether torch.compile fuses the network's operations, on a GPU into CUDA graphs; on a CPU "
        "it is slower",
        Switch.OFF,
        of=OWN_DETECTORS,
    )
    threads: int = _explained(
        "CPU threads, on which the last bits of a result depend; 0 for one a core", 0
    )
    seed: int = _explained("fixes the first weights and the order of the images", 0)
    validate_every: int = _explained("steps between validations; 0 for none", 0)

    def __post_init__(self) -> None:
        known = f"must be one of {', '.join(ENTRIES)}"
        _require(self.detector in ENTRIES, "detector", known, repr(self.detector))
        for name in (
            "input_size",
            "batch_size",
            "learning_rate",
            "width",
            "max_detections",
            "anchors_a_class",
        ):
            _require(getattr(self, name) > 0, name, "must be above 0", getattr(self, name))
        for name in (
            "seed",
            "iterations",
            "weight_decay",
            "warmup",
            "validate_every",
            "threads",
        ):
            _require(getattr(self, name) >= 0, name, "must not be below 0", getattr(self, name))
        scored = self.iterations > 0 or self.init.endswith(".safetensors")
        _require(scored, "iterations", "may be 0 only if init is a run's weights", self.iterations)
        step = self.entry.size_step
        _require(
            self.input_size % step == 0, "input_size", f"must divide by {step}", self.input_size
        )
        if self.tiling is None:
            unused = self.tile_overlap == DEFAULT_OVERLAP
            _require(unused, "tile_overlap", "goes with tiles; it changes nothing", "alone")
        _require(len(self.anchors) == 4, "anchors", "must be four sizes", self.anchors)
        rate = self.weights_learning_rate
        _require(rate is None or rate > 0, "weights_learning_rate", "must be above 0", rate)
        _require(len(self.aspect_ratios) > 0, "aspect_ratios", "must name one or more", "none")
        for name in ("anchors", "aspect_ratios", "class_weights"):
            values = getattr(self, name) or ()
            _require(all(v > 0 for v in values), name, "must be above 0", values)
        if self.attach is not None:
            ordered = len(self.attach) == 2 and 0 < self.attach[0] < self.attach[1] <= 17
            _require(ordered, "attach", "must be two blocks of 1 to 17 in order", self.attach)

    @property
    def entry(self) -> Entry:
        """What the registry says of the detector."""
        return ENTRIES[self.detector]

    @property
    def tiling(self) -> Tiling | None:
        """How photographs are cut; None where they are seen whole."""
        return None if self.tiles is None else Tiling(self.tiles, self.tile_overlap)

    @property
    def preparation(self) -> Preparation:
        """Which images it trains and is tested on."""
        return Preparation(self.dataset, self.input_size, self.fold, self.tiling)

    @property
    def hash(self) -> str:
        """Twelve hexadecimal digits that two specifications share only if they are equal.

        Made of what differs from the defaults, so that a new field, whose default is to do as
        before, leaves the runs that are there what they are.
        """
        text = json.dumps(self.changes(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @property
    def images_seen(self) -> int:
        """Images over the whole training, repeats counted."""
        return self.iterations * self.batch_size

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in `run.json`."""
        return dataclasses.asdict(self)

    def changes(self) -> dict[str, Any]:
        """What differs from the defaults, as plain values."""
        return {
            f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default
        }

    @classmethod
    def parse(cls, values: Mapping[str, Any], where: str) -> RunSpec:
        """Read a specification.

        Args:
            values: field to value; anchors and class weights may be written `25/38/58/87`.
            where: file and place, for the message.

        Raises:
            UserError: an unknown field, or a value that is none of the right ones.
        """
        hints = get_type_hints(cls)
        unknown = sorted(set(values) - set(hints))
        if unknown:
            known = ", ".join(f.name for f in fields(cls))
            raise UserError(f"{where}: no parameter {unknown[0]!r}; there are {known}")
        try:
            return cls(**{k: _convert(v, hints[k], k) for k, v in values.items()})
        except ValueError as error:
            raise UserError(f"{where}: {error}") from None


def explain_fields() -> str:
    """Every field of a specification: its name, its default, the values it takes, what it means."""
    hints = get_type_hints(RunSpec)
    lines = []
    for own in fields(RunSpec):
        values = [
            str(v)
            for k in (hints[own.name], *get_args(hints[own.name]))
            if isinstance(k, type) and issubclass(k, StrEnum)
            for v in k
        ]
        choice = f"\n    one of {', '.join(values)}" if values else ""
        lines.append(f"{own.name}: {own.default}\n    {own.metadata['help']}{choice}")
        if own.name == "detector":
            lines += [f"    {name}: {entry.summary}" for name, entry in ENTRIES.items()]
    return "\n".join(lines)


def _require(holds: bool, name: str, rule: str, value: object) -> None:
    if not holds:
        raise ValueError(f"{name} {rule}, not {value}")


def _convert(value: Any, kind: Any, name: str) -> Any:
    """`value` as `kind`, one of the types that stand in `RunSpec`."""
    options = get_args(kind)
    if type(None) in options:
        return None if value in (None, "none") else _convert(value, options[0], name)
    if get_origin(kind) is tuple:
        if isinstance(value, str):
            value = [part for part in value.split("/") if part]
        if not isinstance(value, list | tuple):
            raise ValueError(f"{name} must be a list, such as [1, 4, 3.7], not {value!r}")
        return tuple(_convert(item, options[0], name) for item in value)
    if kind is Switch and isinstance(value, bool):
        return Switch.ON if value else Switch.OFF
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        if str(value) not in list(kind):
            hint = "; that of tiles is tile_overlap" if kind is Overlap else ""
            raise ValueError(f"{name} must be one of {', '.join(kind)}, not {value!r}{hint}")
        return kind(str(value))
    if kind is str:
        return str(value)
    try:
        number = kind(value)
        if not math.isfinite(number) or (kind is int and number != float(value)):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        noun = "a whole number" if kind is int else "a number"
        raise ValueError(f"{name} must be {noun}, not {value!r}") from None
    return number
