"""Rules on when photographs were taken, as far as their file names tell."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

from pipelines.data.bursts import NUMBERS, SECONDS, neighbours
from pipelines.data.mosaic import photographs
from pipelines.data.sources import ImageSource
from pipelines.inspect.kinds import MOST_EXAMPLES, Example, Kind, Suspicion


def neighbouring_shots(sources: Mapping[str, ImageSource]) -> list[Suspicion]:
    """Photographs that were taken within NUMBERS numbers or SECONDS seconds of another split's.

    Args:
        sources: split to source; mosaics are looked at photograph by photograph.
    """
    names = {
        split: [record.file_name for _, record in photographs(source)]
        for split, source in sources.items()
    }
    found = []
    for first, second in itertools.combinations(names, 2):
        near = neighbours(names[second], names[first])
        if near:
            own = len(names[second])
            found.append(
                Suspicion(
                    Kind.NEIGHBOURING_SHOT,
                    f"{first}, {second}",
                    f"{len(near)} of the {own} photographs of {second} were taken beside one of "
                    f"{first}, by their names (within {NUMBERS} numbers or {SECONDS} seconds): "
                    "what is the same in both flatters results; fold 0 to 4 keeps bursts together",
                    len(near),
                    [Example(second, names[second][k]) for k in near[:MOST_EXAMPLES]],
                )
            )
    return found
