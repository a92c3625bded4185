"""Small untrained detectors, and graphs that were tampered with."""

import numpy as np
import onnx
import torch

from method.detection import Detections
from method.lapnet.detector import LapNet
from pipelines.data.records import Category
from pipelines.detectors.build import build_detector
from pipelines.runs.spec import DetectorName, RunSpec

SIZE = 64
CATEGORIES = (Category(4, "ripe"), Category(7, "semi-ripe"), Category(9, "grün"))
IMAGES = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)
SPECS = {
    "custom": RunSpec(input_size=SIZE, width=0.25),
    "original": RunSpec(input_size=SIZE, width=0.25, detector=DetectorName.SSD_MOBILENET_V2),
    "shapes": RunSpec(input_size=SIZE, width=0.25, aspect_ratios=(0.5, 1.0, 2.0)),
    "lapnet": RunSpec(input_size=SIZE, detector=DetectorName.LAPNET),
}


def calibrated(spec):
    """An untrained detector whose scores are as spread as a trained one's."""
    batch = torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    detector = build_detector(spec, len(CATEGORIES), batch)
    for norm in (m for m in detector.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.momentum = None
    with torch.no_grad():
        detector.train()(batch)
        if isinstance(detector, LapNet):
            detector.network.scores[-1].get_parameter("weight").mul_(8)
    return detector.eval()


def without_detections(model):
    """The same with a score floor of 1, which no score exceeds."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    floor = next(value for value in other.graph.initializer if value.name == "floor")
    floor.CopyFrom(onnx.numpy_helper.from_array(np.array([1], np.float32), "floor"))
    return other


def tampered(model, name, factor=2):
    """With other weights of this name."""
    other = onnx.ModelProto()
    other.CopyFrom(model)
    (tensor,) = [tensor for tensor in other.graph.initializer if tensor.name == name]
    values = onnx.numpy_helper.to_array(tensor) * np.float32(factor)
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))
    return other


def detections(*rows):
    """Of `x, score, label`: squares of side 10."""
    boxes = torch.tensor([[x, 0, x + 10, 10] for x, _, _ in rows], dtype=torch.float32)
    return Detections(
        boxes.reshape(-1, 4),
        torch.tensor([score for _, score, _ in rows]),
        torch.tensor([label for _, _, label in rows], dtype=torch.int64),
    )
