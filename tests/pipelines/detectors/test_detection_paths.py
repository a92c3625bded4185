"""One hand-made file of detections, through every family's way out, gets pycocotools' figures."""

import contextlib
import io
import math

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from torch import nn

from baselines.tf_od.detector import TensorFlowDetector
from method.boxes import encode
from pipelines.data.prepared import PreparedSplit
from pipelines.data.records import Annotation, Box, Category, CocoSplit, ImageRecord
from pipelines.detectors.build import build_detector
from pipelines.evaluation.coco import FIGURES, match_records, score_records
from pipelines.runs.spec import DetectorName, Precision, RunSpec
from pipelines.training.run import detect_all

CPU = torch.device("cpu")
SIZE = 128
CLASSES = (Category(3, "unripe"), Category(7, "ripe"))
# Image, class, box (xywh, original pixels); the images are 256 by 384, so 2 and 3 pixels to one.
OBJECTS: list[tuple[int, int, Box]] = [
    (11, 3, (16, 24, 40, 60)),
    (11, 7, (120, 90, 80, 150)),
    (11, 3, (20, 300, 24, 30)),
    (12, 7, (60, 60, 120, 240)),
    (13, 3, (8, 12, 20, 24)),
    (13, 3, (100, 120, 60, 60)),
]
DETECTIONS = [
    {"image_id": 11, "category_id": 3, "bbox": [16, 24, 40, 60], "score": 0.875},
    {"image_id": 11, "category_id": 7, "bbox": [124, 102, 80, 150], "score": 0.75},
    {"image_id": 11, "category_id": 7, "bbox": [20, 300, 24, 30], "score": 0.5},
    {"image_id": 12, "category_id": 7, "bbox": [80, 60, 120, 240], "score": 0.25},
    {"image_id": 12, "category_id": 3, "bbox": [0, 0, 30, 30], "score": 0.9375},
    {"image_id": 13, "category_id": 3, "bbox": [8, 15, 20, 24], "score": 0.625},
    {"image_id": 13, "category_id": 3, "bbox": [100, 120, 60, 48], "score": 0.125},
]


def split():
    images = tuple(ImageRecord(i, f"{i}.png", 256, 384) for i in (11, 12, 13))
    annotations = tuple(
        Annotation(n, image, category, box, 0, box[2] * box[3])
        for n, (image, category, box) in enumerate(OBJECTS, start=1)
    )
    pixels = np.zeros((3, SIZE, SIZE, 3), np.uint8)
    return PreparedSplit(pixels, CocoSplit(images, CLASSES, annotations))


def by_image():
    """Boxes (`xyxy`, input pixels), scores and labels of each image."""
    for image in (11, 12, 13):
        found = [d for d in DETECTIONS if d["image_id"] == image]
        x, y, w, h = torch.tensor([d["bbox"] for d in found]).T
        boxes = torch.stack([x / 2, y / 3, (x + w) / 2, (y + h) / 3], dim=1)
        labels = torch.tensor([1 if d["category_id"] == 3 else 2 for d in found])
        yield boxes, torch.tensor([d["score"] for d in found]), labels


class Says(nn.Module):
    """A network that answers what it was told to."""

    def __init__(self, answer):
        super().__init__()
        self.answer = answer

    def forward(self, *_):
        return self.answer


def build(name):
    spec = RunSpec(input_size=SIZE, detector=name)
    return build_detector(spec, 2, torch.zeros((1, 3, SIZE, SIZE)))


def detectron2():
    detector = build(DetectorName.RETINANET_R50)
    detector.model = Says(
        [
            {
                "instances": Instances(
                    (SIZE, SIZE), pred_boxes=Boxes(boxes), scores=scores, pred_classes=labels - 1
                )
            }
            for boxes, scores, labels in by_image()
        ]
    )
    return detector


def torchvision():
    detector = build(DetectorName.SSDLITE)
    detector.model = Says([{"boxes": b, "scores": s, "labels": k} for b, s, k in by_image()])
    return detector


def tensorflow():
    """Without TensorFlow: what its process would send."""
    most = max(len(scores) for _, scores, _ in by_image())

    def padded(values, fill):
        room = (most - len(values), *values.shape[1:])
        return torch.cat([values, torch.full(room, fill, dtype=values.dtype)])

    found = list(by_image())
    answer = {
        "boxes": torch.stack([padded(b / SIZE, 0.0) for b, _, _ in found]).numpy(),
        "scores": torch.stack([padded(s, 0.0) for _, s, _ in found]).numpy(),
        "labels": torch.stack([padded(k, 1) for _, _, k in found]).numpy(),
        "counts": np.array([len(s) for _, s, _ in found]),
    }

    class Process:
        def ask(self, request, arrays):
            assert request == "detect"
            assert arrays["images"].shape == (3, SIZE, SIZE, 3)
            return {}, answer

    detector = TensorFlowDetector.__new__(TensorFlowDetector)
    nn.Module.__init__(detector)
    detector.input_size = SIZE
    detector.process = Process()  # type: ignore[assignment]
    return detector


def own():
    """One anchor of the SSD says each detection; all others say background."""
    detector = build(DetectorName.SCALE_AWARE_SSD)
    logits = torch.full((3, len(detector.anchors), 3), -math.inf)
    logits[..., 0] = 0
    offsets = torch.zeros((3, len(detector.anchors), 4))
    for i, (boxes, scores, labels) in enumerate(by_image()):
        anchors = torch.arange(len(boxes))
        logits[i, anchors, labels] = torch.log(scores / (1 - scores))
        offsets[i, anchors] = encode(boxes, detector.anchors[: len(boxes)])
    detector.forward = lambda images: (logits, offsets)
    return detector


@pytest.fixture(scope="module")
def expected():
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = split().coco.to_coco()
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes(DETECTIONS), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return dict(zip(FIGURES, (100 * figure for figure in evaluation.stats), strict=True))


@pytest.mark.parametrize("path", [own, torchvision, detectron2, tensorflow])
def test_every_path_gives_the_twelve_figures_of_the_file(path, expected):
    data = split()
    found = detect_all(path(), data, RunSpec(precision=Precision.FP32), CPU)
    assert len(found) == len(DETECTIONS)
    figures = score_records(match_records(data.coco.to_coco(), found)).figures
    assert figures == pytest.approx(expected, nan_ok=True)
    assert 20 < figures["AP"] < 80
