"""Large images cut into overlapping square tiles, as a source of images like any other."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pipelines.data.records import Annotation, Box, CocoSplit, ImageRecord
from pipelines.data.sources import ImageSource
from pipelines.data.tiling import cut_tile, starts
from pipelines.system.errors import UserError, note

SMALLEST_PART = 1.0
"""Cut-off parts of objects with a side of fewer pixels are not kept."""
GREY = 127
"""Of what is painted over."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A tile's place: its image's position in the source, and its left and top pixel there."""

    member: int
    left: int
    top: int


Piece = tuple[Tile, list[Annotation]]
"""A tile, and the objects and ignored regions in it, with the ids that they have in the source."""


@dataclass
class TiledSource:
    """Tiles of size x size pixels; tiles[t] is where split.images[t] lies.

    hidden[t] are parts of objects that are painted over in tile t, but for what kept objects cover.
    """

    split: CocoSplit
    source: ImageSource
    tiles: tuple[Tile, ...]
    size: int
    hidden: Mapping[int, Sequence[Box]] = field(default_factory=dict)
    _decoded: tuple[int, NDArray[np.uint8]] | None = field(
        default=None, init=False, repr=False, compare=False
    )

    def image(self, index: int) -> NDArray[np.uint8]:
        """Cut tile `index`: uint8 (size, size, 3), black where it is larger than its image.

        The image that was decoded last is kept: one after the other, its tiles decode it once.
        """
        tile = self.tiles[index]
        pixels = cut_tile(self._source_image(tile.member), tile.left, tile.top, self.size)
        if hidden := self.hidden.get(index):
            kept = [a.bbox for a in self._by_tile[index] if not a.iscrowd]
            _paint_over(pixels, hidden, kept)
        return pixels

    @cached_property
    def _by_tile(self) -> tuple[tuple[Annotation, ...], ...]:
        return self.split.annotations_by_image()

    def _source_image(self, member: int) -> NDArray[np.uint8]:
        if self._decoded is None or self._decoded[0] != member:
            self._decoded = None  # frees its memory before the next image is decoded
            self._decoded = member, self.source.image(member)
        return self._decoded[1]


def tiled(
    source: ImageSource,
    size: int,
    overlap: int,
    *,
    least_share: float = 0.7,
    most_empty: float = math.inf,
    hide_parts: bool = False,
    report: Callable[[str], None] = note,
) -> TiledSource:
    """Cut each image into size x size tiles that share `overlap` pixels with their neighbours.

    Tiles go row by row, where `tiling.starts` puts them; an image smaller than a tile is padded at
    the right and the bottom. So every pixel is in a tile, and every object of sides up to `overlap`
    is whole in at least one.

    An object of which at least `least_share` (above 0, up to 1) of the box's area lies in a tile
    belongs to it, with its box clipped: in overlaps, to more than one. A smaller part becomes an
    ignored region (iscrowd = 1), so that half an object is neither learnt as one nor a mistake
    where it is found; parts of less than SMALLEST_PART a side are left out. Regions that are
    ignored in the source stay so. Areas are cut in proportion.

    most_empty: tiles to which no object belongs that are kept, evenly spread, as a multiple of
        those with objects.
    hide_parts: paint smaller parts over, so that no detector learns them as background either.

    What was cut is reported. Raises UserError if a parameter is out of range or no object belongs
    to any tile.
    """
    if size < 1 or not 0 <= overlap < size:
        raise UserError(
            f"tiles of {size} px with an overlap of {overlap} px cannot be cut; "
            "give a size from 1 and an overlap from 0 to below the size"
        )
    if not 0 < least_share <= 1:
        raise UserError(f"least_share {least_share} is not a share above 0 up to 1")
    single = {a.id for a in source.split.annotations if not a.iscrowd}
    pieces = list(_pieces(source.split, size, overlap, least_share))
    belonging = {a.id for _, cut in pieces for a in cut if not a.iscrowd}
    if single and not belonging:
        raise UserError(
            f"no object belongs to a tile of {size} px by {least_share} of its area; "
            "give larger tiles or a smaller least_share"
        )
    kept, empty = _without_most_empty(pieces, most_empty)
    report(
        f"{len(kept)} tiles of {len(source.split.images)} images; "
        f"kept {len(kept) - len(pieces) + empty} of {empty} without an object; "
        f"{len(single) - len(belonging)} of {len(single)} objects belong to no tile"
    )
    hidden = {
        index: parts
        for index, (_, cut) in enumerate(kept)
        if hide_parts and (parts := [a.bbox for a in cut if a.iscrowd and a.id in single])
    }
    tiles = tuple(tile for tile, _ in kept)
    return TiledSource(_tiles_split(source.split, kept, size), source, tiles, size, hidden)


