"""What every check is given and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.evaluation.intervals import Interval
from pipelines.evidence.claims.verdicts import Verdict
from pipelines.evidence.papers import Paper
from pipelines.evidence.study import Study


@dataclass(frozen=True)
class Evidence:
    """What claims are held against."""

    study: Study
    paper: Paper

    @property
    def data(self) -> str:
        return f"{self.study.spec.dataset} ({self.study.profile})"


@dataclass(frozen=True)
class Answer:
    """One claim's answer, as it is printed; what there is nothing to say about stays empty."""

    verdict: Verdict
    why: str
    published: str = ""
    ours: str = ""
    interval: str = ""
    n: str = ""
    data: str = ""
    difference: str = ""
    """Ours minus the paper's."""


Check = Callable[[Mapping[str, Any], Evidence], Answer]
"""Answers a claim from the parameters of its check."""


def not_testable(why: str, published: str = "", data: str = "") -> Answer:
    """The answer where something is missing; `why` names it."""
    return Answer(Verdict.NOT_TESTABLE, why, published, data=data)


def describe_interval(interval: Interval | None, sign: str = "", places: int = 1) -> str:
    """`[+1.0, +7.5]`; empty for none."""
    if interval is None:
        return ""
    return f"[{interval.low:{sign}.{places}f}, {interval.high:{sign}.{places}f}]"
