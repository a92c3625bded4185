"""2x2 mosaics: four images side by side as one, as a source of images like any other."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.data.images import resize_image
from pipelines.data.records import Annotation, Box, CocoSplit, ImageRecord
from pipelines.data.sources import FolderSource, ImageSource
from pipelines.system.errors import UserError, note

Group = tuple[int, int, int, int]
GREY = 127
"""Beside an image that is narrower than its tile."""


@dataclass(frozen=True)
class MosaicSource:
    """Mosaics of 2·tile x 2·tile pixels.

    groups[m] are the positions in `source` that mosaic m shows: top left, top right, bottom left,
    bottom right. Each is stretched to width x tile, and stands in the middle of its tile.
    """

    split: CocoSplit
    source: ImageSource
    groups: tuple[Group, ...]
    tile: int
    width: int

    def image(self, index: int) -> NDArray[np.uint8]:
        """Compose mosaic `index`: uint8 (2·tile, 2·tile, 3); its four images are decoded anew."""
        canvas = np.full((2 * self.tile, 2 * self.tile, 3), GREY, np.uint8)
        for position, member in enumerate(self.groups[index]):
            left, top = _corner(position, self.tile, self.width)
            pixels = resize_image(self.source.image(member), self.width, self.tile)
            canvas[top : top + self.tile, left : left + self.width] = pixels
        return canvas


def photographs(source: ImageSource) -> list[tuple[Path, ImageRecord]]:
    """The image files that a source's images are made of, mosaic by mosaic; none if drawn."""
    single = source.source if isinstance(source, MosaicSource) else source
    if not isinstance(single, FolderSource):
        return []
    records = single.split.images
    if isinstance(source, MosaicSource):
        records = tuple(records[position] for group in source.groups for position in group)
    return [(single.image_dir / record.file_name, record) for record in records]


def seeded_order(count: int, seed: int) -> list[int]:
    """0 to count - 1 shuffled; always the same for the same seed."""
    return [int(index) for index in np.random.default_rng(seed).permutation(count)]


def mosaic(
    source: ImageSource,
    tile: int,
    order: Sequence[int],
    *,
    aspect: float = 1,
    report: Callable[[str], None] = note,
) -> MosaicSource:
    """Group the images of `source`, taken in this order, by four into mosaics.

    order: positions in source.split.images without repeats; see seeded_order. What is left over
    at its end when not divisible by four is dropped, and reported.
    aspect: width over height (at most 1) that the images had before they were stretched to squares,
    and have in the mosaic.

    Raises UserError if there are fewer than four images.
    """
    count = len(order) // 4
    if count == 0:
        raise UserError(f"a mosaic needs four images but the split has {len(order)}; add images")
    if left_over := [source.split.images[index].file_name for index in order[4 * count :]]:
        report(
            f"{count} mosaics of {4 * count} images; "
            f"dropped the {len(left_over)} left over: {', '.join(left_over)}"
        )
    groups = tuple(
        (order[k], order[k + 1], order[k + 2], order[k + 3]) for k in range(0, 4 * count, 4)
    )
    width = round(tile * aspect)
    split = _mosaic_split(source.split, groups, tile, width)
    return MosaicSource(split, source, groups, tile, width)


def _corner(position: int, tile: int, width: int) -> tuple[int, int]:
    """Left and top pixel of an image in the middle of its tile: position 0 to 3, row by row."""
    return tile * (position % 2) + (tile - width) // 2, tile * (position // 2)


def _mosaic_split(split: CocoSplit, groups: Sequence[Group], tile: int, width: int) -> CocoSplit:
    by_image = split.annotations_by_image()
    images = tuple(
        ImageRecord(number, f"mosaic-{number:05d}.png", 2 * tile, 2 * tile)
        for number in range(1, len(groups) + 1)
    )
    annotations: list[Annotation] = []
    for image, group in zip(images, groups, strict=True):
        for position, member in enumerate(group):
            record = split.images[member]
            for old in by_image[member]:
                annotations.append(
                    Annotation(
                        id=len(annotations) + 1,
                        image_id=image.id,
                        category_id=old.category_id,
                        bbox=_into_tile(old.bbox, record, position, tile, width),
                        iscrowd=old.iscrowd,
                        area=old.area * (width / record.width) * (tile / record.height),
                    )
                )
    return CocoSplit(images, split.categories, tuple(annotations))


def _into_tile(bbox: Box, record: ImageRecord, position: int, tile: int, width: int) -> Box:
    left, top = _corner(position, tile, width)
    x, y, box_width, box_height = bbox
    return (
        left + x * width / record.width,
        top + y * tile / record.height,
        box_width * width / record.width,
        box_height * tile / record.height,
    )
