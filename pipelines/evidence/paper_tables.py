"""Tables and figures of a paper, as its file describes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from pipelines.evidence.entries import make, mapping
from pipelines.system.errors import UserError

Cell = float | tuple[float, ...]
"""A printed figure, or mean, standard deviation and best of repeated runs."""
METRIC = re.compile(r"(AP|VOC)\w*")
"""Keys of a row that are figures printed of it."""
SIDES = re.compile(r"\d+(\.\d+)?(/\d+(\.\d+)?)*")
"""Sides of anchors, as they name a row."""


def mean_of(cell: Cell) -> float:
    """A printed figure, the mean where runs are repeated."""
    return cell[0] if isinstance(cell, tuple) else cell


class Builder(StrEnum):
    """What makes a table."""

    TRAINED = "trained"
    """A query over the runs of its rows."""
    RECEPTIVE_FIELDS = "receptive-fields"
    """Output side and receptive field of the encoder's `blocks`."""
    ALIGNMENT = "alignment"
    """Receptive fields and A-scores of the heads over `anchors`, `original` and `custom`."""
    SPEED = "speed"
    """Frames/s beside those in `frames`."""
    CONVERGENCE = "convergence"
    """When each row's validation AP settles."""
    BALANCE = "balance"
    """What is in the minibatch of each row."""
    CORRELATION = "correlation"
    """Whether the A-scores of the table `of` go with its figures."""
    EQUAL_COST = "equal-cost"
    """What the rows of the table `of` had reached for the operations of its reference row."""


NEEDS: Mapping[Builder, tuple[str, ...]] = {
    Builder.TRAINED: ("factor", "reference", "rows"),
    Builder.RECEPTIVE_FIELDS: ("blocks",),
    Builder.ALIGNMENT: ("anchors", "original", "custom"),
    Builder.SPEED: ("reference", "frames"),
    Builder.CONVERGENCE: ("rows",),
    Builder.BALANCE: ("rows",),
    Builder.CORRELATION: ("of",),
    Builder.EQUAL_COST: ("of",),
}
"""Fields that a table of this builder cannot do without."""


@dataclass(frozen=True)
class Row:
    """A row of a table: what it is here, and what the paper prints of it."""

    label: str
    printed: Mapping[str, Cell]
    """Metric to figure."""
    row: str | None = None
    """Of params.yaml; none where the paper only cites it."""
    reference: str | None = None
    """Of params.yaml, where it is another than the table's."""
    says: str = ""
    """The difference in the paper's words."""
    a_score: float | None = None
    epochs: str = ""
    """To convergence."""
    per_class: tuple[float, ...] = ()


@dataclass(frozen=True)
class Heads:
    """What a paper prints of the heads of one detector."""

    fields: tuple[float, ...]
    a_scores: tuple[float, ...]
    mean: float


@dataclass(frozen=True)
class Table:
    """A table of a paper."""

    name: str
    title: str
    file: str
    """In `results/PROFILE/tables/`, without its ending."""
    caption: str
    builder: Builder = Builder.TRAINED
    remark: str = ""
    rows: Mapping[str, Row] = field(default_factory=dict)
    factor: str = ""
    """Heads the column of the rows' labels."""
    reference: str = ""
    """Row of params.yaml, or detector, that differences and ratios are taken to."""
    printed_reference: str = ""
    """Row of params.yaml that the paper compares with, where it is another."""
    metrics: tuple[str, ...] = ("AP", "AP50")
    classes: tuple[str, ...] = ()
    """Those of the rows' `per_class`."""
    repeats: int = 1
    """Runs behind a mean that the paper prints."""
    curves: bool = False
    """Whether the report draws its rows' training."""
    whole: bool = False
    """Whether it is only shown of a study that declares all its rows."""
    compared: bool = False
    """Whether its rows are the detectors that figures and report set side by side."""
    numbered: str = ""
    """A letter: its rows but the reference are deviations with this letter and a number."""
    of: str = ""
    """The table that it is about."""
    blocks: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Block of the encoder to output side and receptive field, pixels."""
    anchors: tuple[float, ...] = ()
    original: Heads | None = None
    custom: Heads | None = None
    frames: Mapping[str, float] = field(default_factory=dict)
    """Detector to frames/s."""
    same: tuple[str, ...] = ()
    """Detectors that are the reference in the paper."""

    @property
    def trained(self) -> dict[str, str]:
        """Label to row of params.yaml, for the rows that have one."""
        return {label: row.row for label, row in self.rows.items() if row.row is not None}

    @property
    def reference_row(self) -> Row | None:
        """The row that the paper's own differences are taken to, where it has it."""
        wanted = self.printed_reference or self.reference
        return next((row for row in self.rows.values() if row.row == wanted), None)


