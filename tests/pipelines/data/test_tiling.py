"""Where tiles lie, as properties of any photograph, and what is refused."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.tiling import (
    Tiling,
    asked_input_size,
    asked_tiling,
    cut_tile,
)
from pipelines.system.errors import UserError

tilings = st.builds(Tiling, st.integers(32, 120), st.floats(0, 0.9))
sides = st.integers(1, 400)


def test_by_hand():
    # 0.2 of 512 px are 102, so that tiles begin 410 px apart; the last ends at the edge.
    assert Tiling(512, 0.2).shared == 102
    assert Tiling(512, 0.2).starts(4000) == [*range(0, 3488, 410), 3488]
    assert Tiling(512, 0.2).starts(512) == [0]
    assert len(Tiling(512, 0.2).corners(4000, 3000)) == 10 * 8


@given(tiling=tilings, width=sides, height=sides)
def test_every_pixel_is_covered_and_no_tile_leaves_the_photograph(tiling, width, height):
    corners = tiling.corners(width, height)
    assert len(set(corners)) == len(corners)
    seen = np.zeros((height, width), bool)
    for left, top in corners:
        assert 0 <= left <= max(0, width - tiling.size)
        assert 0 <= top <= max(0, height - tiling.size)
        seen[top : top + tiling.size, left : left + tiling.size] = True
    assert seen.all()


@given(tiling=tilings, length=sides, data=st.data())
def test_what_is_up_to_the_overlap_is_whole_in_a_tile(tiling, length, data):
    side = data.draw(st.integers(0, min(tiling.shared, length)))
    first = data.draw(st.integers(0, length - side))
    assert any(
        start <= first and first + side <= start + tiling.size for start in tiling.starts(length)
    )


@given(tiling=tilings, length=sides)
def test_neighbours_share_the_overlap_or_more(tiling, length):
    starts = tiling.starts(length)
    for one, other in itertools.pairwise(starts):
        assert one + tiling.size - other >= tiling.shared


@given(tiling=tilings, width=sides, height=sides, seed=st.integers(0, 99))
def test_tiles_put_together_are_the_photograph(tiling, width, height, seed):
    image = np.random.default_rng(seed).integers(1, 256, (height, width, 3), dtype=np.uint8)
    canvas = np.zeros((max(height, tiling.size), max(width, tiling.size), 3), np.uint8)
    for left, top in tiling.corners(width, height):
        tile = cut_tile(image, left, top, tiling.size)
        assert tile.shape == (tiling.size, tiling.size, 3)
        canvas[top : top + tiling.size, left : left + tiling.size] = tile
    assert np.array_equal(canvas[:height, :width], image)
    assert not canvas[height:].any(), "black below a small photograph"
    assert not canvas[:, width:].any()


@pytest.mark.parametrize(
    ("size", "overlap", "words"),
    [
        (31, 0.2, "tiles must be 32 px or more, not 31"),
        (512, 0.91, "overlap of tiles must be 0 to 0.9, not 0.91"),
        (512, -0.1, "overlap of tiles must be 0 to 0.9, not -0.1"),
        (512, float("nan"), "overlap of tiles must be 0 to 0.9, not nan"),
        (None, 0.2, "--overlap goes with --tiles"),
    ],
)
def test_what_is_out_of_range_is_refused(size, overlap, words):
    with pytest.raises(UserError, match=words):
        asked_tiling(size, overlap)


def test_options_left_out_have_defaults():
    assert asked_tiling(None, None) is None
    assert asked_tiling(512, None) == Tiling(512, 0.2)
    assert asked_tiling(512, 0) == Tiling(512, 0)
    assert asked_input_size(None, None) == 512
    assert asked_input_size(None, Tiling(640)) == 640
    assert asked_input_size(256, None) == 256
    assert asked_input_size(256, Tiling(512)) == 256
