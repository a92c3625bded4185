"""Claims that need no run: arithmetic, the paper against itself, its data set, what is missing."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from functools import cache, reduce
from typing import Any

from method.choices import CUSTOM_ATTACHMENT, ORIGINAL_ATTACHMENT
from method.mobilenet import LAST_BLOCK, encoder_blocks
from method.receptive_field import receptive_field
from method.scale import REFERENCE_SIZE, a_scores
from method.ssd import SSD, SSDConfig
from pipelines.evaluation.small_samples import welch_interval
from pipelines.evidence.claims.answers import Answer, Evidence, describe_interval, not_testable
from pipelines.evidence.claims.verdicts import (
    Published,
    Verdict,
    half_unit,
    judge_direction,
    judge_exactly,
)
from pipelines.evidence.paper_tables import PaperFigure, Table, mean_of
from pipelines.evidence.papers import Paper

MAIN_SHARE = 0.9
"""Share of the boxes that a range must hold for `mainly` to be true of it."""
NO_DATA = "none: arithmetic"


def check_derived(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """What follows from the network: {derived: one of `DERIVED`, …, published}."""
    published = Published.parse(claim["published"])
    ours = DERIVED[claim["derived"]](claim, evidence)
    verdict = judge_exactly(published, ours)
    right = verdict is Verdict.REPRODUCED
    source = "its own sizes give" if "growth" in claim["derived"] else "the recursion gives"
    why = "follows exactly" if right else f"{source} {ours:.4g}"
    return _exact(verdict, why, published, ours)


def _side(claim: Mapping[str, Any], evidence: Evidence) -> float:
    return REFERENCE_SIZE / receptive_field(encoder_blocks(LAST_BLOCK)[: claim["depth"]]).stride


def _field(claim: Mapping[str, Any], evidence: Evidence) -> float:
    return receptive_field(encoder_blocks(LAST_BLOCK)[: claim["depth"]]).size


def _growth(claim: Mapping[str, Any], evidence: Evidence) -> float:
    """Geometric mean of the factors from one size to the next."""
    sizes = claim["anchors"]
    return (sizes[-1] / sizes[0]) ** (1 / (len(sizes) - 1))


def _head_field(claim: Mapping[str, Any], evidence: Evidence) -> float:
    return _head_fields(claim["attach"])[claim["head"]]


def _head_score(claim: Mapping[str, Any], evidence: Evidence) -> float:
    fields = _head_fields(claim["attach"])
    return a_scores(fields, claim["anchors"])[claim["head"]]


def _mean_score(claim: Mapping[str, Any], evidence: Evidence) -> float:
    scores = a_scores(_head_fields(claim["attach"]), claim["anchors"])
    return sum(scores) / len(scores)


@cache
def _head_fields(attach: str) -> list[float]:
    blocks = {"original": ORIGINAL_ATTACHMENT, "custom": CUSTOM_ATTACHMENT}[attach]
    return [head.size for head in SSD(SSDConfig(classes=3, attach=blocks)).fields]


DERIVED: Mapping[str, Callable[[Mapping[str, Any], Evidence], float]] = {
    "side": _side,
    "field": _field,
    "head field": _head_field,
    "head A-score": _head_score,
    "mean A-score": _mean_score,
    "growth": _growth,
}


def check_printed(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """The paper's text against its tables.

    {printed: table, published} with `rows: [a, b]` and `metric` for a difference, with `rows` and
    `as: ratio` for a quotient, with `mean: row` for the mean over a row's classes, with `best: row`
    and `metric` for the best of a row's runs, or with `sum: [figures]` for a plain sum. With
    `span: column` the rows' values reach from one end of `published` to the other, with `within:
    column` they lie in it.
    """
    published = Published.parse(claim["published"])
    if "span" in claim or "within" in claim:
        return _check_span(claim, evidence, published)
    ours, slack = _by_tables(claim, evidence.paper)
    low, high = min(abs(ours - s) for s in (slack, -slack)), abs(ours) + slack
    meets = published.meets(low, high) if ours >= 0 else published.meets(-high, -low)
    verdict = Verdict.REPRODUCED if meets else Verdict.CONTRADICTED
    its_own = "sum" if "sum" in claim else f"its own {evidence.paper.part(claim['printed']).title}"
    why = f"agrees with {its_own}" if meets else f"{its_own} gives {ours:.2f}"
    return _exact(verdict, why, published, ours)


def _check_span(claim: Mapping[str, Any], evidence: Evidence, published: Published) -> Answer:
    column = str(claim.get("span", claim.get("within")))
    table = evidence.paper.tables[claim["printed"]]
    values = [getattr(row, column) for row in table.rows.values()]
    low, high = min(values), max(values)
    if "span" in claim:
        meets = low <= published.low + 2 * half_unit(low) and high >= published.high - half_unit(
            high
        )
    else:
        meets = published.low <= low and high <= published.high
    span = f"{low:g} to {high:g}"
    verdict = Verdict.REPRODUCED if meets else Verdict.CONTRADICTED
    why = f"{table.title} holds {span}"
    return Answer(verdict, why, published.text, span, n=str(len(values)), data=NO_DATA)


def _by_tables(claim: Mapping[str, Any], paper: Paper) -> tuple[float, float]:
    """The figure that the paper's own tables give, and by how much rounding may move it."""
    if "sum" in claim:
        return sum(claim["sum"]), 0.0
    part = paper.part(claim["printed"])
    if "mean" in claim and isinstance(part, Table):
        values = part.rows[claim["mean"]].per_class
        in_turn = reduce(operator.add, values)  # from Python 3.12 on, sum rounds otherwise
        return in_turn / len(values), half_unit(values[0])
    if "best" in claim and isinstance(part, Table):
        cell = part.rows[claim["best"]].printed[claim["metric"]]
        return (cell[2] if isinstance(cell, tuple) else cell), 0.0
    cells = [_cell(part, row, claim.get("metric")) for row in claim["rows"]]
    if claim.get("as") == "ratio":
        return cells[0] / cells[1], 0.0
    return cells[0] - cells[1], sum(map(half_unit, cells))


def _cell(part: Table | PaperFigure, row: str, metric: str | None) -> float:
    """A figure of a trained table's row, a detector's frames/s, or a class's boxes."""
    if isinstance(part, PaperFigure):
        return part.boxes[row]
    if metric is None:
        return part.frames[row]
    return mean_of(part.rows[row].printed[metric])


def check_significance(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """A difference that a paper calls significant, by the spread that it prints itself.

    {significant: table, rows: [a, b], metric, runs: behind each, published: sign in words}.
    """
    rows = evidence.paper.tables[claim["significant"]].rows
    cells = (rows[name].printed[claim["metric"]] for name in claim["rows"])
    (mean, deviation, _), (other, its, _) = (c for c in cells if isinstance(c, tuple))
    runs = claim["runs"]
    theirs = welch_interval(mean, deviation, runs, other, its, runs)
    verdict = judge_direction(1 if theirs.estimate > 0 else -1, theirs)
    shown = "excludes" if verdict is Verdict.REPRODUCED else "includes"
    return Answer(
        verdict,
        f"Welch's interval of the paper's own means and spreads {shown} zero",
        claim["published"],
        f"{theirs.estimate:+.1f}",
        describe_interval(theirs, "+"),
        str(runs),
        "none: the paper's own figures",
    )


def check_sizes(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """The sizes of training boxes: {sizes: within, smallest, largest or count, of: figure}.

    `published` is a range of relative sizes in percent, or in pixels at 512 with `unit: pixels`; a
    number for `count`. `within` holds if `MAIN_SHARE` of the boxes lie in the range, partly if half
    of them do. The smallest or largest box lies in the range, or the claim is inconclusive: the
    test boxes are not among those counted.
    """
    figure = evidence.paper.figures[claim["of"]]
    bins = {start: sum(boxes) for start, boxes in figure.bins.items()}
    data = f"{figure.data}'s training boxes, as published elsewhere"
    total = sum(bins.values())
    if claim["sizes"] == "count":
        published = Published.parse(claim["published"])
        verdict = judge_exactly(published, total)
        return Answer(
            verdict,
            "counted from the published sizes of the boxes",
            published.text,
            str(total),
            n=str(total),
            data=data,
            difference=f"{total - published.middle:+g}",
        )
    published = Published.parse(claim["published"])
    scale = REFERENCE_SIZE / 100 if claim.get("unit") == "pixels" else 1
    if claim["sizes"] == "within":
        low, high = (round(end / scale) for end in claim["published"])
        share = sum(boxes for start, boxes in bins.items() if low <= start < high) / total
        verdict = (
            Verdict.REPRODUCED
            if share >= MAIN_SHARE
            else Verdict.PARTLY
            if share >= 0.5
            else Verdict.CONTRADICTED
        )
        why = f"{share:.0%} of the boxes lie between {low} and {high} %; {MAIN_SHARE:.0%} would do"
        return Answer(verdict, why, published.text, f"{share:.0%} inside", n=str(total), data=data)
    start = min(bins) if claim["sizes"] == "smallest" else max(bins)
    low, high = scale * start, scale * (start + 1)
    inside = published.meets(low, high)
    return Answer(
        Verdict.REPRODUCED if inside else Verdict.INCONCLUSIVE,
        f"the {claim['sizes']} training box" + ("" if inside else "; no sizes of the test boxes"),
        published.text,
        f"{low:.0f} to {high:.0f}",
        n=str(total),
        data=data,
    )


def check_dataset(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Images or boxes: {dataset: images, boxes or a class, splits: [train, …], published}."""
    published = Published.parse(claim["published"])
    name = evidence.paper.dataset
    runs = evidence.study.ledger
    own = runs[runs["dataset"] == name]["run"].tolist() if "dataset" in runs else []
    if not own:
        return not_testable(f"data: {name}", published.text, evidence.data)
    splits = evidence.study.run(own[0]).record().splits
    what = claim["dataset"]
    wanted = {**splits, "train": _with_validation(splits)} if "val" in splits else splits
    ours = sum(
        wanted[split][what] if what in wanted[split] else wanted[split]["boxes_per_class"][what]
        for split in claim["splits"]
    )
    return _exact(judge_exactly(published, ours), f"counted in {name}", published, ours)


def _with_validation(splits: Mapping[str, Any]) -> dict[str, Any]:
    """The paper's training split: ours and the validation images taken from it."""
    train, held_out = splits["train"], splits["val"]
    of_class = held_out["boxes_per_class"]
    return {
        **{name: train[name] + held_out[name] for name in ("images", "boxes")},
        "boxes_per_class": {n: c + of_class[n] for n, c in train["boxes_per_class"].items()},
    }


def check_missing(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """What no run here can answer, or no run anywhere: {missing: what, published}."""
    return not_testable(claim["missing"], str(claim.get("published", "")))


def _exact(verdict: Verdict, why: str, published: Published, ours: float) -> Answer:
    apart = round(ours - published.middle, 3) or 0.0
    return Answer(
        verdict, why, published.text, f"{ours:.4g}", data=NO_DATA, difference=f"{apart:+.3g}"
    )
