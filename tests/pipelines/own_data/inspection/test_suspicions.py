"""Each suspicion on a data set where it is the only one; none where there is nothing to find."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision.ops import box_iou

from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.data.tiling import Tiling
from pipelines.own_data.inspection.box_rules import SAME_PLACE, coinciding_pairs
from pipelines.own_data.inspection.kinds import MOST_EXAMPLES, Kind
from pipelines.own_data.inspection.objects import Objects
from pipelines.own_data.inspection.pixel_rules import NEAR_BITS, near_pairs
from pipelines.own_data.inspection.suspicions import MOST_LINES, summary_lines, suspicions
from pipelines.system.errors import UserError


def third_class(data, **counts):
    """Declare `plum` and add so many of it to the first images of each split."""
    for name, own in data.items():
        own.names = ("apple", "pear", "plum")
        for i in range(counts.get(name, 0)):
            own.add((20.0, 100.0, 50.0, 50.0), 2, i)


def repeat_box(data):
    data["train"].add((10.5, 10.0, 60.0, 50.0), 0, 3)


def contradict(data):
    data["val"].add((10.0, 10.5, 60.0, 50.0), 1, 3)


def name_alike(data):
    for own in data.values():
        own.names = ("sweet-apple", "Sweet apples")


def shrink_test(data):
    data["test"].objects = [
        (i, k, (x, y, w / 2, h / 2)) for i, k, (x, y, w, h) in data["test"].objects
    ]


def turn_apples_into_pears(data):
    own = data["test"]
    own.objects = [(i, 1 if i < 30 else k, box) for i, k, box in own.objects]


def crowd(data):
    for i in range(20):
        data["test"].add((5.0 + 35 * (i % 5), 5.0 + 35 * (i // 5), 33.0, 33.0), i % 2, 7)


def leave_empty(data):
    data["val"].sizes.append((200, 200))


def widen(data):
    for own in data.values():
        own.sizes = [(400, 200)] * len(own.sizes)


def enlarge(data):
    """Every other image of train four times as large, with its objects."""
    own = data["train"]
    own.sizes = [(800, 800) if i % 2 else size for i, size in enumerate(own.sizes)]
    own.objects = [(i, k, tuple(4 * v for v in box) if i % 2 else box) for i, k, box in own.objects]


def take_from_afar(data):
    """Photographs of ten times the side with objects of as many pixels as before."""
    for own in data.values():
        own.sizes = [(2000, 2000)] * len(own.sizes)


ANNOTATIONS = {
    Kind.REPEATED_BOX: (repeat_box, "train", 1),
    Kind.CONTRADICTORY_LABELS: (contradict, "val", 1),
    Kind.UNTRAINED_CLASS: (lambda data: third_class(data, test=2), "test", 1),
    Kind.UNMEASURED_CLASS: (lambda data: third_class(data, train=10, val=1), "train", 1),
    Kind.SCARCE_CLASS: (lambda data: third_class(data, train=9, val=1, test=1), "train", 1),
    Kind.ALIKE_NAMES: (name_alike, "all splits", 1),
    Kind.CLASS_SHIFT: (turn_apples_into_pears, "test", 80),
    Kind.SIZE_SHIFT: (shrink_test, "test", 80),
    Kind.COVERING_BOX: (lambda data: data["test"].add((0.0, 0.0, 200.0, 196.0)), "test", 1),
    Kind.FRAMING_BOX: (lambda data: data["train"].add((0.0, 0.5, 199.5, 199.0)), "train", 1),
    Kind.TINY_BOX: (lambda data: data["val"].add((150.0, 20.0, 3.9, 9.0)), "val", 1),
    Kind.ELONGATED_BOX: (lambda data: data["test"].add((5.0, 140.0, 5.0, 55.0)), "test", 1),
    Kind.CROWDED_IMAGE: (crowd, "test", 1),
    Kind.EMPTY_IMAGE: (leave_empty, "val", 1),
    Kind.STRETCHED_IMAGE: (widen, "all splits", 120),
    Kind.UNEVEN_SIZES: (enlarge, "all splits", 20),
    Kind.SQUEEZED_OBJECTS: (take_from_afar, "all splits", 240),
}


def brighter(pixels):
    return np.clip(pixels.astype(int) + 3, 0, 255).astype(np.uint8)


def copy_image(source, target, data, change=lambda pixels: pixels):
    (a, i), (b, j) = source, target
    data[b].pixels[j] = change(data[a].image(i))


def grey(pixels):
    return np.repeat(pixels.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)


PIXELS = {
    Kind.LEAKED_IMAGE: (lambda data: copy_image(("train", 5), ("test", 2), data), "train, test"),
    Kind.NEARLY_LEAKED_IMAGE: (
        lambda data: copy_image(("val", 5), ("test", 2), data, brighter),
        "val, test",
    ),
    Kind.REPEATED_IMAGE: (lambda data: copy_image(("train", 5), ("train", 9), data), "train"),
    Kind.NEARLY_REPEATED_IMAGE: (
        lambda data: copy_image(("val", 5), ("val", 9), data, brighter),
        "val",
    ),
    Kind.CONSTANT_IMAGE: (
        lambda data: copy_image(("val", 5), ("val", 5), data, np.zeros_like),
        "val",
    ),
    Kind.GREY_IMAGE: (lambda data: copy_image(("test", 5), ("test", 5), data, grey), "test"),
}


def found_in(data, **options):
    return suspicions(data, input_size=200, progress=False, **options)


def test_nothing_is_suspicious_where_nothing_is_wrong(clean):
    assert found_in(clean, pixels=True) == []
    assert [own.decoded for own in clean.values()] == [40, 40, 40]


def test_what_tiles_are_worth_is_said_in_pixels(clean):
    take_from_afar(clean)
    (found,) = found_in(clean)
    # Of 60 x 50 px boxes half have sides of root 3000 or less, a tenth of it at a tenth the size.
    assert found.sentence == (
        "half of the objects have a side below 5.5 px once photographs of 2000×2000 px are "
        "squeezed to 200, 55 px as taken; in tiles they keep their pixels: train with -S tiles=200"
    )
    assert found_in(clean, tiling=Tiling(200)) == []


def test_in_tiles_boxes_keep_their_pixels_and_nothing_is_stretched(clean):
    widen(clean)
    clean["val"].add((150.0, 20.0, 3.9, 9.0))
    clean["test"].add((150.0, 20.0, 4.1, 9.0))
    found = found_in(clean, tiling=Tiling(200))
    assert [(s.kind, s.split, s.count) for s in found] == [(Kind.TINY_BOX, "val", 1)]
    assert found_in(clean, tiling=Tiling(190)) == [], "seen larger, by 200/190"


def test_every_kind_is_tried_alone():
    assert {*ANNOTATIONS, *PIXELS} == set(Kind) - {Kind.NEIGHBOURING_SHOT}  # test_shot_rules.py


@pytest.mark.parametrize("kind", ANNOTATIONS)
def test_a_fault_in_the_annotations_raises_its_suspicion_and_no_other(clean, kind):
    spoil, split, count = ANNOTATIONS[kind]
    spoil(clean)
    found = found_in(clean)
    assert [(s.kind, s.split, s.count) for s in found] == [(kind, split, count)]
    assert not any(own.decoded for own in clean.values())


@pytest.mark.parametrize("kind", PIXELS)
def test_a_fault_in_the_pixels_raises_its_suspicion_and_no_other(clean, kind):
    spoil, split = PIXELS[kind]
    spoil(clean)
    found = found_in(clean, pixels=True)
    assert [(s.kind, s.split, s.count) for s in found] == [(kind, split, 1)]
    assert found_in(clean) == []


def test_what_test_shares_with_train_comes_first_and_both_images_are_shown(clean):
    copy_image(("train", 5), ("train", 9), clean)
    copy_image(("train", 1), ("val", 2), clean)
    copy_image(("train", 3), ("test", 4), clean)
    turn_apples_into_pears(clean)
    first, *rest = found_in(clean, pixels=True)
    assert first.split == "train, test"
    assert [e.file_name for e in first.examples] == ["train-03.png", "test-04.png"]
    assert [s.kind for s in rest] == [Kind.LEAKED_IMAGE, Kind.CLASS_SHIFT, Kind.REPEATED_IMAGE]


def test_examples_are_the_worst_ones_and_few(clean):
    for i in range(12):
        clean["train"].add((150.0, 20.0, 3.9 - 0.1 * i, 9.0), 0, i)
    (tiny,) = found_in(clean)
    assert (tiny.count, len(tiny.examples)) == (12, MOST_EXAMPLES)
    assert tiny.examples[0].file_name == "train-11.png"
    assert tiny.examples[0].box == pytest.approx((150, 20, 2.8, 9))
    assert tiny.examples[0].annotation_id == 92


def test_crowd_regions_are_no_objects():
    image, category = ImageRecord(1, "a.png", 10, 10), Category(1, "a")
    crowd_region = Annotation(1, 1, 1, (0, 0, 10, 10), 1, 100)
    assert len(Objects.of("train", CocoSplit((image,), (category,), (crowd_region,)))) == 0


def test_the_built_in_scenes_raise_nothing_serious():
    sources = open_dataset(DatasetSpec("scenes", scenes=ScenesSpec(12, 4, 6, size=128)))
    found = suspicions(sources, input_size=256, pixels=True, progress=False)
    assert not [s for s in found if s.kind.serious]


def test_an_input_size_below_one_is_refused(clean):
    with pytest.raises(UserError, match="input size 0 is not a number of pixels"):
        suspicions(clean, input_size=0)


def test_the_lines_tell_each_split_and_then_what_is_suspicious_without_decoding(clean):
    shrink_test(clean)
    lines = summary_lines(clean, 200)
    # Both boxes have one diagonal: √(60² + 50²) / (200 √2) = 27.6 %
    sizes = "sizes 28/28/28 %"
    assert lines[0] == f"train: 40 images, 80 boxes (apple 40, pear 40); {sizes}"
    assert lines[3].startswith("test: median relative size 14 %, in train 28 %")
    assert len(lines) == 4
    assert not any(own.decoded for own in clean.values())


def test_the_lines_name_ten_suspicions_at_most(clean):
    for own in clean.values():
        own.add((0.0, 0.0, 200.0, 196.0))
        own.add((0.0, 0.0, 200.0, 200.0), image=1)
        own.add((150.0, 20.0, 3.9, 9.0))
        own.add((5.0, 170.0, 1.9, 29.0))
        own.sizes.append((200, 200))
    lines = summary_lines(clean, 200)
    assert len(lines) == 3 + MOST_LINES
    assert lines[-1].startswith("and 6 more")


sides = st.floats(5, 60)
places = st.tuples(st.floats(0, 9), st.floats(0, 9), sides, sides)


@given(st.lists(st.tuples(st.integers(0, 1), places), max_size=14), st.randoms())
def test_coinciding_boxes_are_those_of_one_image_whose_overlap_torchvision_finds(drawn, chance):
    drawn = drawn + [chance.choice(drawn) for _ in range(3 if drawn else 0)]
    image = np.array([i for i, _ in drawn], np.int64)
    boxes = np.array([box for _, box in drawn], np.float64).reshape(-1, 4)
    count = np.arange(len(drawn))
    images = tuple(ImageRecord(i, str(i), 100, 100) for i in (0, 1))
    objects = Objects("train", CocoSplit(images, (), ()), count, image, count * 0, boxes)
    corners = torch.from_numpy(np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1))
    same = (box_iou(corners, corners) > SAME_PLACE).numpy() & (image[:, None] == image)
    expected = np.argwhere(np.triu(same, 1)).tolist()
    assert sorted(coinciding_pairs(objects).tolist()) == expected


@given(st.lists(st.integers(0, 2**64 - 1), max_size=8), st.lists(st.integers(0, 63), max_size=9))
def test_hashes_are_near_if_few_bits_differ(numbers, flipped):
    turned = numbers[:1]
    for bit in flipped:
        turned = [number ^ (1 << bit) for number in turned]
    numbers = numbers + turned
    rows = [[1 if number >> bit & 1 else -1 for bit in range(64)] for number in numbers]
    expected = [
        [i, j]
        for i in range(len(numbers))
        for j in range(i + 1, len(numbers))
        if (numbers[i] ^ numbers[j]).bit_count() <= NEAR_BITS
    ]
    bits = np.array(rows, np.float32).reshape(-1, 64)
    thumbnails = np.zeros((len(numbers), 32, 32, 3), np.uint8)
    assert near_pairs(bits, thumbnails).tolist() == expected


def test_one_hash_is_not_enough_where_the_thumbnails_differ():
    thumbnails = np.zeros((2, 32, 32, 3), np.uint8)
    thumbnails[1] = 7
    assert len(near_pairs(np.ones((2, 64), np.float32), thumbnails)) == 0
    assert len(near_pairs(np.ones((2, 64), np.float32), thumbnails - (thumbnails > 0))) == 1
