"""The scale-aware SSD's released code as an outside oracle, where a clone of it is at hand.

    git clone https://github.com/up2metric/scale-aware-SSD ../released
    RELEASED_CODE=../released python -m pytest tests/pipelines/detectors/test_released_code.py

It has one commit, 45ed549, under CC BY-NC-SA 4.0; nothing of it is in this project. Its network,
targets, loss and detections are held to ours with all switches of `released` on.
"""

import os
from importlib import import_module
from types import SimpleNamespace

import pytest
import torch
from torchvision import models
from torchvision.ops import box_convert

from method.choices import Sampler
from method.losses import classification_loss, localisation_loss
from method.samplers import Sampling, sample_negatives
from method.ssd import PAPER_ANCHORS, SSD
from pipelines.detectors.ssd import ssd_config
from pipelines.runs.choices import Released
from pipelines.runs.spec import RunSpec

CLONE = os.environ.get("RELEASED_CODE", "")
pytestmark = pytest.mark.skipif(not CLONE, reason="no clone of the released code: RELEASED_CODE")

WEIGHTS = (1.0, 4.0, 3.7)
EXTRAS = {
    "extras.0.0": "conv1_1",
    "extras.0.2": "conv1_2",
    "extras.1.0": "conv2_1",
    "extras.1.2": "conv2_2",
}


@pytest.fixture(scope="module")
def theirs():
    """The parts of the released program, without ImageNet's weights and on the CPU."""
    plain = models.mobilenet_v2
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(CLONE)
        patch.setattr(models, "mobilenet_v2", lambda pretrained: plain())
        patch.setattr(torch.cuda, "DoubleTensor", torch.DoubleTensor)
        make = import_module("scaleSSD.models.custom_ssd").create_detection_model
        sides = [[int(side)] for side in PAPER_ANCHORS]
        (network, decoder, suppression), encoder = make(sides, 4, [512, 512])
        loss = import_module("scaleSSD.utils.losses").ODLoss
        yield SimpleNamespace(
            network=network, decoder=decoder, suppression=suppression, encoder=encoder, loss=loss
        )


@pytest.fixture(scope="module")
def ours():
    spec = RunSpec(
        input_size=512,
        sampler=Sampler.DNS,
        attach=(6, 10),
        anchors=PAPER_ANCHORS,
        class_weights=WEIGHTS,
        released=tuple(set(Released) - {Released.NO_VARIANCES, Released.MINE_OVER_BATCH}),
    )
    return SSD(ssd_config(spec, classes=3))


def name_there(name):
    """Of one of our weights."""
    layer, _, rest = name.partition(".")
    number, _, last = rest.partition(".")
    if layer == "encoder":
        return f"mnet_branch_{1 if int(number) < 7 else 2}.{rest}"
    if layer == "extras":
        place, _, last = last.partition(".")
        return f"{EXTRAS[f'extras.{number}.{place}']}.{last}"
    return f"{'cls' if layer == 'class_heads' else 'reg'}_branches.{rest}"


def test_the_networks_are_equal(theirs, ours):
    state = {k: v for k, v in ours.state_dict().items() if k not in ("mean", "std")}
    theirs.network.load_state_dict({name_there(name): value for name, value in state.items()})
    images = torch.randint(0, 256, (2, 3, 512, 512), dtype=torch.uint8)
    with torch.no_grad():
        known = theirs.network.eval()((images - ours.mean) / ours.std)
        found = ours.eval()(images)
    assert torch.equal(found[0], known[0])
    assert torch.equal(found[1], known[1])


def objects(seed, count=30):
    """Boxes (`xyxy`) and labels of a crowded image."""
    generator = torch.Generator().manual_seed(seed)
    sides = 6 + 100 * torch.rand((count, 2), generator=generator) ** 2
    corners = torch.rand((count, 2), generator=generator) * (512 - sides)
    labels = torch.randint(1, 4, (count,), generator=generator)
    return torch.cat([corners, corners + sides], dim=1), labels


