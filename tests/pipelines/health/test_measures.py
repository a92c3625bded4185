"""Each measure by hand, by pycocotools' own figures, or on a network whose parts are known."""

import numpy as np
import pytest
import torch

from method.detector import Activations, Detector, Positives
from method.lapnet.detector import LapNet
from method.ssd import SSD
from pipelines.detectors import build_detector
from pipelines.health.measures import (
    LADDER,
    at_cap,
    average_precision,
    fit,
    ladder,
    late_change,
    positives_of,
    spread,
)
from pipelines.scoring import match_records, score_records
from pipelines.spec import DetectorName, RunSpec
from pipelines.steps import to_batch
from tests.pipelines.health.conftest import CPU, SIZE, SOUND, coloured_boxes

KINDS = [SOUND, RunSpec(input_size=SIZE, detector=DetectorName.LAPNET)]


def noisy_detections(split, seed=0):
    """The objects, moved by a few pixels, with scores that do not follow the error."""
    generator = np.random.default_rng(seed)
    return [
        {
            "image_id": own.image_id,
            "category_id": own.category_id if generator.random() < 0.8 else 3 - own.category_id,
            "bbox": [side + generator.normal(0, 1.5) for side in own.bbox],
            "score": float(generator.random()),
        }
        for own in split.coco.annotations
    ]


def test_the_ladder_s_steps_are_pycocotools_s_ap():
    split = coloured_boxes(6, seed=3)
    found = noisy_detections(split)
    steps = ladder(split, found)
    figures = score_records(match_records(split.coco.to_coco(), found)).figures
    assert list(steps) == [f"{threshold:.2f}" for threshold in LADDER]
    assert steps["0.50"] == pytest.approx(figures["AP50"], abs=1e-3)
    assert steps["0.75"] == pytest.approx(figures["AP75"], abs=1e-3)
    assert average_precision(steps) == pytest.approx(figures["AP"], abs=1e-3)
    assert 0 < figures["AP"] < (steps["0.10"] or 0)


def test_without_a_detection_every_step_is_0():
    assert set(ladder(coloured_boxes(2, seed=3), []).values()) == {0.0}


def test_images_at_the_cap_are_counted_among_all_images():
    split = coloured_boxes(4, seed=3)
    scores = {1: (0.9, 0.3), 2: (0.8,), 3: (0.7, 0.1)}
    found = [{"image_id": i, "score": s} for i, own in scores.items() for s in own]
    assert at_cap(split, found, 2) == (0.5, 0.2)
    assert at_cap(split, found, 3) == (0.0, None)
    assert at_cap(split, [], 3) == (0.0, None)


def test_what_the_last_third_brought():
    losses = [{"step": step, "loss": loss} for step, loss in enumerate([9, 5, 4, 4, 3, 2], 1)]
    # Before: steps 2 to 4, 13 / 3; the end: steps 4 to 6, 3; 4 / 3 of the 6 from 9 to 3.
    assert late_change(losses)[1] == pytest.approx(4 / 3 / 6, abs=1e-4)
    assert late_change(losses)[0] is None
    validated = [{"step": 3, "validation_AP": 5.0}, {"step": 6, "validation_AP": 8.5}]
    assert late_change([*losses, *validated])[0] == 3.5
    assert late_change([]) == (None, None)
    assert late_change([{"step": 1, "loss": 2.0}, {"step": 9, "loss": 2.0}]) == (None, None)


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
