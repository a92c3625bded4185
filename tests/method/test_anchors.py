"""Anchor grids by hand, and what holds of every grid."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from method.anchors import anchor_grid, cell_centres


def test_a_grid_of_2_by_3_cells_by_hand():
    assert anchor_grid((2, 3), 16, 20).tolist() == [
        [8, 8, 20, 20],
        [24, 8, 20, 20],
        [40, 8, 20, 20],
        [8, 24, 20, 20],
        [24, 24, 20, 20],
        [40, 24, 20, 20],
    ]


def test_the_ratios_of_a_cell_lie_together_and_keep_the_area():
    # Width over height 4 and 1/4 of a square of 20: 40×10 and 10×40.
    grid = anchor_grid((1, 2), 8, 20, (1.0, 4.0, 0.25))
    assert grid.tolist() == [
        [4, 4, 20, 20],
        [4, 4, 40, 10],
        [4, 4, 10, 40],
        [12, 4, 20, 20],
        [12, 4, 40, 10],
        [12, 4, 10, 40],
    ]


@given(
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from([8, 16, 32, 64]),
    st.floats(5, 300),
    st.lists(st.floats(0.1, 10), min_size=1, max_size=4),
)
def test_every_cell_has_one_anchor_a_ratio_of_the_asked_area_and_shape(cells, stride, side, ratios):
    rows, columns = cells
    grid = anchor_grid(cells, stride, side, ratios)
    by_cell = grid.view(rows, columns, len(ratios), 4)
    for row in range(rows):
        for column in range(columns):
            centres = by_cell[row, column, :, :2]
            assert (centres == torch.tensor([column + 0.5, row + 0.5]) * stride).all()
    shape = by_cell[..., 2] / by_cell[..., 3]
    assert shape[-1, -1].tolist() == pytest.approx(ratios, rel=1e-5)
    assert by_cell[..., 2:].prod(dim=-1).flatten().tolist() == pytest.approx(
        [side**2] * len(grid), rel=1e-5
    )


def test_centres_go_row_by_row():
    assert cell_centres(2, 2, 32).tolist() == [[16, 16], [48, 16], [16, 48], [48, 48]]
