"""That LapNet's assignment and losses keep within the memory they state, by torch's own log."""

import pytest
import torch

from method.lapnet.choices import ClassificationLoss
from method.lapnet.detector import LapNet, LapNetConfig
from pipelines.training.benchmark import peak_memory

CPU = torch.device("cpu")
SIZE, CLASSES, SHAPES, IMAGES = 128, 40, 4, 2
CELLS = (SIZE // 8) ** 2
MIB = 2**20


def test_the_peak_is_of_what_is_held_at_once():
    kept = []

    def work():
        first = torch.zeros(3 * MIB, dtype=torch.uint8)
        del first
        kept.append(torch.zeros(MIB, dtype=torch.uint8))
        kept.append(torch.zeros(MIB, dtype=torch.uint8).clone())

    assert peak_memory(work, CPU) == 3 * MIB


def objects(count, smallest, largest, labels):
    generator = torch.Generator().manual_seed(count)
    sides = smallest + (largest - smallest) * torch.rand((count, 2), generator=generator)
    corners = (SIZE - sides) * torch.rand((count, 2), generator=generator)
    return torch.cat([corners, corners + sides], dim=1), labels


CROWDS = {
    "every object of its own class and as large as the image": objects(
        CLASSES, SIZE - 1, SIZE, torch.arange(CLASSES) + 1
    ),
    "one class, many small objects, some of them nobody's best": objects(
        150, 2, 20, torch.ones(150, dtype=torch.int64)
    ),
    "a few objects of a few classes": objects(7, 20, 60, torch.tensor([1, 1, 1, 2, 2, 3, 9])),
}


def lapnet(crowd, loss=ClassificationLoss.CROSS_ENTROPY):
    config = LapNetConfig(CLASSES, SIZE, anchors_a_class=SHAPES, loss=loss)
    detector = LapNet(config, seed=0)
    detector.fit_to_objects([crowd[0]], [crowd[1]])
    return detector


@pytest.mark.parametrize("crowd", CROWDS.values(), ids=CROWDS)
def test_matching_holds_no_more_than_64_bytes_for_an_object_and_anchor_of_its_class(crowd):
    detector = lapnet(crowd)
    held = peak_memory(lambda: detector.match(*crowd), CPU)
    assert held <= 64 * len(crowd[0]) * SHAPES * CELLS


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("crowd", CROWDS.values(), ids=CROWDS)
@pytest.mark.parametrize(
    ("loss", "of_an_anchor"),
    [(ClassificationLoss.CROSS_ENTROPY, 24), (ClassificationLoss.FOCAL, 56)],
)
def test_the_losses_hold_no_more_than_they_state(loss, of_an_anchor, crowd, dtype):
    detector = lapnet(crowd, loss)
    grids = CLASSES * SHAPES
    logits, offsets = (
        torch.zeros((IMAGES, CELLS, maps * grids), dtype=dtype)
        .mT.unflatten(2, (SIZE // 8, -1))
        .requires_grad_()
        for maps in (1, 4)
    )
    matches = [detector.match(*crowd)] * IMAGES

    def work():
        terms = detector.losses_of(logits, offsets, matches).terms
        torch.stack(list(terms.values())).sum().backward()

    assigned = sum(len(match.anchors) for match in matches)
    held = peak_memory(work, CPU)
    assert logits.grad is not None
    assert offsets.grad is not None
    assert held <= of_an_anchor * logits.numel() + 192 * assigned
