"""Every claim of the papers, from papers.yaml: each cell of a table, each difference, each text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pipelines.evaluation.timing import ORIGINAL
from pipelines.evidence.conditions import Paper
from pipelines.runs.spec import DetectorName
from pipelines.system.errors import UserError

Table = Mapping[str, Any]

TITLES = {Paper.SSD: "Scale-aware SSD", Paper.LAPNET: "LapNet"}

NAMES = {
    "table1": "Table 1", "table2": "Table 2", "table2a": "Table 2a", "table2b": "Table 2b",
    "table3": "Table 3", "table4": "Table 4", "table5": "Table 5", "table6": "Table 6",
    "table7": "Table 7", "table8": "Table 8", "figure4": "Figure 4",
}  # fmt: skip
SAME_DETECTOR = (ORIGINAL, DetectorName.SSD_MOBILENET_V2_TF)
"""The one detector of the SSD paper's Table 4 of which there are two here."""
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
    """Its place in papers.yaml, `table7/dns/AP50`; a `Δ` follows for a difference."""
    check: Mapping[str, Any]
    """A kind of check and its parameters."""

    @property
    def place_in_file(self) -> str:
        """Of both papers' claims: `lapnet/table2a/rows/…`."""
        return f"{self.paper.value}/{self.source}"

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


def read_claims(papers: Mapping[str, Any]) -> list[Claim]:
    """All claims of both papers: first the papers' own words, then what their tables say."""
    return [
        claim
        for paper in Paper
        for claim in (*_spoken(paper, papers[paper]), *_tabled(paper, papers[paper]))
    ]


def _spoken(paper: Paper, printed: Table) -> Iterator[Claim]:
    """The section `claims`."""
    for entry in printed["claims"]:
        name = entry.get("id", entry)
        lacking = [key for key in ("id", "place", "text", "check") if key not in entry]
        if lacking:
            raise UserError(f"papers.yaml: {paper}: claim {name} lacks {', '.join(lacking)}")
        yield Claim(
            paper,
            entry["place"],
            entry["text"],
            _group(entry),
            f"claims/{entry['id']}",
            entry["check"],
        )


def _group(entry: Mapping[str, Any]) -> Group:
    if entry.get("ours"):
        return Group.OWN
    kinds = entry["check"].keys()
    if kinds & {"derived", "printed", "significant"}:
        return Group.DERIVED
    return Group.NOISE if kinds & {"told", "told-size", "told-apart"} else Group.STATEMENT


def _tabled(paper: Paper, printed: Table) -> Iterator[Claim]:
    if paper is Paper.SSD:
        yield from _derived(printed)
        yield from _timed(printed["table4"])
        for name in printed["figure4"]:
            check = {
                "dataset": name,
                "splits": ["train", "test"],
                "published": printed["figure4"][name],
            }
            yield Claim(paper, "Figure 4", f"{name} boxes", Group.VALUE, f"figure4/{name}", check)
    for key in (key for key in NAMES if "rows" in printed.get(key, ())):
        yield from _differences(paper, key, printed[key])
        yield from _cells(paper, key, printed[key])


def _derived(printed: Table) -> Iterator[Claim]:
    """Tables 1 and 2 of the SSD's paper, and the A-scores of its Table 5."""

    def claim(source: str, text: str, published: float, **check: Any) -> Claim:
        check = {**check, "published": published}
        place = NAMES[source.partition("/")[0]]
        return Claim(Paper.SSD, place, text, Group.DERIVED, source, check)

    for block, (side, field) in printed["table1"].items():
        source = f"table1/{block}"
        yield claim(
            f"{source}/0", f"{block}: side of its output", side, derived="side", block=block
        )
        yield claim(f"{source}/1", f"{block}: receptive field", field, derived="field", block=block)
    anchors = printed["table2"]["anchors"]
    for attach in ("original", "custom"):
        own, source = printed["table2"][attach], f"table2/{attach}"
        for head, anchor in enumerate(anchors):
            what, place = f"{attach} SSD, anchor {anchor}", {"attach": attach, "head": head}
            for quantity, key in (("head field", "fields"), ("head A-score", "a_scores")):
                yield claim(
                    f"{source}/{key}/{head}", f"{what}: {quantity.removeprefix('head ')}",
                    own[key][head], derived=quantity, **place,
                )  # fmt: skip
        yield claim(
            f"{source}/mean", f"{attach} SSD: mean A-score", own["mean"],
            derived="mean A-score", attach=attach, anchors=anchors,
        )  # fmt: skip
    for label, row in printed["table5"]["rows"].items():
        sides = [float(side) for side in label.split("/")]
        yield claim(
            f"table5/rows/{label}/a_score", f"{label}: mean A-score", row["a_score"],
            derived="mean A-score", attach="custom", anchors=sides,
        )  # fmt: skip


