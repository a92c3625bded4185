"""What is measured on a network: by hand, or on one whose parts are known."""

import numpy as np
import pytest
import torch

from method.detector import Activations, Detector, Positives
from method.lapnet.detector import LapNet
from method.ssd import SSD
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import DetectorName, RunSpec
from pipelines.training.health.network import fit, positives_of, spread
from pipelines.training.step import to_batch
from tests.pipelines.training.health.conftest import CPU, SIZE, SOUND, coloured_boxes

KINDS = [SOUND, RunSpec(input_size=SIZE, detector=DetectorName.LAPNET)]


def test_a_fit_by_hand():
    positives = Positives(
        labels=torch.tensor([1, 1, 2]),
        scores=torch.tensor([[0.6, 0.2], [0.1, 0.3], [0.2, 0.2]]),
        loss=torch.tensor([0.1, 0.2, 0.3]),
        anchor_loss=torch.tensor([0.4, 0.5, 0.6]),
        iou=torch.tensor([0.9, 0.8, 0.7]),
        anchor_iou=torch.tensor([0.5, 0.5, 0.4]),
    )
    found = fit(positives, positives)
    # Scores made to add up to 1: 0.75, 0.25 and 0.5 of the right class. Shares: 2 / 3 and 1 / 3.
    assert found.class_loss == pytest.approx(-np.log([0.75, 0.25, 0.5]).mean(), abs=1e-4)
    assert found.class_loss_of_shares == pytest.approx(
        -np.log([2 / 3, 2 / 3, 1 / 3]).mean(), abs=1e-4
    )
    assert (found.positives, found.accuracy, found.commonest) == (3, 0.3333, 0.6667)
    assert (found.iou, found.iou_of_anchors) == (0.8, 0.4667)
    assert (found.box_loss, found.box_loss_of_anchors) == (0.2, 0.5)


class Known(Detector):
    """Activations that are known, and a trace of having been looked at."""

    looked_at = 0

    def detect(self, images):
        raise AssertionError("nothing is to be detected")

    def activations(self, images):
        assert self.training
        self.looked_at += 1
        return Activations([images.float()], torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0]))


def test_the_spread_is_that_of_the_activations_and_leaves_the_detector_as_it_is():
    detector = Known().eval()
    found = spread(detector, torch.tensor([[0, 2]], dtype=torch.uint8), fresh=True)
    assert found is not None
    assert list(found.features) == pytest.approx([2**0.5], abs=1e-4)
    assert found.logits == pytest.approx(2**0.5, abs=1e-4)
    assert found.offsets == 0
    assert detector.looked_at == 0
    assert not detector.training


def test_what_is_out_of_reach_has_no_spread():
    assert spread(Unreadable(), torch.zeros(1, 1), fresh=True) is None


class Unreadable(Detector):
    def detect(self, images):
        raise AssertionError("nothing is to be detected")


@pytest.fixture(params=KINDS, ids=["ssd", "lapnet"])
def readable(request):
    """A detector of this project with its first weights, and three images."""
    split = coloured_boxes(3, seed=4)
    detector = build_detector(request.param, 2, to_batch(split.images, CPU))
    assert isinstance(detector, SSD | LapNet)
    return detector, split


def test_looking_at_a_detector_changes_none_of_its_weights(readable):
    detector, split = readable
    before = {name: value.clone() for name, value in detector.state_dict().items()}
    found = spread(detector, to_batch(split.images, CPU), fresh=True)
    assert found is not None
    assert found.logits > 0
    seen = positives_of(detector, split, CPU)
    assert seen is not None
    for name, value in detector.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_offsets_of_no_change_are_the_anchors(readable):
    detector, split = readable
    heads = [*detector.box_heads] if isinstance(detector, SSD) else [detector.network.offsets[-1]]
    for parameter in (p for head in heads for p in head.parameters()):
        parameter.data.zero_()
    found = positives_of(detector, split, CPU)
    assert found is not None
    torch.testing.assert_close(found.iou, found.anchor_iou)
    torch.testing.assert_close(found.loss, found.anchor_loss)
    assert (found.anchor_iou > 0).all()
