"""Overlaps by hand, and against every anchor of the grid."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torchvision.ops import box_convert, box_iou

from method.anchors import anchor_grid
from method.coverage import best_overlaps


def test_overlap_by_hand():
    # Stride 16, anchor 16: cells tile the image. The first box is a cell; the second lies half a
    # cell to the right of one: 128 / (256 + 256 - 128) = 1/3.
    boxes = torch.tensor([[16.0, 32.0, 32.0, 48.0], [24.0, 32.0, 40.0, 48.0]])
    assert best_overlaps(boxes, [16.0], [16], 64).tolist() == pytest.approx([1, 1 / 3])


def test_overlap_with_a_wide_anchor_by_hand():
    # 32x8 on the centre of a cell. The square shares 16x8 with it: 128 / (256 + 256 - 128) = 1/3.
    boxes = torch.tensor([[8.0, 20.0, 40.0, 28.0]])
    assert best_overlaps(boxes, [16.0], [16], 64).tolist() == pytest.approx([1 / 3])
    assert best_overlaps(boxes, [16.0], [16], 64, [4.0]).tolist() == pytest.approx([1])
    assert best_overlaps(boxes, [16.0], [16], 64, [0.25, 1.0, 4.0]).tolist() == pytest.approx([1])


@settings(max_examples=60)
@given(
    st.integers(0, 10_000),
    st.floats(8, 120),
    st.lists(st.floats(0.1, 10), min_size=1, max_size=4),
)
def test_overlap_equals_the_best_of_all_anchors(seed, largest, ratios):
    generator = torch.Generator().manual_seed(seed)
    extent = 2 + (largest - 2) * torch.rand(20, 2, generator=generator)
    corner = torch.rand(20, 2, generator=generator) * (128 - extent)
    boxes = torch.cat([corner, corner + extent], dim=1)
    sides, strides = [12.0, 40.0], [8, 16]
    grids = [
        anchor_grid((128 // stride,) * 2, stride, side, ratios)
        for side, stride in zip(sides, strides, strict=True)
    ]
    anchors = box_convert(torch.cat(grids), "cxcywh", "xyxy")
    expected = box_iou(boxes, anchors).max(dim=1).values
    found = best_overlaps(boxes, sides, strides, 128, ratios)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
