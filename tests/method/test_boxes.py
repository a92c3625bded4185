"""Coding by hand, there and back, and against torchvision."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.detection._utils import BoxCoder
from torchvision.ops import box_convert, box_iou

from method.boxes import BoxCoding, decode, encode, paired_iou, whole_pixels

ORACLE = BoxCoder((10.0, 10.0, 5.0, 5.0))
PLACES, SIDES = st.floats(-100, 700, width=32), st.floats(1, 600, width=32)
CENTRED = st.tuples(PLACES, PLACES, SIDES, SIDES)


def corners(centred: torch.Tensor) -> torch.Tensor:
    return box_convert(centred, "cxcywh", "xyxy")


# Anchor 20×10 at (10, 20), so with its corner at (0, 15); box 30×20 with its corner at (5, 10).
@pytest.mark.parametrize(
    ("coding", "expected"),
    [
        # Centre (20, 20): 10 / 20 and 0 / 10.
        (BoxCoding.SSD_UNSCALED, [0.5, 0, 0.405465, 0.693147]),  # ln 1.5, ln 2
        (BoxCoding.SSD, [5, 0, 2.027326, 3.465736]),  # over 0.1 and 0.2
        (BoxCoding.CORNER, [0.25, -0.5, 1.5, 2]),  # 5 / 20, −5 / 10, 30 / 20, 20 / 10
    ],
)
def test_offsets_by_hand(coding, expected):
    box, anchor = torch.tensor([5.0, 10, 35, 30]), torch.tensor([10.0, 20, 20, 10])
    assert encode(box, anchor, coding).tolist() == pytest.approx(expected, abs=1e-5)
    assert decode(torch.tensor(expected), anchor, coding).tolist() == pytest.approx(
        box.tolist(), abs=1e-4
    )


@given(CENTRED, CENTRED, st.sampled_from(BoxCoding))
def test_decoding_undoes_encoding(box, anchor, coding):
    anchor = torch.tensor([anchor], dtype=torch.float64)
    # A side beyond 62 anchors is cut on purpose.
    sides = torch.minimum(torch.tensor([box[2:]], dtype=torch.float64), 62 * anchor[:, 2:])
    xyxy = corners(torch.cat([torch.tensor([box[:2]], dtype=torch.float64), sides], dim=1))
    again = decode(encode(xyxy, anchor, coding), anchor, coding)
    torch.testing.assert_close(again, xyxy, rtol=1e-9, atol=1e-8)


@given(CENTRED, CENTRED)
def test_ssd_s_coding_is_torchvision_s(box, anchor):
    box, anchor = (torch.tensor([b], dtype=torch.float64) for b in (box, anchor))
    expected = ORACLE.encode_single(corners(box), corners(anchor))
    torch.testing.assert_close(encode(corners(box), anchor), expected)


@given(st.tuples(*[st.floats(-15, 15)] * 4), CENTRED)
def test_ssd_s_decoding_is_torchvision_s(offsets, anchor):
    offsets, anchor = (torch.tensor([v], dtype=torch.float64) for v in (offsets, anchor))
    expected = ORACLE.decode_single(offsets, corners(anchor))
    torch.testing.assert_close(decode(offsets, anchor), expected)


@pytest.mark.parametrize("coding", [BoxCoding.SSD, BoxCoding.SSD_UNSCALED])
def test_a_wild_offset_gives_a_large_box_and_no_infinite_one(coding):
    anchor = torch.tensor([100.0, 100, 10, 20])
    box = decode(torch.tensor([0.0, 0, 1e4, 1e4]), anchor, coding)
    sides = (box[2:] - box[:2]).tolist()
    assert sides == pytest.approx([625, 1250], rel=1e-2)  # 62.5 anchors, as in torchvision


def test_boxes_of_a_batch_are_coded_like_single_ones():
    anchors = torch.tensor([[10.0, 20, 20, 10], [50, 40, 30, 30]])
    offsets = torch.tensor([[[0.1, 0.2, 0.3, 0.4]] * 2, [[-1.0, 0, 1, -1]] * 2])
    boxes = decode(offsets, anchors)
    for image, anchor in ((0, 0), (0, 1), (1, 0), (1, 1)):
        alone = decode(offsets[image, anchor], anchors[anchor])
        torch.testing.assert_close(boxes[image, anchor], alone)
    torch.testing.assert_close(encode(boxes, anchors.expand(2, 2, 4)), offsets)


def test_corner_and_sides_are_cut_to_whole_pixels_and_a_side_is_left():
    # Of sides 6 and 7.79, then 0.7 and 0.8. The first is cut on the right more than its edge alone.
    boxes = torch.tensor([[1.75, 2.2, 7.75, 9.99], [3.1, 3.1, 3.8, 3.9]])
    assert whole_pixels(boxes).tolist() == [[1, 2, 7, 9], [3, 3, 4, 4]]
    assert whole_pixels(torch.tensor([1.9, 0, 8.1, 8])).tolist() == [1, 0, 7, 8]


def test_iou_pair_by_pair_is_the_diagonal_of_torchvision_s():
    generator = torch.Generator().manual_seed(0)
    corners = torch.rand((2, 50, 2), generator=generator) * 40
    one, other = torch.cat([corners, corners + 1 + 30 * torch.rand((2, 50, 2))], dim=2)
    torch.testing.assert_close(paired_iou(one, other), box_iou(one, other).diagonal())
