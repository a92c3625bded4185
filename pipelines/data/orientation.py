"""Photographs that the camera tagged as turned, and boxes that were drawn without regard to it.

A photograph is seen as viewers show it, with its EXIF orientation applied: in training, in scoring
and by `predict`. Boxes lie on it so, unless the recorded width and height are those of the stored
pixels: then the tool that drew them passes the tag over, and the boxes are turned with the pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipelines.data.formats.image_files import ImageHeader, read_header
from pipelines.data.records import Annotation, Box, CocoSplit, ImageRecord
from pipelines.data.sources import FolderSource
from pipelines.system.errors import UserError


def turned_upright(
    sources: dict[str, FolderSource], label: str, report: Callable[[str], None]
) -> dict[str, FolderSource]:
    """The splits with sizes and boxes of the photographs as viewers show them.

    A tag that does not show in the size, of a half turn or a mirror, is passed over by the tool if
    it passes over all those that show.

    Args:
        sources: the splits as recorded.
        label: names the data set in the report.
        report: told how many photographs' boxes were turned.
    """
    tagged = {
        (name, image.id): header
        for name, source in sources.items()
        for image in source.split.images
        if (header := _header(source, image)) and header.orientation > 1
    }
    showing = {key: header for key, header in tagged.items() if header.stored != header.upright}
    recorded = {
        (name, image.id): (image.width, image.height)
        for name, source in sources.items()
        for image in source.split.images
    }
    as_stored = {key for key, header in showing.items() if recorded[key] == header.stored}
    if not as_stored:
        return sources
    if as_stored == set(showing):
        as_stored = set(tagged)
    report(
        f"{label}: the sizes of {len(as_stored)} photographs pass over their EXIF orientation, "
        "so their boxes are turned with them"
    )
    return {
        name: replace(
            source,
            split=_turned(source.split, {i: tagged[n, i] for n, i in as_stored if n == name}),
        )
        for name, source in sources.items()
    }


def turned_box(bbox: Box, size: tuple[int, int], orientation: int) -> Box:
    """A box (x, y, width, height) of the stored image in the frame of the upright one.

    Args:
        bbox: in pixels of the stored image.
        size: width and height of the stored image, pixels.
        orientation: EXIF's, from 1 to 8.
    """
    x, y, width, height = bbox
    if orientation in (2, 3, 7, 8):
        x = size[0] - x - width
    if orientation in (3, 4, 6, 7):
        y = size[1] - y - height
    return (y, x, height, width) if orientation >= 5 else (x, y, width, height)


def _header(source: FolderSource, image: ImageRecord) -> ImageHeader | None:
    try:
        return read_header(source.image_dir / image.file_name)
    except UserError:  # the photograph is refused, with its name, where it is decoded
        return None


def _turned(split: CocoSplit, headers: dict[int, ImageHeader]) -> CocoSplit:
    def image(record: ImageRecord) -> ImageRecord:
        if record.id not in headers:
            return record
        width, height = headers[record.id].upright
        return replace(record, width=width, height=height)

    def annotation(one: Annotation) -> Annotation:
        if one.image_id not in headers:
            return one
        header = headers[one.image_id]
        return replace(one, bbox=turned_box(one.bbox, header.stored, header.orientation))

    return CocoSplit(
        tuple(image(record) for record in split.images),
        split.categories,
        tuple(annotation(one) for one in split.annotations),
    )
