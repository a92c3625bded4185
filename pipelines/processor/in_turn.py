"""Times taken in turn, so that what slows the machine for a while slows all of them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

Name = TypeVar("Name", bound=Hashable)


def medians_in_turn(
    works: Mapping[Name, Callable[[], object]], rounds: int, not_counted: int = 1
) -> dict[Name, float]:
    """Median seconds of each work.

    Args:
        works: by name; each is called once a round, in this order.
        rounds: that count.
        not_counted: first rounds, in which caches fill.
    """
    times: dict[Name, list[float]] = {name: [] for name in works}
    for _ in range(not_counted + rounds):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(taken[not_counted:]) for name, taken in times.items()}
