"""Everything that looks wrong with a data set, the most serious first."""

from __future__ import annotations

from collections.abc import Mapping

from pipelines.data.sources import ImageSource
from pipelines.data.tiling import Tiling
from pipelines.own_data.inspection.box_rules import (
    contradictory_labels,
    covering_boxes,
    elongated_boxes,
    framing_boxes,
    repeated_boxes,
    tiny_boxes,
)
from pipelines.own_data.inspection.class_rules import (
    alike_names,
    scarce_classes,
    unmeasured_classes,
    untrained_classes,
)
from pipelines.own_data.inspection.image_rules import (
    crowded_images,
    empty_images,
    stretched_images,
    uneven_sizes,
)
from pipelines.own_data.inspection.kinds import Example, Kind, Suspicion
from pipelines.own_data.inspection.objects import Objects, read_objects
from pipelines.own_data.inspection.pixel_rules import (
    constant_images,
    grey_images,
    read_fingerprints,
    repeated_images,
)
from pipelines.own_data.inspection.shift_rules import class_shift, size_shift
from pipelines.own_data.inspection.shot_rules import neighbouring_shots
from pipelines.own_data.inspection.squeeze_rule import squeezed_objects
from pipelines.own_data.inspection.summary import describe
from pipelines.system.errors import UserError

__all__ = ["Example", "Kind", "Suspicion", "summary_lines", "suspicions"]

OF_A_SPLIT = (
    contradictory_labels,
    repeated_boxes,
    covering_boxes,
    framing_boxes,
    elongated_boxes,
    crowded_images,
    empty_images,
)
OF_ALL_SPLITS = (
    untrained_classes,
    alike_names,
    class_shift,
    size_shift,
    unmeasured_classes,
    scarce_classes,
    uneven_sizes,
)
OF_PIXELS = (repeated_images, constant_images, grey_images)

MOST_LINES = 10
"""Suspicions that `summary_lines` names."""


def suspicions(
    sources: Mapping[str, ImageSource],
    *,
    input_size: int,
    tiling: Tiling | None = None,
    pixels: bool = False,
    progress: bool = True,
) -> list[Suspicion]:
    """What looks wrong with a data set.

    Args:
        sources: split to source, one of them `train`; all declare the same classes.
        input_size: side of the network's input, pixels.
        tiling: how photographs are cut; None where they are stretched to the input.
        pixels: decode every image once, and look for repeated and empty ones too.
        progress: show a bar on stderr meanwhile.

    Returns:
        Suspicions, the most serious kind first; within a kind, those with test first, then by
        count.

    Raises:
        UserError: the input size is below 1, or an image cannot be had.
    """
    if input_size < 1:
        raise UserError(f"input size {input_size} is not a number of pixels; give 1 or more")
    found = neighbouring_shots(sources) + _from_annotations(
        read_objects(sources), input_size, tiling
    )
    if pixels:
        prints = read_fingerprints(sources, progress=progress)
        found += [suspicion for rule in OF_PIXELS for suspicion in rule(prints)]
    return sorted(found, key=lambda s: (s.kind.rank, "test" not in s.split, -s.count))


def summary_lines(
    sources: Mapping[str, ImageSource], input_size: int, tiling: Tiling | None = None
) -> list[str]:
    """A line a split, then the suspicions that annotations alone raise, MOST_LINES at most.

    Args:
        sources: split to source, one of them `train`; no image is decoded.
        input_size: side of the network's input, pixels.
        tiling: how photographs are cut; None where they are stretched to the input.

    Raises:
        UserError: the input size is below 1.
    """
    lines = [describe(own) for own in read_objects(sources).values()]
    looked_at = suspicions(sources, input_size=input_size, tiling=tiling)
    found = [f"{s.split}: {s.sentence}" for s in looked_at]
    if len(found) > MOST_LINES:
        rest = len(found) - MOST_LINES + 1
        found[MOST_LINES - 1 :] = [f"and {rest} more, which `python -m pipelines.inspect` shows"]
    return lines + found


def _from_annotations(
    splits: Mapping[str, Objects], input_size: int, tiling: Tiling | None
) -> list[Suspicion]:
    found: list[Suspicion] = []
    for own in splits.values():
        found += [suspicion for rule in OF_A_SPLIT for suspicion in rule(own)]
        found += tiny_boxes(own, input_size, tiling)
    for across in OF_ALL_SPLITS:
        found += across(splits)
    if tiling is None:
        found += stretched_images(splits) + squeezed_objects(splits, input_size)
    return found
