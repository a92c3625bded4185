"""Every rule on a training that is broken on purpose, and on a sound one."""

from dataclasses import replace

import numpy as np
import pytest
from torch import nn

from method.choices import HeadInit
from pipelines.data.records import CocoSplit
from pipelines.training.health.rules import complaints
from tests.pipelines.training.health.conftest import SOUND, trained_health

pytestmark = pytest.mark.slow


SHORT = replace(SOUND, iterations=40)
"""For what shows at once."""


def rules_broken(health):
    return {complaint.rule for complaint in complaints(health)}


def shuffled(split):
    """The same boxes with classes dealt at random."""
    annotations = split.coco.annotations
    order = np.random.default_rng(2).permutation(len(annotations))
    dealt = tuple(
        replace(own, category_id=annotations[other].category_id)
        for own, other in zip(annotations, order, strict=True)
    )
    return replace(split, coco=CocoSplit(split.coco.images, split.coco.categories, dealt))


def enlarge_features(detector):
    """Feature maps of a standard deviation near 8, as unscaled bottlenecks may have."""
    for tap in detector.config.attach:
        norm = [m for m in detector.encoder[tap].modules() if isinstance(m, nn.BatchNorm2d)][-1]
        norm.weight.data.mul_(8)


def freeze_boxes(detector):
    """Offsets that stay 0 whatever is learned."""
    for head in detector.box_heads:
        head.requires_grad_(False)
        for parameter in head.parameters():
            parameter.zero_()


def test_a_sound_training_breaks_no_rule(data):
    health = trained_health(SOUND, *data)
    assert rules_broken(health) == set(), health
    assert health.test.iou > health.test.iou_of_anchors + 0.1
    assert health.test.box_loss < health.test.box_loss_of_anchors
    assert health.test.class_loss < health.test.class_loss_of_shares


def test_xavier_heads_on_unscaled_features_start_too_large(data):
    spec = replace(SOUND, head_init=HeadInit.XAVIER, iterations=2)
    health = trained_health(spec, *data, change=enlarge_features)
    assert "the heads start too large" in rules_broken(health)
    small = trained_health(replace(spec, head_init=HeadInit.SMALL), *data, change=enlarge_features)
    assert "the heads start too large" not in rules_broken(small)


def test_boxes_of_a_frozen_head_are_the_anchors(data):
    health = trained_health(SOUND, *data, change=freeze_boxes)
    assert rules_broken(health) == {"the boxes are no better than the anchors"}
    assert health.test.iou == pytest.approx(health.test.iou_of_anchors, abs=1e-3)


def test_shuffled_labels_teach_no_class(data):
    training, test = data
    health = trained_health(SOUND, training, test, labels=shuffled(training))
    assert "the classes are no better than always the commonest" in rules_broken(health)
    assert "the boxes are no better than the anchors" not in rules_broken(health)


def test_a_learning_rate_a_hundred_times_too_small(data):
    health = trained_health(replace(SOUND, learning_rate=SOUND.learning_rate / 100), *data)
    assert rules_broken(health) & {
        "the boxes are no better than the anchors",
        "it finds next to nothing",
    }


def test_a_learning_rate_a_hundred_times_too_large(data):
    health = trained_health(replace(SHORT, learning_rate=SOUND.learning_rate * 100), *data)
    assert rules_broken(health) >= {
        "feature maps are dead",
        "the classes are no better than always the commonest",
    }


def test_a_few_images_are_known_by_heart(data):
    training, test = data
    health = trained_health(SOUND, training.first(2), test)
    assert "it knows its training images by heart" in rules_broken(health)


def test_two_detections_an_image_cut_off_the_third(data):
    health = trained_health(replace(SHORT, max_detections=2), *data)
    assert "detections are cut off" in rules_broken(health)
    assert health.at_cap == 1


def test_a_training_that_ends_early_has_not_flattened(data):
    health = trained_health(SHORT, *data)
    assert "it has not flattened" in rules_broken(health)
