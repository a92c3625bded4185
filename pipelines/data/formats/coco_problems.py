"""What is wrong in a COCO json, gathered by kind, and its entries by their ids."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.system.errors import UserError

LARGEST_ID = 2**53
"""COCOeval keeps ids in float64 arrays, which hold whole numbers exactly up to here."""

LONGEST_ID = 15
"""Digits of a number in text that is below LARGEST_ID."""


@dataclass
class Problems:
    """What is wrong in a file, by kind: the first message of each kind and how many there are."""

    file: Path
    first: dict[str, str] = field(default_factory=dict)
    count: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, message: str) -> None:
        """Count a problem of this kind; the first of each is kept."""
        self.first.setdefault(kind, message)
        self.count[kind] += 1

    def stop_if_any(self, advice: str = "") -> None:
        """Raise a UserError that tells the first problem and counts the others."""
        if not self.first:
            return
        kind, message = next(iter(self.first.items()))
        alike = self.count[kind] - 1
        others = self.count.total() - self.count[kind]
        more = f" (and {alike} more like it)" if alike else ""
        more += f" (and {others} other problems)" if others else ""
        raise UserError(f"{self.file}: {message}{advice}{more}")


@dataclass(frozen=True)
class Entry:
    """An entry of a list, the id that it gets, and what it is called in messages."""

    id: int
    content: dict[str, Any]
    label: str


def key_of(id_: object) -> int | str | None:
    """An id as other entries may refer to it; None if it is no whole number from 0, and no text."""
    if isinstance(id_, str) and id_:
        small = len(id_) <= LONGEST_ID and id_.isdecimal()
        return int(id_) if small and str(int(id_)) == id_ else id_
    number = whole_number(id_)
    return number if number is not None and number < LARGEST_ID else None


def whole_number(value: object) -> int | None:
    """A json number that is whole and not negative, also if written as 96.0."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value >= 0 and value == value // 1 < float("inf") else None


def by_key(
    entries: list[object], kind: str, problems: Problems, report: Callable[[str], None]
) -> dict[int | str, Entry]:
    """The entries that are objects with an id of their own, by what others call them.

    Where an id is text that is no number, all entries are numbered from 1 in the file's order,
    which is reported.
    """
    found: dict[int | str, dict[str, Any]] = {}
    for position, entry in enumerate(entries):
        key = key_of(entry.get("id")) if isinstance(entry, dict) else None
        if not isinstance(entry, dict):
            problems.add(
                f"odd {kind}", f"{kind} at position {position} is not an object; correct the entry"
            )
        elif key is None:
            problems.add(
                f"{kind} without id",
                f"{kind} at position {position} has no id that is a whole number from 0, or text "
                f"(it has {reprlib.repr(entry.get('id'))}); give each {kind} its own id",
            )
        elif key in found:
            problems.add(
                f"duplicate {kind} id",
                f"{kind} id {key} occurs more than once; give each {kind} its own id",
            )
        else:
            found[key] = entry
    texts = [key for key in found if isinstance(key, str)]
    if texts:
        report(f"{problems.file}: {kind} ids are text, such as {texts[0][:40]!r}; numbered from 1")
    return {
        key: Entry(number if texts else int(key), entry, f"{kind} id {str(key)[:40]}")
        for number, (key, entry) in enumerate(found.items(), start=1)
    }
