"""Changed batches: same seed and step, same batch; boxes move with what they enclose."""

from typing import NamedTuple

import numpy as np
import pytest
import torch

from pipelines.runs.spec import Augment, RunSpec
from pipelines.system.errors import UserError
from pipelines.training.batches import AugmentedBatches, FixedBatches, deal_tiles, make_batches
from tests.pipelines.training.rectangles import MOSAICS, SIZE, split_of

CPU = torch.device("cpu")


class Objects(NamedTuple):
    """A match that is the boxes and labels themselves."""

    boxes: torch.Tensor
    labels: torch.Tensor

    def to(self, device):
        return Objects(self.boxes.to(device), self.labels.to(device))


def spec(*augment):
    return RunSpec(input_size=SIZE, batch_size=2, augment=augment)


def assert_boxes_enclose_what_is_drawn(shades, boxes):
    assert len(boxes)
    for x1, y1, x2, y2 in boxes.round().astype(int):
        inside = shades[y1:y2, x1:x2]
        assert inside.min() > 0
        assert inside.min() == inside.max()


@pytest.mark.parametrize("augment", [(Augment.FLIP,), (Augment.TILES,), tuple(Augment)])
def test_a_step_s_batch_depends_on_seed_and_step_alone(augment):
    batches = make_batches(Objects, split_of(MOSAICS), spec(*augment), CPU)
    first, matches = batches.batch(5, [1, 0])
    torch.rand(7)
    again, matches_again = batches.batch(5, [1, 0])
    assert (first == again).all()
    for (boxes, labels), (more_boxes, more_labels) in zip(matches, matches_again, strict=True):
        assert torch.equal(boxes, more_boxes)
        assert torch.equal(labels, more_labels)
    later = [batches.batch(step, [1, 0])[0] for step in range(6, 12)]
    assert any((first != other).any() for other in later)


@pytest.mark.parametrize("augment", [Augment.FLIP, Augment.TILES])
def test_boxes_move_with_the_pixels(augment):
    batches = AugmentedBatches(Objects, split_of(MOSAICS), spec(augment), CPU)
    for step in range(8):
        images, matches = batches.batch(step, [0, 1])
        for image, (boxes, _) in zip(images, matches, strict=True):
            if len(boxes):
                assert_boxes_enclose_what_is_drawn(image[0], boxes.numpy())


def test_a_crop_keeps_boxes_around_what_is_drawn():
    batches = AugmentedBatches(Objects, split_of(MOSAICS), spec(Augment.CROP), CPU)
    for step in range(8):
        images, matches = batches.batch(step, [0, 1])
        assert images.shape == (2, 3, SIZE, SIZE)
        assert images.is_contiguous(memory_format=torch.channels_last)
        for image, (boxes, _) in zip(images, matches, strict=True):
            for x1, y1, x2, y2 in boxes.round().int().tolist():
                centre = image[0, (y1 + y2) // 2, (x1 + x2) // 2]
                assert centre > 0


def test_scale_enlarges_and_shrinks_by_up_to_two_times():
    batches = AugmentedBatches(Objects, split_of([[(20, 24, 16, 12)]]), spec(Augment.SCALE), CPU)
    sides, whole = [], 0
    for step in range(60):
        images, matches = batches.batch(step, [0])
        shades = images[0, 0].numpy()
        for boxes in matches[0][0].numpy():
            drawn = np.argwhere((shades > 20) & (shades < 100))
            top, left = drawn.min(axis=0)
            bottom, right = drawn.max(axis=0) + 1
            assert np.abs(boxes - [left, top, right, bottom]).max() <= 1.5
            if left > 0 and right < SIZE and top > 0 and bottom < SIZE:
                whole += 1
                sides.append(boxes[2] - boxes[0])
    assert whole > 30
    assert 7 < min(sides) < 11
    assert 25 < max(sides) < 33


def test_light_changes_pixels_and_leaves_boxes():
    split = split_of(MOSAICS)
    images, matches = AugmentedBatches(Objects, split, spec(Augment.LIGHT), CPU).batch(0, [0])
    assert (images[0].permute(1, 2, 0).numpy() != split.images[0]).any()
    assert torch.equal(matches[0][0], torch.from_numpy(split.boxes(0)))


def test_tiles_by_hand():
    # Top left becomes the second mosaic's bottom left; the rest is the first mosaic's top right.
    split = split_of(MOSAICS)
    pixels, boxes, labels = deal_tiles(split, torch.from_numpy(split.images), [4 + 2, 1, 1, 1])
    assert boxes.tolist() == [
        [20, 8, 29, 17],
        [40, 2, 46, 14],
        [8, 34, 14, 46],
        [40, 34, 46, 46],
    ]
    assert labels.tolist() == [1, 1, 1, 1]
    assert_boxes_enclose_what_is_drawn(pixels[..., 0], boxes)


def test_an_epoch_deals_every_tile_once():
    batches = AugmentedBatches(Objects, split_of(MOSAICS), spec(Augment.TILES), CPU)
    for step in range(4):
        images, _ = batches.batch(step, [0, 1])
        assert images.unique().tolist() == [0, 40, 80, 120]


def test_tiles_are_refused_where_an_object_lies_across_the_middle():
    with pytest.raises(UserError, match=r"tiles needs 2x2 mosaics.*0\.png lies across the middle"):
        make_batches(Objects, split_of([[(28, 4, 10, 10)]]), spec(Augment.TILES), CPU)


def test_without_augmentation_images_are_matched_once_and_left_alone():
    split = split_of(MOSAICS)
    batches = make_batches(Objects, split, spec(), CPU)
    assert isinstance(batches, FixedBatches)
    images, matches = batches.batch(3, [1, 0])
    assert (images.permute(0, 2, 3, 1).numpy() == split.images[[1, 0]]).all()
    assert images.is_contiguous(memory_format=torch.channels_last)
    assert matches[0] is batches.matches[1]
    assert torch.equal(matches[0].boxes, torch.from_numpy(split.boxes(1)))
