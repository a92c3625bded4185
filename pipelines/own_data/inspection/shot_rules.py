"""Rules on when photographs were taken, as far as their file names tell."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.data.neighbours import neighbouring_photographs
from pipelines.data.sources import ImageSource
from pipelines.own_data.inspection.kinds import MOST_EXAMPLES, Example, Kind, Suspicion


def neighbouring_shots(sources: Mapping[str, ImageSource]) -> list[Suspicion]:
    """Photographs that were taken beside one of another split.

    Args:
        sources: split to source; mosaics are looked at photograph by photograph.
    """
    return [
        Suspicion(
            Kind.NEIGHBOURING_SHOT,
            f"{found.first}, {found.second}",
            found.sentence,
            len(found.names),
            [Example(found.second, name) for name in found.names[:MOST_EXAMPLES]],
        )
        for found in neighbouring_photographs(sources)
    ]
