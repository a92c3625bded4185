"""Boxes around polygons and masks, held to pycocotools and to the pixels themselves."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from pipelines.data.formats.boxes import BrokenBoxError
from pipelines.data.formats.segmentation import extent
from pipelines.data.records import ImageRecord

IMAGE = ImageRecord(1, "a.png", 7, 5)


def record(pixels):
    return ImageRecord(1, "a.png", pixels.shape[1], pixels.shape[0])


def runs(pixels):
    """Lengths of runs down the columns, outside first."""
    flat = pixels.ravel(order="F").tolist()
    counts, value = [0], 0
    for pixel in flat:
        if pixel != value:
            counts.append(0)
            value = pixel
        counts[-1] += 1
    return counts


masks = st.tuples(st.integers(1, 70), st.integers(1, 9)).flatmap(
    lambda shape: st.lists(
        st.booleans(), min_size=shape[0] * shape[1], max_size=shape[0] * shape[1]
    ).map(lambda bits: np.array(bits, np.uint8).reshape(shape))
)


@given(pixels=masks.filter(np.any))
def test_the_box_of_a_mask_holds_its_pixels_packed_or_not(pixels):
    ys, xs = np.nonzero(pixels)
    expected = [xs.min(), ys.min(), np.ptp(xs) + 1, np.ptp(ys) + 1]
    size = list(pixels.shape)
    packed = coco_mask.encode(np.asfortranarray(pixels))["counts"].decode()
    assert extent({"size": size, "counts": runs(pixels)}, record(pixels)) == expected
    assert extent({"size": size, "counts": packed}, record(pixels)) == expected


def test_a_polygon_of_several_parts():
    assert extent([[1, 2, 6.5, 2, 3, 4], [0, 3, 1, 3, 1, 5]], IMAGE) == [0, 2, 6.5, 3]
    assert extent([1, 2, 6.5, 2, 3, 4], IMAGE) == [1, 2, 5.5, 2], "one polygon without its list"


@pytest.mark.parametrize(
    ("segmentation", "words"),
    [
        (None, "neither bbox nor segmentation"),
        ([], "neither bbox nor segmentation"),
        ([[1, 2, 3, 4]], "which is not x1 y1 x2 y2 x3 y3"),
        ([[1, 2, 3, 4, 5, 6, 7]], "which is not x1 y1"),
        ([[1, 2, 3, 4, 5, "6"]], "which is not x1 y1"),
        ([{"counts": [35]}], "which is not x1 y1"),
        ({"size": [7, 5], "counts": [35]}, r"a mask of size \[7, 5\], not the image's \[5, 7\]"),
        ({"size": [5, 7], "counts": [34]}, "do not cover its pixels once each"),
        ({"size": [5, 7], "counts": [-1, 36]}, "do not cover"),
        ({"size": [5, 7], "counts": [3.5, 31.5]}, "do not cover"),
        ({"size": [5, 7], "counts": "~~"}, "do not cover"),
        ({"size": [5, 7], "counts": "o" * 99}, "do not cover"),
        ({"size": [5, 7]}, "do not cover"),
        ({"size": [5, 7], "counts": [35]}, "has an empty mask"),
    ],
)
def test_what_is_no_outline_is_a_broken_box(segmentation, words):
    with pytest.raises(BrokenBoxError, match=words):
        extent(segmentation, IMAGE)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 40) | st.floats() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=12,
)


@given(
    segmentation=JUNK
    | st.fixed_dictionaries(
        {"size": st.just([5, 7]), "counts": st.lists(st.integers(0, 35)) | st.text()}
    )
)
def test_whatever_the_segmentation_holds_it_is_a_box_or_broken(segmentation):
    try:
        box = extent(segmentation, IMAGE)
    except BrokenBoxError:
        return
    assert len(box) == 4
