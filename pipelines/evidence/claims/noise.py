"""Claims against what a paper's own noise lets it tell: no run is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipelines.evidence.claims.answers import Answer, Evidence
from pipelines.evidence.claims.untrained import NO_DATA
from pipelines.evidence.claims.verdicts import Verdict
from pipelines.evidence.paper_noise import TELLS, Figure, z_score
from pipelines.evidence.papers import Paper

COMPARABLE = "comparable"
"""What a paper says of a difference that it takes for none."""


def check_told(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Whether a printed difference is more than luck gives: {told: table, rows: [a, b], metric}.

    With `as: comparable` the paper says that it is not.
    """
    metric, paper = claim["metric"], evidence.paper
    table, deviation = paper.tables[claim["told"]], paper.deviations[metric]
    cells = (table.rows[name].printed[metric] for name in claim["rows"])
    own, other = (Figure.of(cell, deviation, table.repeats) for cell in cells)
    return _answer(claim, z_score(own, other), f"{own.value - other.value:+.4g}", paper)


def check_told_size(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """The same for a difference of two runs in the text: {told-size: points, metric}."""
    points, paper = claim["told-size"], evidence.paper
    deviation = paper.deviations[claim["metric"]]
    return _answer(claim, points / (deviation * math.sqrt(2)), f"{points:g}", paper)


def _answer(claim: Mapping[str, Any], z: float, published: str, paper: Paper) -> Answer:
    told = abs(z) >= TELLS
    if claim.get("as") == COMPARABLE:
        verdict = Verdict.CONTRADICTED if told else Verdict.REPRODUCED
    else:
        verdict = Verdict.REPRODUCED if told else Verdict.INCONCLUSIVE
    metric = claim["metric"]
    source = paper.tables[paper.noise].title
    why = (
        f"z {z:+.1f}: one run has a standard deviation of {paper.deviations[metric]:g} {metric} "
        f"({source})"
    )
    return Answer(verdict, why, published, data=NO_DATA)


def check_told_apart(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """How many of the differences to a reference row are more than luck: {told-apart: [tables]}."""
    scores = [score for name in claim["told-apart"] for score in _scores(evidence.paper, name)]
    told = sum(abs(z) >= TELLS for z in scores)
    verdict = Verdict.PARTLY if told else Verdict.INCONCLUSIVE
    if told == len(scores):
        verdict = Verdict.REPRODUCED
    why = f"the largest |z| is {max(map(abs, scores)):.1f}; luck alone stays below {TELLS:.2f}"
    ours = f"{told} of {len(scores)} differences"
    return Answer(verdict, why, claim["published"], ours, n=str(len(scores)), data=NO_DATA)


def _scores(paper: Paper, name: str) -> list[float]:
    """z of each row's difference to the reference row of a table."""
    table = paper.tables[name]
    reference = next(row for row in table.rows.values() if row.row == table.reference)
    return [
        z_score(
            *(Figure.of(one.printed[metric], deviation, table.repeats) for one in (row, reference))
        )
        for row in table.rows.values()
        if row is not reference
        for metric, deviation in paper.deviations.items()
    ]
