"""Every claim of the papers: each cell of a table, each difference, each statement of the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipelines.evidence.paper_tables import Builder, Drawing, Heads, Row, Table, mean_of
from pipelines.evidence.papers import Paper, Papers, Statement

STATISTICS = ("mean", "deviation", "best")
"""What the three figures of a cell are, where a paper repeats its runs."""


class Group(StrEnum):
    """What kind of statement a claim is."""

    STATEMENT = "comparisons and statements"
    NOISE = "what the paper's own noise lets it tell"
    OWN = "questions of our own"
    DERIVED = "arithmetic"
    VALUE = "absolute values"
    CITED = "detectors that the papers only cite"


@dataclass(frozen=True)
class Claim:
    """One statement of a paper, and the check that answers it."""

    paper: Paper
    place: str
    """Where the paper says so: "Table 7", "§5.3"."""
    text: str
    group: Group
    source: str
    """Its place in the paper's file, `table7/rows/dns/AP50`; a `Δ` follows for a difference."""
    check: Mapping[str, Any]
    """A kind of check and its parameters."""

    @property
    def place_in_file(self) -> str:
        """Among all papers' claims: `lapnet/table2a/rows/…`."""
        return f"{self.paper.name}/{self.source}"

    @property
    def words(self) -> list[str]:
        """All words in the check: the rows of params.yaml that it is about are among them."""
        return list(dict.fromkeys(_words(self.check)))


