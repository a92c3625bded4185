"""The losses by hand and against torch and torchvision."""

import math

import pytest
import torch
import torch.nn.functional as F

from method.losses import classification_loss, localisation_loss

# Logits are logarithms of probabilities, so that the softmax gives those back.
LOGITS = torch.tensor([[[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.5, 0.25, 0.25]]]).log()
LABELS = torch.tensor([[0, 1, 2]])
WEIGHTS = torch.tensor([1.0, 2.0, 4.0])


def random_batch():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, 50, 4, generator=generator)
    labels = torch.randint(0, 4, (2, 50), generator=generator)
    sampled = torch.rand(2, 50, generator=generator) < 0.4
    return logits, labels, sampled, torch.tensor([1.0, 1.0, 4.0, 3.7])


@pytest.mark.parametrize(
    ("sampled", "expected"),
    [
        # (1·ln 2 + 2·ln 2 + 4·ln 4) / (1 + 2 + 4)
        ([True, True, True], 11 * math.log(2) / 7),
        # (1·ln 2 + 4·ln 4) / (1 + 4)
        ([True, False, True], 9 * math.log(2) / 5),
        ([False, False, True], math.log(4)),
    ],
)
def test_classification_by_hand_is_the_weighted_mean_of_the_sampled(sampled, expected):
    loss = classification_loss(LOGITS, LABELS, torch.tensor([sampled]), WEIGHTS)
    assert loss.item() == pytest.approx(expected)


def test_a_second_softmax_by_hand():
    # Probabilities 3/4 and 1/4 as scores: ln(1 + exp(1/4 − 3/4)), where one softmax has ln(4/3).
    logits = torch.tensor([[[0.75, 0.25]]]).log()
    label, sampled, weights = torch.tensor([[0]]), torch.tensor([[True]]), torch.ones(2)
    once = classification_loss(logits, label, sampled, weights)
    twice = classification_loss(logits, label, sampled, weights, softmax_twice=True)
    assert once.item() == pytest.approx(math.log(4 / 3))
    assert twice.item() == pytest.approx(math.log(1 + math.exp(-0.5)))


@pytest.mark.parametrize("twice", [False, True])
def test_classification_is_torch_s_mean_over_the_sampled(twice):
    logits, labels, sampled, weights = random_batch()
    scores = logits.softmax(dim=-1) if twice else logits
    for mask in (sampled, torch.ones_like(sampled)):
        loss = classification_loss(logits, labels, mask, weights, softmax_twice=twice)
        expected = F.cross_entropy(scores[mask], labels[mask], weight=weights)
        assert loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_only_sampled_anchors_learn():
    logits, labels, sampled, weights = random_batch()
    logits.requires_grad_()
    classification_loss(logits, labels, sampled, weights).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad.abs().amax(dim=-1) > 0, sampled)


def test_half_precision_scores_are_added_up_in_full_precision():
    logits, labels, sampled, weights = random_batch()
    half = logits.bfloat16()
    loss = classification_loss(half, labels, sampled, weights)
    assert loss.dtype == torch.float32
    assert loss == classification_loss(half.float(), labels, sampled, weights)


def test_localisation_by_hand_is_a_mean_over_the_positives_coordinates():
    # Smooth L1 of 0.5, 2, 0, −3: 0.125, 1.5, 0, 2.5; of 1 in all four: 0.5 each.
    offsets = torch.tensor([[[0.5, 2, 0, -3], [9, 9, 9, 9]], [[2, 2, 2, 2], [9, 9, 9, 9]]])
    targets = torch.tensor([[[0.0, 0, 0, 0], [0, 0, 0, 0]], [[1, 1, 1, 1], [0, 0, 0, 0]]])
    one = localisation_loss(offsets, targets, torch.tensor([[True, False], [False, False]]))
    two = localisation_loss(offsets, targets, torch.tensor([[True, False], [True, False]]))
    assert one.item() == pytest.approx(4.125 / 4)
    assert two.item() == pytest.approx((4.125 + 2) / 8)


def test_without_a_positive_nothing_is_localised_and_nothing_learnt():
    offsets = torch.full((2, 5, 4), 3.0, requires_grad=True)
    loss = localisation_loss(offsets, torch.zeros(2, 5, 4), torch.zeros(2, 5, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0
    assert offsets.grad is not None
    assert not offsets.grad.any()


def test_only_positives_learn_their_boxes():
    _, labels, _, _ = random_batch()
    offsets = torch.ones(2, 50, 4, requires_grad=True)
    localisation_loss(offsets, torch.zeros(2, 50, 4), labels > 0).backward()
    assert offsets.grad is not None
    assert torch.equal(offsets.grad.amax(dim=-1) > 0, labels > 0)
