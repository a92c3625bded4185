"""Claims about trained detectors: figures of a row, and differences between two rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipelines.evaluation.bootstrap import METRICS
from pipelines.evaluation.intervals import (
    Interval,
    difference_row,
    mean_interval,
    probability_better,
    seed_differences,
    widened_difference,
)
from pipelines.evaluation.small_samples import best_of, seeds_needed, t_interval
from pipelines.evaluation.voc import Definition, voc_ap
from pipelines.evidence.claims.answers import Answer, Evidence, describe_interval, not_testable
from pipelines.evidence.claims.verdicts import (
    EQUAL_MARGIN,
    Published,
    Verdict,
    judge_difference,
    judge_direction,
    judge_no_worse,
    judge_value,
)
from pipelines.evidence.study import Study
from pipelines.evidence.trained_tables import no_fair_pair

DIRECTIONS = {"higher": 1, "lower": -1}
"""Differences that a paper puts in words alone."""
NO_LOWER = "no lower"
ONE_SEED = "one seed: spread between seeds unknown"
BORROWED = "one seed: spread between seeds taken from other rows"


def check_value(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """An absolute figure: {value: row, metric, published}, with `class` or `statistic` besides.

    `statistic` is `deviation` or `best` where it is not the mean over seeds, and `runs` are those
    that the paper's own is of.
    """
    published = Published.parse(claim["published"])
    row, study = claim["value"], evidence.study
    if row is None:
        return not_testable("a figure that the paper cites; no such detector here", published.text)
    if len(study.runs(row)) == 0:
        return not_testable(f"no run of {row} in {study.profile}", published.text)
    values = _values(claim, study)
    if np.isnan(values).any():
        lacking = claim.get("class") or f"objects of {claim['metric']}"
        return not_testable(f"{evidence.data} has no {lacking}", published.text, evidence.data)
    statistic = claim.get("statistic", "mean")
    ours = _summary(values, statistic)
    interval = _own_interval(claim, study, values) if statistic == "mean" else None
    spec = study.row_spec(row)
    apart = evidence.paper.departures(spec) if spec else []
    if apart:
        verdict, why = Verdict.NOT_TESTABLE, f"differs from the paper in {', '.join(apart)}"
    elif interval is None:
        verdict, why = Verdict.INCONCLUSIVE, f"no interval for a {statistic}"
    else:
        verdict = judge_value(published, interval, len(values))
        why = "same conditions as the paper" if len(values) > 1 else ONE_SEED
    if statistic == "best" and len(values) > 1:
        runs = claim["runs"]
        why += f"; best of {runs} draws from our runs: {best_of(values, runs):.1f} on average"
    return Answer(
        verdict,
        why,
        published.text,
        "" if np.isnan(ours) else f"{ours:.1f}",
        describe_interval(interval),
        str(len(values)),
        evidence.data,
        "" if np.isnan(ours) else f"{ours - published.middle:+.1f}",
    )


def check_comparison(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """A difference: {compare: [row, reference], metric, published}.

    `published` is a figure, a range, or `higher`, `lower` or `no lower`. In its place, `of: [a, b]`
    are the two rows' own figures.
    """
    published = _published_difference(claim)
    text = published if isinstance(published, str) else published.text
    missing = missing_rows(claim["compare"], evidence.study)
    if missing:
        return not_testable(missing, text)
    row, reference = claim["compare"]
    metric, study = claim["metric"], evidence.study
    if metric not in METRICS:
        return not_testable(f"{metric} has no bootstrap interval", text, evidence.data)
    pair = study.samples(row), study.samples(reference)
    spread = study.seed_spread(metric)
    ours = widened_difference(*pair, metric, spread)
    if ours is None:
        return not_testable(f"{row} and {reference} share no seed", text, evidence.data)
    shared = len(seed_differences(*pair, metric))
    verdict = _judge_difference(published, ours)
    if isinstance(published, str):
        size, apart = abs(ours.estimate), ""
    else:
        size = EQUAL_MARGIN if published.says_equal else abs(published.middle)
        apart = f"{ours.estimate - published.middle:+.1f}"
    better = probability_better(*pair, metric)
    reasons = [f"probability that {row} is higher: {better:.2f}"]
    if verdict is Verdict.INCONCLUSIVE:
        reasons.insert(0, _explain_need(claim, study, size, shared))
    elif shared == 1:
        reasons.append(BORROWED if spread else ONE_SEED)
    return Answer(
        verdict,
        "; ".join(reasons),
        text,
        f"{ours.estimate:+.1f}",
        describe_interval(ours, "+"),
        str(shared),
        evidence.data,
        apart,
    )


def check_interaction(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """Whether one difference is larger than another.

    {interaction: [[row, reference], [row, reference]], metric, published}: the first difference
    less the second, at the seeds that all four rows have; `published` is `higher` or `lower`.
    """
    study, published, metric = evidence.study, claim["published"], claim["metric"]
    first, second = claim["interaction"]
    for pair in (first, second, (first[0], second[0])):
        if missing := missing_rows(pair, study):
            return not_testable(missing, published)
    one, other = (difference_row(study.samples(a), study.samples(b)) for a, b in (first, second))
    spread = study.seed_spread(metric)
    ours = widened_difference(one, other, metric, spread.of_difference if spread else None)
    if ours is None:
        return not_testable("the four rows share no seed", published, evidence.data)
    shared = one.keys() & other.keys()
    parts = [np.mean([row[seed].point[metric] for seed in shared]) for row in (one, other)]
    return Answer(
        judge_direction(DIRECTIONS[published], ours),
        f"{parts[0]:+.1f} for {first[0]}, {parts[1]:+.1f} for {second[0]}",
        published,
        f"{ours.estimate:+.1f}",
        describe_interval(ours, "+"),
        str(len(shared)),
        evidence.data,
    )


def check_repeats(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """So many runs a row: {repeats: [rows], published: n}."""
    wanted, study = claim["published"], evidence.study
    fewest = min(len(study.runs(row)) for row in claim["repeats"])
    missing = wanted - fewest
    verdict = Verdict.NOT_TESTABLE if missing > 0 else Verdict.REPRODUCED
    why = f"{missing} more seeds a row" if missing > 0 else "as many seeds"
    return Answer(
        verdict, why, str(wanted), str(fewest), data=evidence.data, difference=f"{-missing:+d}"
    )


def check_protocol(claim: Mapping[str, Any], evidence: Evidence) -> Answer:
    """How a row is trained: {protocol: row, published: words}."""
    row, words = claim["protocol"], claim["published"]
    spec = evidence.study.row_spec(row)
    if spec is None:
        return not_testable(f"{row} is not in the study {evidence.study.profile}", words)
    apart = evidence.paper.departures(spec)
    if apart:
        return not_testable(f"{row} differs in {', '.join(apart)}", words, evidence.data)
    return Answer(Verdict.REPRODUCED, f"{row} is trained so", words, data=evidence.data)


def missing_rows(rows: Sequence[str | None], study: Study) -> str:
    """What keeps rows from being held against each other; empty for nothing."""
    if None in rows:
        return "with a detector that the paper only cites; no such detector here"
    names = [row for row in rows if row is not None]
    absent = [row for row in names if len(study.runs(row)) == 0]
    if absent:
        return f"no run of {' or '.join(absent)} in {study.profile}"
    if len(names) < 2:
        return ""
    return no_fair_pair(study, *names)


def _published_difference(claim: Mapping[str, Any]) -> Published | str:
    if "of" in claim:
        return Published.difference(*claim["of"])
    published = claim["published"]
    return published if isinstance(published, str) else Published.parse(published, signed=True)


def _judge_difference(published: Published | str, ours: Interval) -> Verdict:
    if isinstance(published, Published):
        return judge_difference(published, ours)
    if published == NO_LOWER:
        return judge_no_worse(ours)
    return judge_direction(DIRECTIONS[published], ours)


def _values(claim: Mapping[str, Any], study: Study) -> list[float]:
    """The metric of every run of the row; NaN where the data have no such class."""
    runs = study.runs(claim["value"])
    if "class" not in claim:
        return [float(value) for value in runs[claim["metric"]]]
    name = claim["class"]
    return [voc_ap(study.matches(run), name, Definition.VOC07) for run in runs["run"]]


def _summary(values: Sequence[float], statistic: str) -> float:
    if statistic == "best":
        return max(values)
    if statistic == "deviation":
        return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
    return float(np.mean(values))


def _own_interval(
    claim: Mapping[str, Any], study: Study, values: Sequence[float]
) -> Interval | None:
    if claim["metric"] in METRICS and "class" not in claim:
        metric = claim["metric"]
        return mean_interval(study.samples(claim["value"]), metric, study.seed_spread(metric))
    return t_interval(values) if len(values) > 1 else None


def _explain_need(claim: Mapping[str, Any], study: Study, size: float, shared: int) -> str:
    """How many seeds it would take to show a difference of `size`."""
    row, reference = claim["compare"]
    metric = claim["metric"]
    differences = seed_differences(study.samples(row), study.samples(reference), metric)
    if len(differences) > 1:
        deviation, source = float(differences.std(ddof=1)), "their own differences"
    else:
        spread = study.seed_spread(metric)
        if spread is None:
            return "2 seeds a row come first: no row here shows their spread"
        deviation, source = spread.of_difference.deviation, "the rows with several seeds"
    needed = seeds_needed(size, deviation)
    basis = f"for {size:.1f} points, spread {deviation:.1f} from {source}"
    if needed <= shared:
        return f"more test images rather than more seeds ({basis})"
    return f"needs about {needed} seeds a row ({basis})"
