"""Sizes and A-scores by hand, and the paper's own A-scores from its own fields."""

from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st

from method.scale import A_SCORE_RANGE, a_scores, equal_square_side, relative_sizes

PAPER = Path(__file__).parents[2] / "papers" / "scale-aware-ssd.yaml"
SIDES = st.floats(1, 2000)


def test_sizes_by_hand():
    # Diagonals 50 and 130 in images of diagonal 500 and 1300, 20 and 500: 10 %, 10 % and 4 %.
    boxes = torch.tensor([[10.0, 20, 40, 60], [0, 0, 120, 50], [5, 5, 17, 21]])
    images = torch.tensor([[300, 400], [1200, 500], [300, 400]])
    assert relative_sizes(boxes, images).tolist() == pytest.approx([10, 10, 4])


def test_a_relative_size_is_a_side_in_pixels_of_the_input():
    # A tenth of 512 and of 256 pixels.
    assert equal_square_side(torch.tensor([10.0])).tolist() == pytest.approx([51.2])
    assert equal_square_side(torch.tensor([10.0]), 256).tolist() == pytest.approx([25.6])


@given(SIDES, SIDES, SIDES, st.floats(0.01, 100))
def test_enlarging_a_photograph_changes_no_size(width, height, side, factor):
    box = torch.tensor([[0.0, 0, side, side]], dtype=torch.float64)
    image = torch.tensor([[width, height]], dtype=torch.float64)
    before, after = relative_sizes(box, image), relative_sizes(box * factor, image * factor)
    assert after.item() == pytest.approx(before.item())


@given(st.floats(1, 100), st.integers(32, 2048))
def test_the_equal_square_has_the_relative_size_that_it_stands_for(percent, side):
    square = equal_square_side(torch.tensor([percent], dtype=torch.float64), side).item()
    box = torch.tensor([[0, 0, square, square]], dtype=torch.float64)
    assert relative_sizes(box, torch.tensor([[side, side]])).item() == pytest.approx(percent)


@pytest.mark.parametrize("attachment", ["original", "custom"])
def test_a_scores_are_the_paper_s(attachment):
    table = yaml.safe_load(PAPER.read_text())["tables"]["table2"]
    published = table[attachment]
    scores = a_scores(published["fields"], table["anchors"])
    assert [round(score, 1) for score in scores] == published["a_scores"]
    mean = sum(scores) / len(scores)
    assert round(mean, 1) == published["mean"]
    assert (A_SCORE_RANGE[0] <= mean <= A_SCORE_RANGE[1]) is (attachment == "custom")


def test_every_head_needs_its_anchor():
    with pytest.raises(ValueError, match="4 heads but 3 anchor sizes"):
        a_scores([43, 107, 139, 203], [25, 38, 58])
