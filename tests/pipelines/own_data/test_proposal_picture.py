"""The lines of the picture stand at the anchors that are proposed."""

import pytest
import torch

from method.adaptation import rank_candidates
from pipelines.own_data.proposal_picture import draw


def places(axes):
    """Where the upright lines stand."""
    return [line.get_xdata()[0] for line in axes.lines]


@pytest.mark.parametrize("ratios", [(1.0,), (0.5, 1.0, 2.0), (0.1, 10.0)])
def test_anchors_and_shapes_are_lines(ratios):
    boxes = torch.tensor([[10.0, 10.0, 70.0, 40.0], [80.0, 90.0, 110.0, 150.0]])
    sizes = torch.tensor([47.0, 47.0])
    (best,) = rank_candidates(boxes, sizes, 512, (5, 8), (25.0, 38.0, 58.0, 87.0), ratios)
    figure = draw(best, boxes, sizes, 512)
    size_axes, shape_axes, overlap_axes, _ = figure.axes
    assert places(size_axes) == list(best.anchors)
    assert places(shape_axes) == list(ratios)
    low, high = shape_axes.get_xlim()
    assert all(low <= ratio <= high for ratio in ratios)
    assert sum(bar.get_height() for bar in shape_axes.containers[0]) == len(boxes)
    assert f"{best.recall:.1%} matched" in overlap_axes.get_title()
