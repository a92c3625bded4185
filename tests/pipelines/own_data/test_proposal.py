"""What is said of a proposal."""

from dataclasses import replace

import torch

from method.adaptation import rank_candidates
from pipelines.own_data.proposal import Proposal, candidate_table

ROUND, BOTH_WAYS = (1.0,), (1 / 3, 1 / 2, 2.0, 3.0)


def drawn(ratios, count=200):
    """Objects of 24 to 60 px in these ratios of width to height, and their sizes."""
    generator = torch.Generator().manual_seed(0)
    sides = 24 + 36 * torch.rand(count, generator=generator)
    ratio = torch.tensor(ratios).repeat(count)[:count]
    extent = sides[:, None] * torch.stack([ratio.sqrt(), ratio.rsqrt()], dim=1)
    corner = torch.rand(count, 2, generator=generator) * (512 - extent)
    sizes = torch.linalg.vector_norm(extent, dim=1) / 2**0.5
    return torch.cat([corner, corner + extent], dim=1), sizes


def proposed(boxes, sizes, **given):
    ranked = rank_candidates(boxes, sizes, 512, **given)
    return Proposal(512, ("object",), (len(boxes),), boxes, sizes, (1.0,), tuple(ranked))


def test_huge_objects_are_said_to_fit_nothing():
    boxes = torch.tensor([[0.0, 0.0, 500.0, 500.0]] * 20)
    sizes = torch.full((20,), 500.0)
    ranked = rank_candidates(boxes, sizes, 512)
    huge = Proposal(512, ("object",), (20,), boxes, sizes, (1.0,), tuple(ranked))
    assert any("nothing fits at input size 512" in reason for reason in huge.reasons)
    assert any("take a smaller input size" in reason for reason in huge.reasons)


def test_tiny_objects_ask_for_a_larger_input():
    boxes = torch.tensor([[8.0, 8.0, 10.0, 10.0]] * 20)
    sizes = torch.full((20,), 2.0)
    ranked = rank_candidates(boxes, sizes, 512)
    tiny = Proposal(512, ("object",), (20,), boxes, sizes, (1.0,), tuple(ranked))
    assert any("take a larger input size" in reason for reason in tiny.reasons)


def test_recall_that_is_given_up_is_said():
    proposal = proposed(*drawn(ROUND))
    first = proposal.chosen
    said = replace(
        proposal, candidates=(replace(first, recall=0.95), replace(first, recall=1.0))
    ).reasons
    assert any("would reach 100.0%" in reason for reason in said)
    assert not any("would reach" in reason for reason in proposal.reasons)


def test_round_objects_are_said_to_do_with_the_square():
    (said,) = (r for r in proposed(*drawn(ROUND)).reasons if "a cell" in r)
    assert said.startswith("one square anchor a cell: ")


def test_the_shapes_are_said_with_what_squares_would_reach():
    proposal = proposed(*drawn(BOTH_WAYS))
    best = proposal.chosen
    square = next(c for c in proposal.candidates if c.aspect_ratios == (1.0,))
    (said,) = (reason for reason in proposal.reasons if "anchors a cell" in reason)
    ratios = "/".join(f"{ratio:g}" for ratio in best.aspect_ratios)
    assert f"{len(best.aspect_ratios)} anchors a cell" in said
    assert f"{ratios} times as wide as high" in said
    assert f"{best.recall:.1%} of the objects are reached" in said
    assert f"by square anchors {square.recall:.1%} of the objects" in said
    assert square.recall < 0.9 < best.recall


def test_a_square_that_stays_is_said_with_what_other_shapes_would_reach():
    proposal = proposed(*drawn(BOTH_WAYS))
    first = next(c for c in proposal.candidates if c.aspect_ratios == (1.0,))
    other = replace(first, aspect_ratios=(0.5, 2.0), recall=0.987)
    said = replace(proposal, candidates=(first, other)).reasons
    assert any("by the best of other shapes, 0.5/2 times as wide as high, 98.7%" in r for r in said)


def test_shapes_that_are_given_are_compared_with_nothing():
    proposal = proposed(*drawn(BOTH_WAYS), aspect_ratios=(0.5, 2.0))
    (said,) = (reason for reason in proposal.reasons if "anchors a cell" in reason)
    assert "0.5/2 times as wide as high" in said
    assert "square" not in said


def test_the_table_shows_the_chosen_first():
    proposal = proposed(*drawn(BOTH_WAYS))
    table = candidate_table(proposal.candidates)
    assert table.iloc[0]["blocks"] == ", ".join(map(str, proposal.chosen.attach))
    assert list(table["chosen"]) == ["yes"] + [""] * (len(table) - 1)
    ratios = "/".join(f"{ratio:g}" for ratio in proposal.chosen.aspect_ratios)
    assert table.iloc[0]["aspect ratios"] == ratios
    assert "1" in set(table["aspect ratios"])
