"""Data of each kind: what the SSD reaches, and what is the better choice where it does not."""

import math

import pytest
import torch

from method.adaptation import Candidate, rank_candidates
from pipelines.own_data.reach import beyond_reach, cost

ROUND, CARS, CELLS, SIGNS = (1.0,), (1 / 3, 1 / 2, 2.0, 3.0), (0.8, 1.0, 1.25), (0.8, 1.0)
SIZE = 512


def drawn(least, most, ratios, count=300):
    """Boxes of sides from `least` to `most` px, even on a logarithmic scale, and their sizes."""
    generator = torch.Generator().manual_seed(0)
    share = torch.rand(count, generator=generator)
    side = torch.exp(math.log(least) + share * math.log(most / least))
    ratio = torch.tensor(ratios)[torch.randint(len(ratios), (count,), generator=generator)]
    extent = side[:, None] * torch.stack([ratio.sqrt(), ratio.rsqrt()], dim=1)
    corner = torch.rand(count, 2, generator=generator) * (SIZE - extent).clamp(min=0)
    sizes = torch.linalg.vector_norm(extent, dim=1) / 2**0.5
    return torch.cat([corner, corner + extent], dim=1), sizes


def proposed(*kind):
    boxes, sizes = drawn(*kind)
    best = rank_candidates(boxes, sizes, SIZE)[0]
    return best, beyond_reach(boxes, sizes, SIZE, best)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param((25, 90, ROUND), id="round fruit"),
        pytest.param((16, 28, CARS), id="cars from above"),
        pytest.param((10, 18, CELLS), id="cells"),
    ],
)
def test_what_is_within_reach_is_reached_and_nothing_else_is_named(kind):
    best, better = proposed(*kind)
    assert best.recall >= 0.95
    assert 1.5 <= best.mean_score <= 2.5
    assert better == []


def test_of_road_signs_from_near_and_far_anchors_of_the_objects_and_a_larger_input_are_named():
    """Sixteen times as large as the smallest: four anchors that grow by 1.7 span five times."""
    best, (lapnet, larger) = proposed(10, 160, SIGNS)
    assert best.fits
    assert f"reach {best.recall:.0%} of them" in lapnet
    assert "detector=lapnet" in lapnet
    assert larger.startswith("or input_size=1024, at four times the cost")


def test_what_fills_the_picture_fits_no_head_and_a_larger_input_does_not_help():
    best, better = proposed(250, 480, ROUND)
    assert not best.fits
    assert len(better) == 1
    assert "none of its heads fit" in better[0]


def test_the_cost_is_that_of_the_paper_s_blocks_where_they_are_chosen():
    def chosen(attach, stride, ratios=ROUND):
        return Candidate(attach, (25.0, 38.0, 58.0, 87.0), ratios, (stride,), (2.0,), 1, 1, 1)

    assert cost(chosen((5, 8), 8), 128, 3).endswith(
        "an image, 1.0 times those of the paper's blocks with one anchor a cell"
    )
    finer = cost(chosen((3, 5), 4), 128, 3)
    more = cost(chosen((3, 5), 4, (0.5, 1.0, 2.0)), 128, 3)
    assert finer.startswith("heads at stride 4: ")
    times = [float(said.split(", ")[1].split()[0]) for said in (finer, more)]
    assert 1 < times[0] < times[1]
