"""The equations by hand, their gradients by finite differences."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from method.boxes import BoxCoding, decode, paired_iou
from method.lapnet.choices import Balance, ClassificationLoss
from method.lapnet.losses import (
    GridSums,
    Weights,
    classification_loss,
    localisation_loss,
    positive_labels,
)

UNIT = st.floats(0, 1)


def sums(localisation=(2.0, 4.0), classification=(30.0, 10.0), positives=(3.0, 1.0)):
    return GridSums(
        torch.tensor(localisation, dtype=torch.float64),
        torch.tensor(classification, dtype=torch.float64),
        torch.tensor(positives),
        torch.tensor(5.0, dtype=torch.float64),
        200,
    )


def test_equation_2():
    assert localisation_loss(torch.tensor([1.0, 0.5, 0.0])).tolist() == [0, 0.25, 1]


def test_equation_3():
    overlap, predicted = torch.tensor([1.0, 0.9, 0.6, 0.4]), torch.tensor([0.4, 0.8, 0.8, 1.0])
    assert positive_labels(overlap, predicted, ambiguity=False).tolist() == [
        True,
        True,
        True,
        False,
    ]
    # The products are 0.4, 0.72, 0.48 and 0.4.
    assert positive_labels(overlap, predicted, ambiguity=True).tolist() == [
        False,
        True,
        False,
        False,
    ]


@given(st.lists(st.tuples(UNIT, UNIT), min_size=1))
def test_managing_ambiguity_only_takes_labels_away(pairs):
    overlap, predicted = torch.tensor(pairs).T
    managed = positive_labels(overlap, predicted, ambiguity=True)
    assert not (managed & ~positive_labels(overlap, predicted, ambiguity=False)).any()


def test_equation_4_is_binary_cross_entropy_on_sigmoid_scores():
    logits = torch.tensor([0.0, 2.0, -3.0], dtype=torch.float64)
    labels = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    found = classification_loss(logits, labels, ClassificationLoss.CROSS_ENTROPY)
    expected = [math.log(2), math.log(1 + math.exp(2)), math.log(1 + math.exp(3))]
    assert found.tolist() == pytest.approx(expected)


def test_focal_loss_with_its_default_parameters():
    p = 1 / (1 + math.exp(-2))
    found = classification_loss(
        torch.tensor([2.0, 2.0]), torch.tensor([1.0, 0.0]), ClassificationLoss.FOCAL
    )
    expected = [0.25 * (1 - p) ** 2 * -math.log(p), 0.75 * p**2 * -math.log(1 - p)]
    assert found.tolist() == pytest.approx(expected, rel=1e-5)


E1 = math.exp(-1)


@pytest.mark.parametrize(
    ("balance", "localisation", "classification", "regularisation"),
    [
        (Balance.ONE, 6 / 5, 40 / 200, 0),
        (Balance.RATIO, 6 / 5, 40 / 5, 0),
        (Balance.LEARNED_LOSSES, E1 * 6 / 5, E1 * 40 / 200, 2),
        (Balance.LEARNED, E1**2 * 6 / 5, E1**2 * 40 / 200, 4),
    ],
)
def test_equations_5_to_7(balance, localisation, classification, regularisation):
    terms = Weights(2, balance)(sums())
    assert {name: float(term.detach()) for name, term in terms.items()} == pytest.approx(
        {
            "localisation": localisation,
            "classification": classification,
            "regularisation": regularisation,
        }
    )


def test_learned_weights_of_each_grid_by_hand():
    weights = Weights(2, Balance.LEARNED).double()
    with torch.no_grad():
        weights.localisation.fill_(0.5)
        weights.classification.fill_(-1)
        weights.grid_localisation.copy_(torch.tensor([0.0, 1.0]))
        weights.grid_classification.copy_(torch.tensor([2.0, -1.0]))
    terms = {name: term.detach() for name, term in weights(sums()).items()}
    assert float(terms["localisation"]) == pytest.approx(math.exp(-0.5) * (2 + 4 * E1) / 5)
    expected = math.exp(1) * (30 * math.exp(-2) + 10 * math.exp(1)) / 200
    assert float(terms["classification"]) == pytest.approx(expected)
    assert float(terms["regularisation"]) == pytest.approx(0.5 - 1 + (0 + 1 + 2 - 1) / 2)


def test_a_grid_without_positives_gets_no_update_of_its_weights():
    weights = Weights(2, Balance.LEARNED)
    torch.stack(list(weights(sums(positives=(0.0, 1.0))).values())).sum().backward()
    for gradient in (weights.grid_localisation.grad, weights.grid_classification.grad):
        assert gradient is not None
        assert gradient[0] == 0
        assert gradient[1] != 0


def test_a_step_without_objects_has_a_finite_loss():
    nothing = GridSums(
        torch.zeros(2), torch.tensor([1.0, 2.0]), torch.zeros(2), torch.tensor(0.0), 200
    )
    for balance in Balance:
        terms = Weights(2, balance)(nothing)
        assert all(torch.isfinite(term) for term in terms.values())


def total_loss(offsets, logits, s_loc, s_cls, grid_loc, grid_cls):
    """The whole loss of four anchors in two grids, from offsets and logits on."""
    weights = Weights(2, Balance.LEARNED).double()
    parameters = {
        "localisation": s_loc,
        "classification": s_cls,
        "grid_localisation": grid_loc,
        "grid_classification": grid_cls,
    }
    anchors = torch.tensor([[20.0, 20, 10, 12], [30, 25, 20, 20]] * 2, dtype=torch.float64)
    boxes = torch.tensor([[14.0, 13, 27, 28], [18, 12, 40, 33]] * 2, dtype=torch.float64)
    predicted = paired_iou(decode(offsets, anchors, BoxCoding.SSD_UNSCALED), boxes)
    overlap = torch.tensor([1, 0.8, 0.6, 1], dtype=torch.float64)
    labels = positive_labels(overlap, predicted, ambiguity=True).double()
    grids = GridSums(
        localisation_loss(predicted).view(2, 2).sum(dim=1),
        classification_loss(logits, labels, ClassificationLoss.CROSS_ENTROPY).view(2, 2).sum(dim=1),
        labels.view(2, 2).sum(dim=1),
        predicted.new_tensor(4),
        8,
    )
    terms = torch.func.functional_call(weights, parameters, grids)
    return torch.stack(list(terms.values())).sum()


def test_gradients_by_finite_differences():
    generator = torch.Generator().manual_seed(1)
    shapes = [(4, 4), (4,), (), (), (2,), (2,)]
    inputs = [
        (0.2 * torch.randn(shape, generator=generator, dtype=torch.float64)).requires_grad_()
        for shape in shapes
    ]
    assert torch.autograd.gradcheck(total_loss, inputs)


def test_no_gradient_flows_through_the_labels():
    predicted = torch.tensor([0.9], requires_grad=True)
    labels = positive_labels(torch.tensor([1.0]), predicted, ambiguity=True)
    assert not labels.requires_grad