def _words(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _words(list(value.values()))
    elif isinstance(value, Sequence):
        for part in value:
            yield from _words(part)


def read_claims(papers: Papers) -> list[Claim]:
    """All claims: of each paper first its own words, then what its tables and figures say."""
    return [claim for paper in papers for claim in (*_spoken(paper), *_tabled(paper))]


def _spoken(paper: Paper) -> Iterator[Claim]:
    """The section `claims`."""
    for said in paper.claims:
        source = f"claims/{said.id}"
        yield Claim(paper, said.place, said.text, _group(said), source, said.check)


def _group(said: Statement) -> Group:
    if said.ours:
        return Group.OWN
    kinds = said.check.keys()
    if kinds & {"derived", "printed", "significant"}:
        return Group.DERIVED
    return Group.NOISE if kinds & {"told", "told-size", "told-apart"} else Group.STATEMENT


def _tabled(paper: Paper) -> Iterator[Claim]:
    """Arithmetic, speeds, counts, then the figures of trained tables and their differences."""
    tables = list(paper.tables.values())
    for table in tables:
        yield from _derived(paper, table)
    for table in tables:
        yield from _timed(paper, table)
    yield from _counted(paper)
    for table in (one for one in tables if one.builder is Builder.TRAINED):
        yield from _differences(paper, table)
        yield from _cells(paper, table)


def _derived(paper: Paper, table: Table) -> Iterator[Claim]:
    """What follows from the network: receptive fields, and A-scores."""

    def claim(source: str, text: str, published: float, **check: Any) -> Claim:
        place = f"{table.name}/{source}"
        return Claim(
            paper, table.title, text, Group.DERIVED, place, check | {"published": published}
        )

    for depth, (block, (side, field)) in enumerate(table.blocks.items(), start=1):
        yield claim(f"{block}/0", f"{block}: side of its output", side, derived="side", depth=depth)
        yield claim(f"{block}/1", f"{block}: receptive field", field, derived="field", depth=depth)
    for attach, heads in (("original", table.original), ("custom", table.custom)):
        if heads is not None:
            for source, text, published, check in _aligned(attach, heads, table.anchors):
                yield claim(source, text, published, attach=attach, **check)
    for label, row in table.rows.items():
        if row.a_score is not None:
            sides = [float(side) for side in label.split("/")]
            yield claim(
                f"rows/{label}/a_score",
                f"{label}: mean A-score",
                row.a_score,
                derived="mean A-score",
                attach="custom",
                anchors=sides,
            )


def _aligned(
    attach: str, heads: Heads, anchors: Sequence[float]
) -> Iterator[tuple[str, str, float, dict[str, Any]]]:
    """Place, text, figure and check of each figure that is printed of a detector's heads."""
    for head, anchor in enumerate(anchors):
        what = f"{attach} SSD, anchor {anchor}"
        place: dict[str, Any] = {"head": head, "anchors": anchors}
        yield (
            f"{attach}/fields/{head}",
            f"{what}: field",
            heads.fields[head],
            {"derived": "head field", **place},
        )
        yield (
            f"{attach}/a_scores/{head}",
            f"{what}: A-score",
            heads.a_scores[head],
            {"derived": "head A-score", **place},
        )
    yield (
        f"{attach}/mean",
        f"{attach} SSD: mean A-score",
        heads.mean,
        {"derived": "mean A-score", "anchors": anchors},
    )


def _timed(paper: Paper, table: Table) -> Iterator[Claim]:
    """Frames/s, and each ratio to the reference."""
    reference = table.reference
    check: dict[str, Any]
    for name, frames in table.frames.items():
        source = f"{table.name}/{name}"
        if name not in (reference, *table.same):
            pair = [frames, table.frames[reference]]
            text = f"{name} is {pair[0] / pair[1]:.2f} times as fast as {reference}"
            check = {"speed": [name, reference], "of": pair}
            yield Claim(paper, table.title, text, Group.STATEMENT, f"{source}Δ", check)
        check = {"frames": name, "published": frames}
        yield Claim(paper, table.title, f"{name}: frames/s", Group.VALUE, source, check)


def _counted(paper: Paper) -> Iterator[Claim]:
    """Boxes of each class."""
    for figure in paper.figures.values():
        if figure.builder is Drawing.CLASS_COUNTS:
            for name, boxes in figure.boxes.items():
                check = {"dataset": name, "splits": ["train", "test"], "published": boxes}
                source = f"{figure.name}/{name}"
                yield Claim(paper, figure.title, f"{name} boxes", Group.VALUE, source, check)


def _differences(paper: Paper, table: Table) -> Iterator[Claim]:
    """Every row's difference to the table's reference row, where both are printed."""
    other = table.reference_row
    if other is None:
        return
    for label, row in table.rows.items():
        for metric in row.printed:
            if row is other or metric not in other.printed:
                continue
            check = {
                "compare": [row.row, other.row],
                "metric": metric,
                "of": [mean_of(row.printed[metric]), mean_of(other.printed[metric])],
            }
            text = f"{label} against {other.label}: {metric}"
            source = f"{table.name}/rows/{label}/{metric}Δ"
            group = Group.CITED if row.row is None else Group.STATEMENT
            yield Claim(paper, table.title, text, group, source, check)
            if metric in paper.deviations:
                check = {"told": table.name, "rows": [label, other.label], "metric": metric}
                text = f"{label} and {other.label} differ by more than luck: {metric}"
                yield Claim(paper, table.title, text, Group.NOISE, f"{source}z", check)


def _cells(paper: Paper, table: Table) -> Iterator[Claim]:
    """Every printed figure of a trained table."""

    def claim(source: str, text: str, row: Row, **check: Any) -> Claim:
        group = Group.CITED if row.row is None else Group.VALUE
        place = f"{table.name}/rows/{row.label}/{source}"
        return Claim(paper, table.title, text, group, place, {"value": row.row, **check})

    for label, row in table.rows.items():
        for metric, value in row.printed.items():
            if not isinstance(value, tuple):
                yield claim(metric, f"{label}: {metric}", row, metric=metric, published=value)
                continue
            for place, (statistic, figure) in enumerate(zip(STATISTICS, value, strict=True)):
                yield claim(
                    f"{metric}/{place}",
                    f"{label}: {metric}, {statistic} of the runs",
                    row,
                    metric=metric,
                    statistic=statistic,
                    runs=table.repeats,
                    published=figure,
                )
        for place, figure in enumerate(row.per_class):
            name = table.classes[place]
            yield claim(
                f"per_class/{place}",
                f"{label}: AP of {name}",
                row,
                metric="VOC07",
                published=figure,
                **{"class": name},
            )