@pytest.mark.parametrize("seed", range(5))
def test_the_targets_are_equal(theirs, ours, seed):
    """But for cells that no object touches, which the released code never looks at."""
    boxes, labels = objects(seed)
    whole = box_convert(boxes, "xyxy", "xywh").int().numpy()
    known_labels, known_offsets = theirs.encoder.encode_annos(whole, labels.numpy())
    known_labels = known_labels.squeeze(1).long()
    found = ours.match(boxes, labels)
    dense = torch.zeros_like(known_labels)
    dense[found.anchors] = found.labels
    beyond = dense != known_labels
    assert beyond.sum() < 10
    assert not known_labels[beyond].any()
    assert not touched(ours, boxes)[beyond].any()
    both = ~beyond[found.anchors]
    assert both.sum() > 50
    assert torch.equal(known_labels[found.anchors][both], found.labels[both])
    torch.testing.assert_close(
        found.offsets[both].double(), known_offsets[found.anchors][both], rtol=0, atol=1e-5
    )


def touched(detector, boxes):
    """Anchors whose cell some object touches."""
    stride = torch.cat([torch.full(((512 // f.stride) ** 2,), f.stride) for f in detector.fields])[
        :, None
    ]
    low = detector.anchors[:, :2].div(stride, rounding_mode="floor") * stride
    apart = (low[:, None] >= boxes[:, 2:]) | (low[:, None] + stride[:, None] <= boxes[:, :2])
    return ~apart.any(dim=2).all(dim=1)


@pytest.mark.parametrize(
    ("name", "sampling"),
    [
        ("dns", Sampling(Sampler.DNS, limit=10_000)),
        ("basic", Sampling(Sampler.BASIC, over_batch=True, limit=600)),
    ],
)
@pytest.mark.parametrize("background", [-1.0, 2.0, 6.0])
def test_the_losses_and_their_gradients_are_equal(theirs, name, sampling, background):
    """With more than 10,000 negatives that are taken for objects, with some, and with few."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((4, 5440, 4), generator=generator)
    logits[..., 0] += background
    labels = torch.randint(1, 4, (4, 5440), generator=generator)
    labels[torch.rand((4, 5440), generator=generator) > 0.01] = 0
    offsets, targets = torch.randn((2, 4, 5440, 4), generator=generator)
    gradients = []
    for of_theirs in (True, False):
        scores, boxes = logits.clone().requires_grad_(), offsets.clone().requires_grad_()
        if of_theirs:
            loss = theirs.loss(sampling.limit, name, list(WEIGHTS))(
                (scores, boxes), (labels[..., None].double(), targets.double())
            )
        else:
            positive = labels > 0
            sampled = positive | sample_negatives(scores, labels, sampling)
            weights = torch.tensor([1.0, *WEIGHTS])
            loss = classification_loss(scores, labels, sampled, weights, softmax_twice=True)
            loss = loss + localisation_loss(boxes, targets, positive)
        loss.backward()
        gradients.append((loss.detach(), scores.grad, boxes.grad))
    for known, found in zip(*gradients, strict=True):
        torch.testing.assert_close(found, known)


def test_the_detections_are_equal(theirs, ours):
    """Inside the image: the released code does not cut boxes at its edge."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((1, 5440, 4), generator=generator) * 2
    inside = ((ours.anchors[:, :2] > 130) & (ours.anchors[:, :2] < 382)).all(dim=1)
    logits[:, ~inside, 0] = 20
    offsets = torch.tensor([0.0, 0, 1, 1]) + 0.1 * torch.randn((1, 5440, 4), generator=generator)
    *_, boxes, scores, labels = theirs.suppression(theirs.decoder((logits, offsets)))
    known = [
        (*map(int, box), round(score, 5), label)
        for box, score, label in zip(
            boxes[0].tolist(), scores[0].tolist(), labels[0].tolist(), strict=True
        )
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SSD, "__call__", lambda self, images: (logits, offsets))
        (detections,) = ours.detect(torch.zeros(1, 3, 512, 512, dtype=torch.uint8))
    xywh = box_convert(detections.boxes, "xyxy", "xywh")
    found = [
        (*map(int, box), round(score, 5), label)
        for box, score, label in zip(
            xywh.tolist(), detections.scores.tolist(), detections.labels.tolist(), strict=True
        )
    ]
    assert len(known) > 30
    assert sorted(found) == sorted(known)
