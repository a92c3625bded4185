"""Rules on pixels: images that are given twice, of one colour, or grey among colour images."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageStat

from pipelines.data.images import resize_image
from pipelines.data.sources import ImageSource
from pipelines.own_data.inspection.kinds import MOST_EXAMPLES, Example, Kind, Suspicion
from pipelines.own_data.inspection.wording import out_of, percent
from pipelines.system.bars import progress_bar

NEAR_BITS = 4
"""Of 64 bits of the difference hash, how many nearly identical images differ in at most."""
NEAR_LEVELS = 6.0
"""Of 255, the largest mean absolute difference of their thumbnails."""
ONE_COLOUR = 2.0
"""Standard deviation of every channel, of 255, below which an image shows nothing."""
GREY = 1.0
"""Of 255, the mean distance of a thumbnail's largest from its smallest channel in grey images."""
THUMBNAIL = 32
"""Side of the thumbnails, pixels."""
_ROWS = 256
"""Images that are held against all others at once."""


@dataclass(frozen=True)
class Fingerprints:
    """What is kept of the pixels of N images, one split after the other."""

    images: Sequence[Example]
    digests: Sequence[bytes]
    """SHA-256 of size and pixels."""
    bits: NDArray[np.float32]
    """N×64, the difference hash as -1 and 1."""
    thumbnails: NDArray[np.uint8]
    """N×32×32×3."""
    constant: NDArray[np.bool_]
    """Of one colour."""
    grey: NDArray[np.bool_]
    """Grey, and not of one colour."""


def read_fingerprints(sources: Mapping[str, ImageSource], *, progress: bool = True) -> Fingerprints:
    """Decode every image once.

    Args:
        sources: split to source.
        progress: show a bar on stderr.

    Raises:
        UserError: an image cannot be had.
    """
    places = [
        (source, i, Example(split, record.file_name))
        for split, source in sources.items()
        for i, record in enumerate(source.split.images)
    ]
    digests, thumbnails, deviations = [], [], []
    for source, i, _ in progress_bar(places, desc="inspect", unit="image", disable=not progress):
        pixels = source.image(i)
        digests.append(hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest())
        thumbnails.append(resize_image(pixels, THUMBNAIL, THUMBNAIL))
        deviations.append(max(ImageStat.Stat(Image.fromarray(pixels)).stddev))
    constant = np.array(deviations) < ONE_COLOUR
    small = np.array(thumbnails, np.uint8).reshape(-1, THUMBNAIL, THUMBNAIL, 3)
    return Fingerprints(
        [image for _, _, image in places],
        digests,
        np.array([difference_hash(own) for own in small], np.float32).reshape(-1, 64),
        small,
        constant,
        ~constant & (np.ptp(small, axis=3).mean(axis=(1, 2)) < GREY),
    )


def repeated_images(prints: Fingerprints) -> list[Suspicion]:
    """Images that are there twice, in one split or in two.

    Identical: the same pixels. Nearly identical: difference hashes at most NEAR_BITS apart, and
    thumbnails NEAR_LEVELS. Images of one colour are left aside. What test shares with train makes
    its figures too good.
    """
    shown = np.flatnonzero(~prints.constant)
    groups: dict[tuple[str, str, bool], list[tuple[int, int]]] = defaultdict(list)
    for i, j in shown[near_pairs(prints.bits[shown], prints.thumbnails[shown])].tolist():
        identical = prints.digests[i] == prints.digests[j]
        groups[prints.images[i].split, prints.images[j].split, identical].append((i, j))
    return [_suspect_pairs(prints, pairs, identical) for (_, _, identical), pairs in groups.items()]


def constant_images(prints: Fingerprints) -> list[Suspicion]:
    """Images that are black or of another single colour: no channel deviates by ONE_COLOUR."""
    return _suspect(prints, prints.constant, Kind.CONSTANT_IMAGE, "black or of another one colour")


def grey_images(prints: Fingerprints) -> list[Suspicion]:
    """Grey images of a data set most of whose images are in colour."""
    share = prints.grey.mean() if len(prints.images) else 0
    if share >= 0.5:
        return []
    return _suspect(
        prints, prints.grey, Kind.GREY_IMAGE, f"grey; {percent(1 - share)} of all are in colour"
    )


def difference_hash(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """64 values: 1 where the image, reduced to 9×8 pixels, is brighter to the right, else -1.

    Little changes when an image is scaled, compressed or brightened (Krawetz, 2013).
    """
    grey = resize_image(pixels, 9, 8).mean(axis=2)
    return np.where(np.diff(grey, axis=1) > 0, 1, -1).ravel().astype(np.float32)


def near_pairs(bits: NDArray[np.float32], thumbnails: NDArray[np.uint8]) -> NDArray[np.int64]:
    """P×2 positions of nearly identical images, the earlier first.

    Args:
        bits: N×64 of -1 and 1: the product of two rows is 64 less twice the bits that differ.
        thumbnails: N×32×32×3.
    """
    found = []
    for start in range(0, len(bits), _ROWS):
        alike = bits[start : start + _ROWS] @ bits[start:].T >= 64 - 2 * NEAR_BITS
        for i, j in start + np.argwhere(np.triu(alike, 1)):
            difference = np.abs(thumbnails[i].astype(np.int16) - thumbnails[j]).mean()
            if difference <= NEAR_LEVELS:
                found.append((i, j))
    return np.array(found, np.int64).reshape(-1, 2)


def _suspect_pairs(
    prints: Fingerprints, pairs: Sequence[tuple[int, int]], identical: bool
) -> Suspicion:
    """A suspicion about pairs of one split with one other, or with itself."""
    first, second = (prints.images[i].split for i in pairs[0])
    total = sum(image.split == second for image in prints.images)
    count = len({later for _, later in pairs})
    alike = "the same, pixel for pixel, as" if identical else "nearly the same as"
    if first == second:
        kind = Kind.REPEATED_IMAGE if identical else Kind.NEARLY_REPEATED_IMAGE
        split, other = first, "an earlier one"
    else:
        kind = Kind.LEAKED_IMAGE if identical else Kind.NEARLY_LEAKED_IMAGE
        split, other = f"{first}, {second}", f"one of {first}"
    sentence = f"{out_of(count, total, f'{second} images')}: {alike} {other}"
    examples = [prints.images[i] for pair in pairs[: MOST_EXAMPLES // 2] for i in pair]
    return Suspicion(kind, split, sentence, count, examples)


def _suspect(
    prints: Fingerprints, suspect: NDArray[np.bool_], kind: Kind, what: str
) -> list[Suspicion]:
    """A suspicion about these images of each split that has some."""
    totals = Counter(image.split for image in prints.images)
    groups: dict[str, list[Example]] = defaultdict(list)
    for i in np.flatnonzero(suspect):
        groups[prints.images[i].split].append(prints.images[i])
    return [
        Suspicion(
            kind,
            split,
            f"{out_of(len(found), totals[split], 'images')}: {what}",
            len(found),
            found[:MOST_EXAMPLES],
        )
        for split, found in groups.items()
    ]
