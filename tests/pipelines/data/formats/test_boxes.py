"""Boxes over the photograph's edge: cut if less than half of them is outside."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pipelines.data.formats.boxes import BrokenBoxError, check_box
from pipelines.data.records import ImageRecord

IMAGE = ImageRecord(1, "a.png", 30, 20)


@given(x=st.integers(-40, 40), y=st.integers(-40, 40), w=st.integers(4, 60), h=st.integers(4, 60))
def test_a_box_is_cut_where_most_of_its_pixels_are_inside(x, y, w, h):
    pixels = [(i, j) for i in range(x, x + w) for j in range(y, y + h)]
    inside = [(i, j) for i, j in pixels if 0 <= i < 30 and 0 <= j < 20]
    over = max(-x, -y, x + w - 30, y + h - 20)
    assume(over > 1 or over <= 0)  # a pixel over the edge is rounding
    if 2 * len(inside) <= len(pixels):
        with pytest.raises(BrokenBoxError, match="outside image id 1"):
            check_box([x, y, w, h], IMAGE)
        return
    box = check_box([x, y, w, h], IMAGE)
    columns, rows = [i for i, _ in inside], [j for _, j in inside]
    sides = max(columns) - min(columns) + 1, max(rows) - min(rows) + 1
    assert list(box.bbox) == [min(columns), min(rows), *sides]
    assert box.over == max(over, 0)
    assert box.clipped == (over > 0)
