"""Progress bars: drawn on a terminal, a line every 30 seconds in a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO, TypeVar, overload

from tqdm import tqdm

SECONDS_IN_A_LOG = 30
"""Between two lines of a bar."""

Item = TypeVar("Item")


@overload
def progress_bar(items: Iterable[Item], **options: Any) -> tqdm[Item]: ...


@overload
def progress_bar(**options: Any) -> tqdm[Any]: ...


def progress_bar(items: Iterable[Any] | None = None, **options: Any) -> tqdm[Any]:
    """A bar on stderr; where that is no terminal, a line every 30 seconds and one at the end.

    Args:
        items: what is gone through, if the bar is not moved by hand.
        options: tqdm's.
    """
    if not sys.stderr.isatty():
        options |= {"file": _Lines(sys.stderr), "position": 0}
    return tqdm(items, **options)


class _Lines:
    """What a log keeps of all that a bar draws."""

    def __init__(self, log: TextIO) -> None:
        self.encoding = log.encoding
        self._log = log
        self._drawn = ""
        self._written = time.monotonic()

    def write(self, text: str) -> None:
        """Take in a drawing, or the line break with which the bar ends."""
        self._drawn = text.strip() or self._drawn
        now = time.monotonic()
        if self._drawn and (text == "\n" or now - self._written >= SECONDS_IN_A_LOG):
            print(self._drawn, file=self._log, flush=True)
            self._drawn, self._written = "", now
