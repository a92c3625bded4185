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


@dataclass(frozen=True)
class MosaicSource:
    """Mosaics of 2·tile x 2·tile pixels.

    groups[m] are the positions in `source` that mosaic m shows: top left, top right, bottom left,
    bottom right. Each is stretched to tile x tile.
    """

    split: CocoSplit
    source: ImageSource
    groups: tuple[Group, ...]
    tile: int

    def image(self, index: int) -> NDArray[np.uint8]:
        """Compose mosaic `index`: uint8 (2·tile, 2·tile, 3); its four images are decoded anew."""
        canvas = np.empty((2 * self.tile, 2 * self.tile, 3), np.uint8)
        for position, member in enumerate(self.groups[index]):
            left, top = corner(position, self.tile)
            pixels = resize_image(self.source.image(member), self.tile, self.tile)
            canvas[top : top + self.tile, left : left + self.tile] = pixels
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
    report: Callable[[str], None] = note,
) -> MosaicSource:
    """Group the images of `source`, taken in this order, by four into mosaics.

    order: positions in source.split.images without repeats; see seeded_order. What is left over
    at its end when not divisible by four is dropped, and reported.

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
    return MosaicSource(_mosaic_split(source.split, groups, tile), source, groups, tile)


def corner(position: int, tile: int) -> tuple[int, int]:
    """Left and top pixel of a tile: position 0 to 3, row by row."""
    return tile * (position % 2), tile * (position // 2)


def _mosaic_split(split: CocoSplit, groups: Sequence[Group], tile: int) -> CocoSplit:
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
                        bbox=_into_tile(old.bbox, record, position, tile),
                        iscrowd=old.iscrowd,
                        area=old.area * (tile / record.width) * (tile / record.height),
                    )
                )
    return CocoSplit(images, split.categories, tuple(annotations))


def _into_tile(bbox: Box, record: ImageRecord, position: int, tile: int) -> Box:
    left, top = corner(position, tile)
    x, y, width, height = bbox
    return (
        left + x * tile / record.width,
        top + y * tile / record.height,
        width * tile / record.width,
        height * tile / record.height,
    )