def _timed(table: Table) -> Iterator[Claim]:
    """Table 4 of the SSD's paper: frames/s, and each ratio to the original SSD."""
    check: dict[str, Any]
    for name, frames in table.items():
        source = f"table4/{name}"
        if name not in SAME_DETECTOR:
            text = f"{name} is {frames / table[ORIGINAL]:.2f} times as fast as {ORIGINAL}"
            check = {"speed": [name, ORIGINAL], "of": [frames, table[ORIGINAL]]}
            yield Claim(Paper.SSD, "Table 4", text, Group.STATEMENT, f"{source}Δ", check)
        check = {"frames": name, "published": frames}
        yield Claim(Paper.SSD, "Table 4", f"{name}: frames/s", Group.VALUE, source, check)


def _differences(paper: Paper, key: str, table: Table) -> Iterator[Claim]:
    """Every row's difference to the table's reference row, where both are printed."""
    rows = table["rows"]
    wanted = table.get("printed_reference", table["reference"])
    baseline = next((name for name, row in rows.items() if row.get("row") == wanted), None)
    for label, row in rows.items():
        for metric in _printed_metrics(row):
            if baseline in (None, label) or metric not in rows[baseline]:
                continue
            other = rows[baseline]
            check = {
                "compare": [row.get("row"), other["row"]],
                "metric": metric,
                "of": [_mean(row[metric]), _mean(other[metric])],
            }
            text = f"{label} against {baseline}: {metric}"
            source = f"{key}/rows/{label}/{metric}Δ"
            group = Group.STATEMENT if "row" in row else Group.CITED
            yield Claim(paper, NAMES[key], text, group, source, check)
            if paper is Paper.SSD:  # it alone prints how far its runs lie apart
                check = {"told": key, "rows": [label, baseline], "metric": metric}
                text = f"{label} and {baseline} differ by more than luck: {metric}"
                yield Claim(paper, NAMES[key], text, Group.NOISE, f"{source}z", check)


def _cells(paper: Paper, key: str, table: Table) -> Iterator[Claim]:
    """Every printed figure of a trained table."""

    def claim(source: str, text: str, row: Table, **check: Any) -> Claim:
        check = {"value": row.get("row"), **check}
        group = Group.VALUE if "row" in row else Group.CITED
        return Claim(paper, NAMES[key], text, group, f"{key}/rows/{source}", check)

    for label, row in table["rows"].items():
        for metric in _printed_metrics(row):
            source, value = f"{label}/{metric}", row[metric]
            if not isinstance(value, list):
                yield claim(source, f"{label}: {metric}", row, metric=metric, published=value)
                continue
            for place, (statistic, figure) in enumerate(zip(STATISTICS, value, strict=True)):
                yield claim(
                    f"{source}/{place}", f"{label}: {metric}, {statistic} of the runs", row,
                    metric=metric, statistic=statistic, published=figure,
                )  # fmt: skip
        for place, figure in enumerate(row.get("per_class", ())):
            name = table["classes"][place]
            yield claim(
                f"{label}/per_class/{place}", f"{label}: AP of {name}", row,
                metric="VOC07", published=figure, **{"class": name},
            )  # fmt: skip


def _printed_metrics(row: Table) -> list[str]:
    return [key for key in row if key.startswith(("AP", "VOC"))]


def _mean(cell: Any) -> Any:
    return cell[0] if isinstance(cell, list) else cell
