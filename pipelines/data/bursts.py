"""Photographs taken one after the other, told by their file names.

Cameras number photographs or name them by the time. Shots a few numbers or seconds apart show the
same things, so that one in the training set gives another in the test set away.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath

import numpy as np

SECONDS, NUMBERS = 10, 3
"""Up to which two shots of one camera are neighbours."""
OF_SPLITS = {"train", "val", "valid", "test", "images"}
"""Folders that tell a split, not a camera."""
WINDOW = 0.25
"""Of a part's length, how far a cut may move to the widest gap."""

_TIME = re.compile(r"(?<!\d)((?:19|20)\d{6})[-_T]?(\d{6})(?:\d{3})?(?!\d)")
"""Year to second; Pixel cameras write milliseconds after it."""
_NUMBER = re.compile(r"(\d+)\D*$")
_EXPORTED = re.compile(r"_(jpe?g|png)\.rf\.[0-9a-zA-Z]+$", re.IGNORECASE)
"""What Roboflow adds to a name."""


@dataclass(frozen=True)
class Shot:
    """When a photograph was taken, or as which."""

    series: str
    """Shots of one series can be neighbours: the rest of the name, and whether it holds a time."""
    place: float
    """Seconds or a number."""
    reach: float
    """Up to which shots of the series are neighbours."""


def shot(file_name: str) -> Shot | None:
    """What a file name tells; None if it holds neither a time nor a number after letters.

    Numbers alone are a data set's own, as in COCO or VOC, and say nothing of when.
    """
    path = PurePosixPath(file_name)
    folder = "/".join(part for part in path.parts[:-1] if part not in OF_SPLITS)
    stem = _EXPORTED.sub("", path.stem)
    if found := _TIME.search(stem):
        try:
            taken = datetime.strptime("".join(found.groups()), "%Y%m%d%H%M%S")
        except ValueError:
            taken = None
        if taken:
            series = f"{folder}/{stem[: found.start()]}* by time"
            return Shot(series, (taken - datetime(1970, 1, 1)).total_seconds(), SECONDS)
    found = _NUMBER.search(stem)
    if found and re.search("[A-Za-z]", stem[: found.start(1)]):
        series = f"{folder}/{stem[: found.start(1)]}*{stem[found.end(1) :]} by number"
        return Shot(series, float(found.group(1)), NUMBERS)
    return None


def in_order(file_names: Sequence[str]) -> list[int]:
    """Positions of the names by series and place; those that tell nothing stand last."""

    def key(position: int) -> tuple[bool, str, float, str]:
        own = shots[position]
        name = file_names[position]
        return (own is None, own.series, own.place, name) if own else (True, "", 0.0, name)

    shots = [shot(name) for name in file_names]
    return sorted(range(len(file_names)), key=key)


def bursts(file_names: Sequence[str]) -> list[list[int]]:
    """Chains of neighbours: positions in `file_names`, each chain in the order of its shots.

    A photograph whose name tells nothing is a burst of its own.
    """
    chains: list[list[int]] = []
    last: Shot | None = None
    for position in in_order(file_names):
        own = shot(file_names[position])
        if own and last and _near(own, last):
            chains[-1].append(position)
        else:
            chains.append([position])
        last = own
    return chains


def neighbours(file_names: Sequence[str], others: Iterable[str]) -> list[int]:
    """Positions of the names that have a neighbour among the others."""
    places: dict[str, list[float]] = {}
    for name in others:
        if own := shot(name):
            places.setdefault(own.series, []).append(own.place)
    ordered = {series: np.sort(values) for series, values in places.items()}
    found = []
    for position, name in enumerate(file_names):
        own = shot(name)
        if own is None or own.series not in ordered:
            continue
        values = ordered[own.series]
        after = int(np.searchsorted(values, own.place))
        near = values[max(0, after - 1) : after + 1]
        if (np.abs(near - own.place) <= own.reach).any():
            found.append(position)
    return found


def cut(file_names: Sequence[str], weights: Sequence[float], parts: int) -> list[list[int]]:
    """Cut a chain into parts of about equal weight, at the widest gaps near where they would end.

    Args:
        file_names: of a chain, in order.
        weights: of each photograph.
        parts: how many; fewer where the chain is too short.

    Returns:
        Positions of each part.
    """
    total = np.cumsum(np.asarray(weights, float) + 1e-9)
    gaps = [_gap(a, b) for a, b in itertools.pairwise(file_names)]
    window = WINDOW * total[-1] / parts
    ends: list[int] = []
    for part in range(1, parts):
        aim = total[-1] * part / parts
        allowed = [
            end
            for end in range(1, len(file_names))
            if abs(total[end - 1] - aim) <= window and (not ends or end > ends[-1])
        ]
        if allowed:
            ends.append(max(allowed, key=lambda e: (gaps[e - 1], -abs(total[e - 1] - aim))))
    bounds = [0, *ends, len(file_names)]
    return [list(range(a, b)) for a, b in itertools.pairwise(bounds)]


def stretches(file_names: Sequence[str], most: int) -> list[list[int]]:
    """Bursts, those of more than `most` photographs cut at their widest gaps: positions of each."""
    found = []
    for chain in bursts(file_names):
        parts = -(-len(chain) // most)
        names = [file_names[k] for k in chain]
        found += [[chain[k] for k in part] for part in cut(names, [1] * len(chain), parts)]
    return found


def _near(one: Shot, other: Shot) -> bool:
    return one.series == other.series and abs(one.place - other.place) <= one.reach


def _gap(name: str, following: str) -> float:
    one, other = shot(name), shot(following)
    return abs(other.place - one.place) if one and other else 0.0
