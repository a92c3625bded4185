"""One bar over the runs of a study."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from tqdm import tqdm

NAMES_SHOWN = 4
SECONDS_IN_A_FILE = 30
"""Between two drawings of the bar when nothing happens, where each stays."""
POLL_SECONDS = 1.0
"""Between two looks at the runs."""


class Progress:
    """How many runs are done, the time left, which are at work, and the seconds spent on them.

    The seconds are summed over runs, each counted from where it began, not from where it queued.

    Args:
        total: number of runs.
        label: name on the bar.
    """

    def __init__(self, total: int, label: str) -> None:
        self._pause = 0.0 if sys.stderr.isatty() else SECONDS_IN_A_FILE
        self._shown = time.monotonic()
        self._bar = tqdm(total=total, desc=label, unit="run", smoothing=0)
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

    def end(self, name: str) -> None:
        """The run is done."""
        now = time.monotonic()
        self._spent += now - self._began.pop(name, now)
        self._bar.set_postfix_str(self.said(), refresh=False)
        self._bar.update()

    def show(self) -> None:
        """Draw the bar anew; seldom where it is no terminal that keeps each drawing."""
        if time.monotonic() - self._shown >= self._pause:
            self._shown = time.monotonic()
            self._bar.set_postfix_str(self.said())

    def said(self) -> str:
        """What stands after the bar."""
        now, began = time.monotonic(), dict(self._began)
        names = list(began)[:NAMES_SHOWN]
        more = [f"{len(began) - len(names)} more"] if len(began) > len(names) else []
        seconds = self._spent + sum(now - begin for begin in began.values())
        return f"{seconds:.0f} s of work; {', '.join([*names, *more]) or 'none at work'}"