def _without_most_empty(pieces: Sequence[Piece], most_empty: float) -> tuple[list[Piece], int]:
    """The pieces that stay, in order, and how many there were without an object."""
    empty = [k for k, (_, cut) in enumerate(pieces) if all(a.iscrowd for a in cut)]
    allowed = most_empty * (len(pieces) - len(empty))
    if len(empty) <= allowed:
        return list(pieces), len(empty)
    spread = np.linspace(0, len(empty) - 1, int(allowed)).round().astype(int)
    dropped = set(empty) - {empty[k] for k in spread}
    return [piece for k, piece in enumerate(pieces) if k not in dropped], len(empty)


def _pieces(split: CocoSplit, size: int, overlap: int, least_share: float) -> Iterator[Piece]:
    """All tiles of all images, with the objects and ignored regions in them."""
    for member, objects in enumerate(split.annotations_by_image()):
        record = split.images[member]
        corners = _corners(objects)
        for top in starts(record.height, size, overlap):
            for left in starts(record.width, size, overlap):
                tile = Tile(member, left, top)
                yield tile, _cut(objects, corners, tile, size, least_share)


def _corners(objects: Sequence[Annotation]) -> NDArray[np.float64]:
    """Left top and right bottom corners: (n, 2, 2)."""
    boxes = np.array([a.bbox for a in objects], np.float64).reshape(-1, 2, 2)
    return np.cumsum(boxes, axis=1)


def _cut(
    objects: Sequence[Annotation],
    corners: NDArray[np.float64],
    tile: Tile,
    size: int,
    least_share: float,
) -> list[Annotation]:
    """What of the objects is in a tile, in its frame, by the rule in `tiled`; ids are kept."""
    framed = corners - (tile.left, tile.top)
    inside = framed.clip(0, size)
    sides = inside[:, 1] - inside[:, 0]
    shares = sides.prod(axis=1) / (framed[:, 1] - framed[:, 0]).prod(axis=1)
    belongs = shares >= least_share
    return [
        replace(
            objects[k],
            bbox=(*inside[k, 0].tolist(), *sides[k].tolist()),
            iscrowd=objects[k].iscrowd if belongs[k] else 1,
            area=objects[k].area * shares[k].item(),
        )
        for k in np.flatnonzero(belongs | (sides.min(axis=1) >= SMALLEST_PART))
    ]


def _tiles_split(split: CocoSplit, pieces: Sequence[Piece], size: int) -> CocoSplit:
    images: list[ImageRecord] = []
    annotations: list[Annotation] = []
    for number, (tile, cut) in enumerate(pieces, start=1):
        file_name = f"{split.images[tile.member].file_name}@{tile.left},{tile.top}"
        images.append(ImageRecord(number, file_name, size, size))
        for annotation in cut:
            new_id = len(annotations) + 1
            annotations.append(replace(annotation, id=new_id, image_id=number))
    return CocoSplit(tuple(images), split.categories, tuple(annotations))


def _paint_over(pixels: NDArray[np.uint8], hidden: Sequence[Box], kept: Sequence[Box]) -> None:
    """Make the hidden boxes grey, but for pixels of the kept ones."""
    covered = np.zeros(pixels.shape[:2], bool)
    for value, boxes in ((True, hidden), (False, kept)):
        for x, y, width, height in boxes:
            rows = slice(math.floor(y), math.ceil(y + height))
            covered[rows, math.floor(x) : math.ceil(x + width)] = value
    pixels[covered] = GREY
