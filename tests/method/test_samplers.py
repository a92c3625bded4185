"""Samplers by hand, against torchvision's hard-negative mining, and by what always holds."""

from types import SimpleNamespace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.models.detection import ssd as torchvision_ssd
from torchvision.models.detection._utils import BoxCoder

from method.choices import Sampler
from method.losses import classification_loss
from method.samplers import Sampling, hardest_negatives, sample_negatives

RATIOS = {Sampler.BASIC: 3, Sampler.ONE_TO_ONE: 1}
DNS = Sampling(Sampler.DNS)


def random_batch(seed, images=4, anchors=120, positives=0.05):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, anchors, 4, generator=generator)
    labels = torch.randint(1, 4, (images, anchors), generator=generator)
    labels[torch.rand(images, anchors, generator=generator) >= positives] = 0
    return logits, labels


def torchvision_classification_loss(logits, labels, ratio):
    """Torchvision's SSD loss of these scores, by its own matching of one object a positive."""
    boxes = torch.tensor([[0.0, 0, 10, 10]]).expand(logits.shape[1], 4)
    own_object = torch.arange(logits.shape[1])
    losses = torchvision_ssd.SSD.compute_loss(
        SimpleNamespace(neg_to_pos_ratio=ratio, box_coder=BoxCoder((10.0, 10.0, 5.0, 5.0))),
        targets=[{"boxes": boxes, "labels": image} for image in labels],
        head_outputs={"bbox_regression": torch.zeros(*logits.shape[:2], 4), "cls_logits": logits},
        anchors=[boxes] * len(labels),
        matched_idxs=[torch.where(image > 0, own_object, -1) for image in labels],
    )
    return losses["classification"]


@pytest.mark.parametrize("sampler", RATIOS)
@pytest.mark.parametrize("seed", range(5))
def test_mining_is_torchvision_s(sampler, seed):
    logits, labels = random_batch(seed)
    logits.requires_grad_()
    theirs = torchvision_classification_loss(logits, labels, RATIOS[sampler])
    theirs.backward()
    assert logits.grad is not None
    learnt = logits.grad.abs().amax(dim=-1) > 0
    negatives = sample_negatives(logits, labels, Sampling(sampler))
    assert torch.equal(negatives, learnt & (labels == 0))
    # Torchvision divides by the positives alone, this project by all that are sampled.
    sampled = negatives | (labels > 0)
    ours = classification_loss(logits, labels, sampled, torch.ones(4))
    mean = theirs * (labels > 0).sum() / sampled.sum()
    assert ours.item() == pytest.approx(mean.item(), rel=1e-5)


# Background's loss by hand: 0.1, 0.9, 0.5, 0.7 | 0.8, 0.6, 0.4, 0.2; the first anchor is positive.
LOSS = torch.tensor([[0.1, 0.9, 0.5, 0.7], [0.8, 0.6, 0.4, 0.2]])
POSITIVE = torch.tensor([[True, False, False, False], [False, False, False, False]])


def test_mining_image_by_image_and_over_the_batch_by_hand():
    assert hardest_negatives(LOSS, POSITIVE, 2).tolist() == [
        [False, True, False, True],
        [False, False, False, False],
    ]
    assert hardest_negatives(LOSS, POSITIVE, 2, over_batch=True).tolist() == [
        [False, True, False, False],
        [True, False, False, False],
    ]


def test_of_equal_losses_the_first_are_mined():
    chosen = hardest_negatives(torch.ones(1, 40), torch.arange(40)[None] == 3, 3)
    assert chosen.nonzero()[:, 1].tolist() == [0, 1, 2]