class Drawing(StrEnum):
    """What draws a figure."""

    OBJECT_SIZES = "object-sizes"
    ATTACHMENT = "attachment"
    DETECTIONS = "detections"
    CLASS_COUNTS = "class-counts"
    CONVERGENCE = "convergence"
    BALANCE = "balance"
    SPEED_ACCURACY = "speed-accuracy"
    OVERLAP = "overlap"
    AMBIGUOUS_ANCHORS = "ambiguous-anchors"
    LEARNED_WEIGHTS = "learned-weights"


class Section(StrEnum):
    """Where the report shows a figure."""

    NONE = ""
    SIZES = "sizes"
    MECHANISMS = "mechanisms"


@dataclass(frozen=True)
class PaperFigure:
    """A figure of a paper."""

    name: str
    title: str
    builder: Drawing
    file: str
    """In `results/PROFILE/figures/`, without its ending."""
    caption: str = ""
    """In the report."""
    section: Section = Section.NONE
    of: str = ""
    """The table whose rows it shows."""
    run: str = ""
    """The run that it shows."""
    data: str = ""
    """The data set that the paper shows."""
    range: tuple[int, ...] = ()
    """Of the relative sizes, percent."""
    classes: tuple[str, ...] = ()
    bins: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Relative size, percent, to boxes from it to below the next percent, by class."""
    boxes: Mapping[str, int] = field(default_factory=dict)
    """Class to boxes of all splits."""
    weights: str = ""
    """Class weights that the paper takes from them."""


DRAWN_FROM: Mapping[Drawing, tuple[str, ...]] = {
    Drawing.OBJECT_SIZES: ("range", "bins", "data"),
    Drawing.CLASS_COUNTS: ("boxes", "weights", "data"),
    Drawing.CONVERGENCE: ("of",),
    Drawing.BALANCE: ("of",),
    Drawing.AMBIGUOUS_ANCHORS: ("run",),
    Drawing.LEARNED_WEIGHTS: ("run",),
}
"""Fields that a figure of this kind cannot do without."""


def read_table(name: str, entry: Any, where: str) -> Table:
    """A table of a paper's file.

    Raises:
        UserError: it lacks something, or holds what no table has.
    """
    values = dict(mapping(entry, where))
    rows = mapping(values.pop("rows", {}), f"{where}: rows")
    heads = {
        key: make(Heads, values.pop(key), f"{where}: {key}")
        for key in ("original", "custom")
        if key in values
    }
    table = make(
        Table,
        values,
        where,
        name=name,
        rows={label: _read_row(label, own, f"{where}: {label}") for label, own in rows.items()},
        **{"original": None, "custom": None, **heads},
    )
    _require(table, NEEDS[table.builder], where)
    _check_parts(table, where)
    return table


def _check_parts(table: Table, where: str) -> None:
    """The reference is there, and lists that belong together are equally long."""
    known = {Builder.TRAINED: set(table.trained.values()), Builder.SPEED: set(table.frames)}
    if table.builder in known and table.reference not in known[table.builder]:
        raise UserError(f"{where}: no row is {table.reference!r}, which its reference names")
    for row in table.rows.values():
        if row.per_class and len(row.per_class) != len(table.classes):
            count = f"{len(row.per_class)} figures for {len(table.classes)} classes"
            raise UserError(f"{where}: {row.label}: per_class has {count}")
        if row.a_score is not None and not SIDES.fullmatch(row.label):
            raise UserError(
                f"{where}: {row.label}: a row with an a_score is named by its anchors, 25/38/58/87"
            )
    for heads in (table.original, table.custom):
        if heads and not len(heads.fields) == len(heads.a_scores) == len(table.anchors):
            raise UserError(f"{where}: each of its anchors needs one field and one A-score")


def read_figure(name: str, entry: Any, where: str) -> PaperFigure:
    """A figure of a paper's file.

    Raises:
        UserError: it lacks something, or holds what no figure has.
    """
    figure = make(PaperFigure, entry, where, name=name)
    _require(figure, DRAWN_FROM.get(figure.builder, ()), where)
    return figure


def _require(part: Table | PaperFigure, names: tuple[str, ...], where: str) -> None:
    if lacking := [name for name in names if not getattr(part, name)]:
        raise UserError(f"{where}: {part.builder} needs {', '.join(lacking)}")


def _read_row(label: str, entry: Any, where: str) -> Row:
    values = mapping(entry, where)
    printed = {
        key: _cell(value, f"{where}: {key}")
        for key, value in values.items()
        if METRIC.fullmatch(key)
    }
    rest = {key: value for key, value in values.items() if key not in printed}
    return make(Row, rest, where, label=label, printed=printed)


def _cell(value: Any, where: str) -> Cell:
    figures = value if isinstance(value, list) else [value]
    if len(figures) not in (1, 3) or not all(type(one) in (int, float) for one in figures):
        raise UserError(f"{where} must be a figure or [mean, deviation, best], not {value!r}")
    return tuple(figures) if isinstance(value, list) else value
