"""The rules by which a claim of a paper is judged, from figures alone.

What a paper prints stands for all that rounds to it: 35 against 36 is a difference of 0 to 2, 22.3
against 34.8 one of 12.4 to 12.6, and "5 to 7" is 4.5 to 7.5.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from enum import StrEnum

from pipelines.evaluation.intervals import Interval

EQUAL_MARGIN = 1.0
"""Points within which two rows count as equal: the last place of the SSD paper's Tables 5 to 7."""
SAME_SPEED = 0.05
"""Share by which the times of two detectors may differ that are said to be equally fast."""
SPEED_MARGIN = 0.1
"""Share of a published ratio of speeds by which ours may differ and still be the same."""


class Verdict(StrEnum):
    """What becomes of a claim."""

    REPRODUCED = "reproduced"
    PARTLY = "partly"
    CONTRADICTED = "contradicted"
    INCONCLUSIVE = "inconclusive"
    NOT_TESTABLE = "not testable here"


@dataclass(frozen=True)
class Published:
    """What a paper prints: the range of values that it can stand for."""

    low: float
    high: float
    text: str

    @classmethod
    def parse(cls, value: float | list[float], signed: bool = False) -> Published:
        """A figure or a range, half a unit of the last place to either side."""
        ends = value if isinstance(value, list) else [value]
        slack = half_unit(ends[0])
        texts = [f"{end:{'+' if signed and end else ''}.{decimals(end)}f}" for end in ends]
        return cls(min(ends) - slack, max(ends) + slack, " to ".join(texts))

    @classmethod
    def difference(cls, row: float, reference: float) -> Published:
        """Row minus reference, each of them rounded in print."""
        places = max(decimals(row), decimals(reference))
        slack = half_unit(row) + half_unit(reference)
        value = round(row - reference, places)
        return cls(value - slack, value + slack, f"{value:{'+' if value else ''}.{places}f}")

    @classmethod
    def ratio(cls, one: float, other: float) -> Published:
        """One over the other, each of them rounded in print."""
        slack, its = half_unit(one), half_unit(other)
        low, high = (one - slack) / (other + its), (one + slack) / (other - its)
        return cls(low, high, f"{one / other:.2f}")

    @property
    def middle(self) -> float:
        return (self.low + self.high) / 2

    @property
    def says_equal(self) -> bool:
        return math.isclose(self.middle, 0, abs_tol=1e-9)

    def meets(self, low: float, high: float) -> bool:
        """Whether the ranges overlap."""
        return self.low <= high + 1e-9 and low <= self.high + 1e-9


def decimals(value: float) -> int:
    """Places after the point that a figure is printed with; none for a whole number's type."""
    return 0 if isinstance(value, int) else len(f"{value!r}".partition(".")[2])


def half_unit(value: float) -> float:
    """Half a unit of the last printed place."""
    return 0.5 * 10.0 ** -decimals(value)


def judge_difference(published: Published, ours: Interval) -> Verdict:
    """A difference of two rows.

    The interval excludes zero on the paper's side: reproduced if it meets the published range and
    is narrower than the published difference, else partly (the direction holds; the size differs or
    is not told). It excludes zero on the other side: contradicted. It includes zero: inconclusive.
    For a published zero see `judge_equality`.
    """
    if published.says_equal:
        return judge_equality(ours)
    if ours.low <= 0 <= ours.high:
        return Verdict.INCONCLUSIVE
    if (ours.low > 0) != (published.middle > 0):
        return Verdict.CONTRADICTED
    narrow = ours.high - ours.low < abs(published.middle)
    met = narrow and published.meets(ours.low, ours.high)
    return Verdict.REPRODUCED if met else Verdict.PARTLY


def judge_equality(ours: Interval, margin: float = EQUAL_MARGIN) -> Verdict:
    """Two rows that are said to be equal.

    The interval lies within the margin around zero: reproduced; wholly outside: contradicted;
    else inconclusive.
    """
    if -margin <= ours.low and ours.high <= margin:
        return Verdict.REPRODUCED
    if ours.low > margin or ours.high < -margin:
        return Verdict.CONTRADICTED
    return Verdict.INCONCLUSIVE


def judge_direction(sign: int, ours: Interval) -> Verdict:
    """A difference said without a size: above zero (sign 1) or below it (-1)."""
    if ours.low <= 0 <= ours.high:
        return Verdict.INCONCLUSIVE
    return Verdict.REPRODUCED if (ours.low > 0) == (sign > 0) else Verdict.CONTRADICTED


def judge_no_worse(ours: Interval, margin: float = EQUAL_MARGIN) -> Verdict:
    """A row that is said to be no lower than another.

    The interval stays above minus the margin: reproduced; wholly below it: contradicted; else
    inconclusive.
    """
    if ours.low >= -margin:
        return Verdict.REPRODUCED
    return Verdict.CONTRADICTED if ours.high < -margin else Verdict.INCONCLUSIVE


def judge_value(published: Published, ours: Interval, seeds: int) -> Verdict:
    """An absolute figure of a run that shares all of the paper's conditions.

    The interval meets it: reproduced. It does not: contradicted with two seeds or more, with one
    inconclusive, since seeds alone may make the difference.
    """
    if published.meets(ours.low, ours.high):
        return Verdict.REPRODUCED
    return Verdict.CONTRADICTED if seeds > 1 else Verdict.INCONCLUSIVE


def judge_exactly(published: Published, ours: float) -> Verdict:
    """What follows from arithmetic alone: reproduced if it rounds to what is printed."""
    return Verdict.REPRODUCED if published.meets(ours, ours) else Verdict.CONTRADICTED


def judge_frames(published: Published, ours: float) -> Verdict:
    """Frames/s on the paper's device: reproduced within `SPEED_MARGIN`, else contradicted."""
    near = published.meets(ours / (1 + SPEED_MARGIN), ours * (1 + SPEED_MARGIN))
    return Verdict.REPRODUCED if near else Verdict.CONTRADICTED


def judge_speed(published: Published, ours: Interval) -> Verdict:
    """How many times as fast one detector is as another.

    The interval excludes 1 on the paper's side: reproduced if it meets the published range widened
    by `SPEED_MARGIN`, else partly. It excludes 1 on the other side: contradicted. It includes 1:
    inconclusive. Where the published range holds 1 it must lie within `SAME_SPEED` of it, and
    contradicts wholly beyond.
    """
    if published.meets(1, 1):
        return judge_equality(Interval(*map(math.log, astuple(ours))), math.log1p(SAME_SPEED))
    if ours.low <= 1 <= ours.high:
        return Verdict.INCONCLUSIVE
    if (ours.low > 1) != (published.middle > 1):
        return Verdict.CONTRADICTED
    near = published.meets(ours.low / (1 + SPEED_MARGIN), ours.high * (1 + SPEED_MARGIN))
    return Verdict.REPRODUCED if near else Verdict.PARTLY
