"""The graph says what it is, and suppresses as PyTorch does."""

import json
from dataclasses import replace

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from method.detection import Selection, suppress
from method.detector import Detector
from pipelines.deploy.export.check import compare
from pipelines.deploy.export.graph import (
    CANDIDATES,
    Form,
    add_metadata,
    export_graph,
    suppression_graph,
)
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.runs.choices import Released
from pipelines.system.errors import UserError
from tests.pipelines.deploy.export.graphs import CATEGORIES, IMAGES, SIZE, SPECS, calibrated


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


def random_candidates(seed, above_floor):
    """Twelve of three classes, best first, so many of them above 0.5: boxes, scores and labels."""
    random = np.random.default_rng(seed)
    corners, sides = random.integers(-8, 60, (12, 2)), random.integers(1, 40, (12, 2))
    boxes = torch.from_numpy(np.hstack([corners, corners + sides])).clamp(0, SIZE)
    scores = torch.cat([torch.linspace(0.9, 0.6, above_floor), torch.linspace(0.5, 0.1, 12)])[:12]
    return boxes.float(), scores, torch.from_numpy(random.integers(1, 4, 12))


def suppressed(candidates, selection):
    """As PyTorch does it."""
    boxes, scores, labels = candidates
    eligible = scores > selection.score_floor
    return suppress(boxes[eligible], scores[eligible], labels[eligible], SIZE, selection)


def run_suppression(graph, candidates):
    inputs = zip(CANDIDATES, (values.numpy() for values in candidates), strict=True)
    return onnxruntime.InferenceSession(graph.SerializeToString()).run(None, dict(inputs))


CASES = given(st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(1, 15))


@CASES
def test_suppression_is_the_one_of_pytorch(seed, above_floor, most):
    selection = Selection(score_floor=0.5, most=most)
    candidates = random_candidates(seed, above_floor)
    found = run_suppression(suppression_graph(12, 3, selection), candidates)
    right = suppressed(candidates, selection)
    assert found[0].shape == (len(right.scores), 4)
    for values, expected in zip(found, (right.boxes, right.scores, right.labels), strict=True):
        np.testing.assert_array_equal(values, expected.numpy())


@CASES
def test_outputs_of_a_fixed_size_begin_with_the_same_detections(seed, above_floor, most):
    selection = Selection(score_floor=0.5, most=most)
    candidates = random_candidates(seed, above_floor)
    graph = suppression_graph(12, 3, selection, Form(fixed_outputs=True))
    (count,), *found = run_suppression(graph, candidates)
    right = suppressed(candidates, selection)
    assert count == len(right.scores)
    assert [len(values) for values in found] == [min(most, 12)] * 3
    assert not found[1][count:].any()
    for values, expected in zip(found, (right.boxes, right.scores, right.labels), strict=True):
        np.testing.assert_array_equal(values[:count], expected.numpy())


@pytest.mark.parametrize("kind", ["custom", "lapnet"])
def test_a_file_in_another_form_finds_the_same(exported, kind):
    detector, model = exported(kind)
    other = export_graph(detector, Form(float_input=True, fixed_outputs=True))
    add_metadata(other, detector, CATEGORIES, {})
    session = onnxruntime.InferenceSession(other.SerializeToString())
    most = detector.config.selection.most
    assert [image.type for image in session.get_inputs()] == ["tensor(float)"]
    assert {output.name: output.shape for output in session.get_outputs()} == {
        "num_detections": [1],
        "boxes": [most, 4],
        "scores": [most],
        "labels": [most],
    }
    stated = session.get_modelmeta().custom_metadata_map
    assert stated["input"].startswith("image: float32, ")
    assert f"K = {most} rows" in stated["outputs"]
    images = torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    one, two = (OnnxDetector(m.SerializeToString()).detect(images) for m in (model, other))
    assert sum(len(found.scores) for found in one) > 10
    for found, known in zip(two, one, strict=True):
        for name in ("boxes", "scores", "labels"):
            assert torch.equal(getattr(found, name), getattr(known, name))
    assert not compare(detector, other, IMAGES).fault


def test_a_rival_is_refused():
    class Rival(Detector):
        def detect(self, images):
            return []

    with pytest.raises(UserError, match="Rival: only this project's own detectors"):
        export_graph(Rival())


@pytest.mark.parametrize("rule", ["score-floor", "whole-pixels"])
def test_the_released_code_s_rules_of_inference_are_refused(rule):
    detector = calibrated(replace(SPECS["custom"], released=(Released(rule),)))
    with pytest.raises(UserError, match="score-floor and whole-pixels cannot be exported"):
        export_graph(detector)
