"""The graph says what it is, and suppresses as PyTorch does."""

import json

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from method.detection import Selection, suppress
from method.detector import Detector
from pipelines.deploy.export.graph import export_graph, suppression_graph
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.system.errors import UserError
from tests.pipelines.deploy.export.graphs import CATEGORIES, SIZE


def test_the_file_says_what_goes_in_what_comes_out_and_by_which_rule(exported):
    detector, model = exported("custom")
    session = onnxruntime.InferenceSession(model.SerializeToString())
    (image,) = session.get_inputs()
    assert (image.name, image.type, image.shape) == ("image", "tensor(uint8)", [1, SIZE, SIZE, 3])
    assert [output.name for output in session.get_outputs()] == ["boxes", "scores", "labels"]
    stated = session.get_modelmeta().custom_metadata_map
    assert json.loads(stated["categories"])[2] == {"id": 9, "name": "grün"}
    assert json.loads(stated["selection"])["nms_iou"] == detector.config.selection.nms_iou
    assert (stated["input_size"], stated["run"]) == (str(SIZE), "custom")
    opened = OnnxDetector(model.SerializeToString())
    assert (opened.input_size, opened.categories) == (SIZE, CATEGORIES)
    assert [opset.version for opset in model.opset_import] == [18]


@given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(1, 15))
def test_suppression_is_the_one_of_pytorch(seed, above_floor, most):
    selection = Selection(score_floor=0.5, most=most)
    random = np.random.default_rng(seed)
    corners, sides = random.integers(-8, 60, (12, 2)), random.integers(1, 40, (12, 2))
    boxes = torch.from_numpy(np.hstack([corners, corners + sides])).clamp(0, SIZE)
    scores = torch.cat([torch.linspace(0.9, 0.6, above_floor), torch.linspace(0.5, 0.1, 12)])[:12]
    labels = torch.from_numpy(random.integers(1, 4, 12))
    graph = suppression_graph(12, 3, selection).SerializeToString()
    inputs = (boxes.float(), scores, labels)
    names = ("candidate_boxes", "candidate_scores", "candidate_labels")
    session = onnxruntime.InferenceSession(graph)
    found = session.run(None, {n: v.numpy() for n, v in zip(names, inputs, strict=True)})
    eligible = scores > selection.score_floor
    boxes, scores, labels = (values[eligible] for values in inputs)
    right = suppress(boxes, scores, labels, SIZE, selection)
    assert found[0].shape == (len(right.scores), 4)
    for values, expected in zip(found, (right.boxes, right.scores, right.labels), strict=True):
        np.testing.assert_array_equal(values, expected.numpy())


def test_a_rival_is_refused():
    class Rival(Detector):
        def detect(self, images):
            return []

    with pytest.raises(UserError, match="Rival: only this project's own detectors"):
        export_graph(Rival())