def test_the_batch_and_the_limit_reach_the_samplers():
    # Scores −background's: the negative at place i of an image has the larger loss the later it is.
    logits = torch.stack([-torch.arange(8.0), torch.zeros(8)], dim=-1).reshape(2, 4, 2)
    labels = torch.tensor([[1, 0, 0, 0], [0, 0, 0, 0]])

    def places(**options):
        return sample_negatives(logits, labels, Sampling(**options)).flatten().nonzero()[:, 0]

    assert places().tolist() == [1, 2, 3]
    assert places(over_batch=True).tolist() == [5, 6, 7]
    # One of the samples is the positive.
    assert places(limit=3).tolist() == [2, 3]
    assert places(limit=1).tolist() == []
    assert places(over_batch=True, limit=3).tolist() == [6, 7]
    # Of misclassified negatives, here all, the first stay.
    assert places(sampler=Sampler.DNS, limit=3).tolist() == [1, 2]
    assert places(sampler=Sampler.DNS, limit=1).tolist() == []
    assert places(limit=4).tolist() == [1, 2, 3]


def test_dns_takes_the_negatives_that_are_classified_as_objects():
    labels = torch.tensor([[1, 0, 0, 0, 0, 2]])
    logits = torch.tensor(
        [
            [
                [0.0, 9, 0],  # positive, and found
                [0.0, 1, -2],  # an object of class 1
                [0.2, 0, 0.1],  # background, and both objects below it
                [0.5, -1, 0.6],  # an object of class 2
                [0.5, 0.5, 0],  # a tie is background's, as for an arg-max
                [5.0, 0, 0],  # positive, and missed
            ]
        ]
    )
    expected = [[False, True, False, True, False, False]]
    assert sample_negatives(logits, labels, DNS).tolist() == expected


def test_dns_with_nothing_misclassified_takes_no_negative_beside_positives():
    logits = torch.tensor([[[1.0, 0], [1, 0]], [[1, 0], [1, 0]]])
    assert not sample_negatives(logits, torch.tensor([[1, 0], [0, 0]]), DNS).any()
    # But all of them where there would be no sample at all.
    assert sample_negatives(logits, torch.zeros(2, 2, dtype=torch.int64), DNS).all()


@pytest.mark.parametrize("sampler", RATIOS)
@pytest.mark.parametrize("over_batch", [False, True])
def test_a_batch_without_positives_learns_from_all_negatives(sampler, over_batch):
    logits, _ = random_batch(0)
    labels = torch.zeros(logits.shape[:2], dtype=torch.int64)
    assert sample_negatives(logits, labels, Sampling(sampler, over_batch=over_batch)).all()


@given(
    st.integers(0, 10_000),
    st.integers(1, 4),
    st.integers(1, 40),
    st.floats(0, 1),
    st.sampled_from(list(RATIOS)),
    st.booleans(),
)
def test_mining_takes_the_asked_number_of_the_hardest_and_never_a_positive(
    seed, images, anchors, share, sampler, over_batch
):
    logits, labels = random_batch(seed, images, anchors, share)
    positive = labels > 0
    negatives = sample_negatives(logits, labels, Sampling(sampler, over_batch=over_batch))
    if not positive.any():
        assert negatives.all()
        return
    assert not (negatives & positive).any()
    loss = -logits.log_softmax(dim=-1)[..., 0]
    groups = (1, -1) if over_batch else (images, anchors)  # what counts and ranks together
    rows = (tensor.reshape(groups) for tensor in (loss, positive, negatives))
    for group_loss, group_positive, chosen in zip(*rows, strict=True):
        background = ~group_positive
        wanted = RATIOS[sampler] * int(group_positive.sum())
        assert chosen.sum() == min(wanted, int(background.sum()))
        if chosen.any():
            assert (group_loss[background & ~chosen] <= group_loss[chosen].min()).all()


@given(st.integers(0, 10_000), st.sampled_from(Sampler), st.integers(1, 60))
def test_no_limited_batch_with_positives_has_more_samples_than_the_limit(seed, sampler, limit):
    logits, labels = random_batch(seed, images=2, anchors=40, positives=0.2)
    positive = labels > 0
    free = sample_negatives(logits, labels, Sampling(sampler))
    limited = sample_negatives(logits, labels, Sampling(sampler, limit=limit))
    assert not (limited & ~free).any()
    assert limited.sum() == min(int(free.sum()), max(limit - int(positive.sum()), 0))
