"""Photographs of two splits that were taken beside each other, by their names."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.data.bursts import NUMBERS, SECONDS, neighbours
from pipelines.data.mosaic import photographs
from pipelines.data.sources import ImageSource


@dataclass(frozen=True)
class Neighbours:
    """Photographs of a split that have a neighbour in an earlier one."""

    first: str
    second: str
    """Names of the two splits; the photographs are of this one."""
    names: Sequence[str]
    photographs: int
    """Of the second split in all."""

    @property
    def sentence(self) -> str:
        """What it means, in one sentence."""
        return (
            f"{len(self.names)} of the {self.photographs} photographs of {self.second} were taken "
            f"beside one of {self.first}, by their names (within {NUMBERS} numbers or {SECONDS} "
            "seconds): what is the same in both flatters results; fold 0 to 4 keeps bursts together"
        )


def neighbouring_photographs(sources: Mapping[str, ImageSource]) -> list[Neighbours]:
    """Pairs of splits with photographs within NUMBERS numbers or SECONDS seconds of each other.

    Args:
        sources: split to source; mosaics are looked at photograph by photograph.
    """
    names = {
        split: [record.file_name for _, record in photographs(source)]
        for split, source in sources.items()
    }
    found = []
    for first, second in itertools.combinations(names, 2):
        if positions := neighbours(names[second], names[first]):
            taken = [names[second][k] for k in positions]
            found.append(Neighbours(first, second, taken, len(names[second])))
    return found
