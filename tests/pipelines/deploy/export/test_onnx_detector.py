"""A file as a detector: what it finds, and which files are refused."""

import onnx
import pytest
import torch

from method.detection import Selection
from pipelines.deploy.export.graph import suppression_graph
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.system.errors import UserError
from tests.pipelines.deploy.export.graphs import SIZE, without_detections


def test_an_image_without_objects_has_no_detections(exported):
    model = without_detections(exported("custom")[1])
    found = OnnxDetector(model.SerializeToString()).detect(torch.zeros(1, 3, SIZE, SIZE).byte())[0]
    assert (found.boxes.shape, found.scores.shape, found.labels.shape) == ((0, 4), (0,), (0,))


def test_a_file_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.onnx"
    onnx.save(suppression_graph(5, 2, Selection()), path)
    with pytest.raises(UserError, match=r"other\.onnx: does not state its classes"):
        OnnxDetector(path)
    path.write_bytes(b"no model")
    with pytest.raises(UserError, match=r"other\.onnx: cannot be opened"):
        OnnxDetector(path)
