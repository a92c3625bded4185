"""One bar over the runs of a study."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from types import TracebackType

from tqdm import tqdm

from pipelines.cluster.time_left import Expected, TimeLeft
from pipelines.system.bars import progress_bar

NAMES_SHOWN = 4
POLL_SECONDS = 1.0
"""Between two looks at the runs."""
LAYOUT = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
"""Of tqdm's bar, without its own time left, which takes all runs for alike."""


class Progress:
    """How many runs are done, the time left, which are at work, and the seconds spent on them.

    The seconds are summed over runs, each counted from where it began, not from where it queued.

    Args:
        runs: their names.
        label: name on the bar.
        expected: what each should take; as long as the others when nothing is said of it.
    """

    def __init__(
        self, runs: Iterable[str], label: str, expected: Mapping[str, Expected] | None = None
    ) -> None:
        self._waiting = dict.fromkeys(runs)
        self._left = TimeLeft(expected or {})
        self._bar = progress_bar(total=len(self._waiting), desc=label, bar_format=LAYOUT)
        self._began: dict[str, float] = {}
        self._spent = 0.0

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.close()

    def begin(self, name: str) -> None:
        """The run is at work, from now or from when it was first said."""
        self._began.setdefault(name, time.monotonic())
        self._waiting.pop(name, None)

    def end(self, name: str) -> None:
        """The run is done."""
        self._waiting.pop(name, None)
        if name in self._began:
            took = time.monotonic() - self._began.pop(name)
            self._spent += took
            self._left.add(name, took)
        self._bar.set_postfix_str(self.said(), refresh=False)
        self._bar.update()

    def show(self) -> None:
        """Draw the bar anew."""
        self._bar.set_postfix_str(self.said())

    def said(self) -> str:
        """What stands after the bar."""
        now = time.monotonic()
        worked = {name: now - begin for name, begin in list(self._began.items())}
        names = list(worked)[:NAMES_SHOWN]
        more = [f"{len(worked) - len(names)} more"] if len(worked) > len(names) else []
        left = self._left.seconds(list(self._waiting), worked)
        told = "" if left is None else f"about {tqdm.format_interval(left)} left; "
        seconds = self._spent + sum(worked.values())
        return f"{told}{seconds:.0f} s of work; {', '.join([*names, *more]) or 'none at work'}"
