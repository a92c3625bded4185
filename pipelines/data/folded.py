"""A folder's data set divided into five folds over whole bursts, whatever splits it came with."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pipelines.data.dataset_spec import DatasetSpec
from pipelines.data.folds import Group, fold_split
from pipelines.data.mosaic import mosaic
from pipelines.data.records import Annotation, CocoSplit, ImageRecord
from pipelines.data.sources import FolderSource, ImageSource
from pipelines.system.errors import UserError

MOSAIC = 4
"""Photographs of a mosaic."""


def whole(spec: DatasetSpec) -> DatasetSpec:
    """How the folder is opened, so that nothing is held out of what it has."""
    return replace(spec, validation_fraction=0.0)


def folded(
    sources: Mapping[str, FolderSource],
    spec: DatasetSpec,
    aspect: float | None,
    report: Callable[[str], None],
) -> dict[str, ImageSource]:
    """The splits train, val (if anything is left for it) and test of one fold.

    Args:
        sources: the folder's own splits, which are joined.
        spec: the fold, its seed, and the tile of a mosaic.
        aspect: of photographs that make up an image by four, as they were taken, their width over
            height there; None where each is an image.
        report: told what is left out.

    Raises:
        UserError: there are too few photographs, or none to train on is left.
    """
    pool = joined(list(sources.values()))
    names = [image.file_name for image in pool.split.images]
    try:
        parts = fold_split(
            names,
            class_counts(pool.split),
            int(spec.fold),
            group_size=1 if aspect is None else MOSAIC,
            seed=spec.split_seed,
        )
    except ValueError as error:
        raise UserError(f"{spec.name}: fold: {error}") from None
    if parts.buffered:
        report(
            f"fold {spec.fold}: {parts.buffered} photographs are left out of training and "
            "validation, as neighbours of those that are tested"
        )
    if parts.left_over:
        report(f"{parts.left_over} photographs make up no whole mosaic, in any fold")
    groups = {"train": parts.train, "val": parts.val, "test": parts.test}
    return {
        name: _source(pool, own, parts.bursts, spec.tile, aspect)
        for name, own in groups.items()
        if own
    }


def joined(sources: Sequence[FolderSource]) -> FolderSource:
    """All photographs of some splits as one, by their names from the folder they share."""
    folder = Path(os.path.commonpath([source.image_dir for source in sources]))
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    for source in sources:
        inside = source.image_dir.relative_to(folder)
        own = source.split.annotations_by_image()
        for record, objects in zip(source.split.images, own, strict=True):
            number = len(images) + 1
            images.append(replace(record, id=number, file_name=str(inside / record.file_name)))
            annotations += [
                replace(one, id=len(annotations) + k, image_id=number)
                for k, one in enumerate(objects, start=1)
            ]
    split = CocoSplit(tuple(images), sources[0].split.categories, tuple(annotations))
    most = max((s.most_pixels for s in sources if s.most_pixels), default=None)
    return replace(sources[0], split=split, image_dir=folder, most_pixels=most)


def class_counts(split: CocoSplit) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """Images × classes: objects that are no crowd regions."""
    column = {category.id: k for k, category in enumerate(split.categories)}
    counts = np.zeros((len(split.images), len(column)), np.int64)
    for row, objects in enumerate(split.annotations_by_image()):
        for one in objects:
            counts[row, column[one.category_id]] += not one.iscrowd
    return counts


def _source(
    pool: FolderSource,
    groups: Sequence[Group],
    bursts: Mapping[Group, int],
    tile: int,
    aspect: float | None,
) -> ImageSource:
    if aspect is None:
        ordered = sorted(groups)
        split = pool.split.subset([group[0] for group in ordered])
        return replace(pool, split=_with_bursts(split, [bursts[group] for group in ordered]))
    order = [position for group in groups for position in group]
    made = mosaic(pool, tile, order, aspect=aspect)
    return replace(made, split=_with_bursts(made.split, [bursts[group] for group in groups]))


def _with_bursts(split: CocoSplit, bursts: Sequence[int]) -> CocoSplit:
    images = tuple(
        replace(image, burst=burst) for image, burst in zip(split.images, bursts, strict=True)
    )
    return replace(split, images=images)
