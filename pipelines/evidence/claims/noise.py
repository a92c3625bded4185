"""Claims against what a paper's own noise lets it tell: no run is needed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from pipelines.evidence.claims.answers import Answer, Evidence
from pipelines.evidence.claims.untrained import NO_DATA
from pipelines.evidence.claims.verdicts import Verdict
from pipelines.evidence.paper_noise import TELLS, Figure, noise_of, z_score

COMPARABLE = "comparable"
"""What a paper says of a difference that it takes for none."""


def check_told(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Whether a printed difference is more than luck gives: {told: table, rows: [a, b], metric}.

    With `as: comparable` the paper says that it is not.
    """
    metric = claim["metric"]
    deviation = noise_of(evidence.printed["table8"])[metric]
    rows = evidence.printed[claim["told"]]["rows"]
    own, other = (Figure.printed(rows[name][metric], deviation) for name in claim["rows"])
    return _answer(claim, z_score(own, other), f"{own.value - other.value:+.4g}", deviation)


def check_told_size(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """The same for a difference of two runs in the text: {told-size: points, metric}."""
    points = claim["told-size"]
    deviation = noise_of(evidence.printed["table8"])[claim["metric"]]
    return _answer(claim, points / (deviation * math.sqrt(2)), f"{points:g}", deviation)


def _answer(claim: Mapping[str, Any], z: float, published: str, deviation: float) -> Answer:
    told = abs(z) >= TELLS
    if claim.get("as") == COMPARABLE:
        verdict = Verdict.CONTRADICTED if told else Verdict.REPRODUCED
    else:
        verdict = Verdict.REPRODUCED if told else Verdict.INCONCLUSIVE
    why = (
        f"z {z:+.1f}: one run has a standard deviation of {deviation:g} {claim['metric']} (Table 8)"
    )
    return Answer(verdict, why, published, data=NO_DATA)


def check_told_apart(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """How many of the differences to a reference row are more than luck: {told-apart: [tables]}."""
    noise = noise_of(evidence.printed["table8"])
    scores = []
    for key in claim["told-apart"]:
        table = evidence.printed[key]
        reference = next(r for r in table["rows"].values() if r["row"] == table["reference"])
        others = [row for row in table["rows"].values() if row is not reference]
        scores += [
            z_score(*(Figure.printed(one[metric], deviation) for one in (row, reference)))
            for row in others
            for metric, deviation in noise.items()
        ]
    told = sum(abs(z) >= TELLS for z in scores)
    verdict = Verdict.PARTLY if told else Verdict.INCONCLUSIVE
    if told == len(scores):
        verdict = Verdict.REPRODUCED
    why = f"the largest |z| is {max(map(abs, scores)):.1f}; luck alone stays below {TELLS:.2f}"
    ours = f"{told} of {len(scores)} differences"
    return Answer(verdict, why, claim["published"], ours, n=str(len(scores)), data=NO_DATA)
