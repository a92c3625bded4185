"""Quantisation: which images calibrate it, and what it leaves in float."""

import re

import numpy as np
import onnx
import torch
from hypothesis import given
from hypothesis import strategies as st

from pipelines.deploy.export.int8 import Target, choose_calibration, quantise
from pipelines.deploy.export.onnx_detector import OnnxDetector
from tests.pipelines.deploy.export.graphs import CATEGORIES, IMAGES


@given(st.integers(1, 40), st.integers(1, 40))
def test_calibration_images_are_spread_evenly(images, count):
    chosen = choose_calibration(np.arange(images), count)
    assert len(chosen) == min(images, count) == len(set(chosen.tolist()))
    assert np.ptp(np.diff(chosen)) <= 1 if len(chosen) > 2 else True


def test_int8_keeps_metadata_and_decoding_in_float(exported, tmp_path):
    model = exported("custom")[1]
    whole, small = tmp_path / "model.onnx", tmp_path / "model-int8.onnx"
    onnx.save(model, whole)
    quantise(whole, small, IMAGES)
    opened = OnnxDetector(small)
    assert opened.categories == CATEGORIES
    found = opened.detect(torch.from_numpy(IMAGES).permute(0, 3, 1, 2))
    assert all(len(of_image.scores) for of_image in found)
    fed = {
        name
        for node in onnx.load(small).graph.node
        for name in node.input
        if node.op_type in ("Softmax", "TopK", "NonMaxSuppression", "Exp")
    }
    assert not any(re.search("quant", name, re.IGNORECASE) for name in fed)


def test_for_tensorrt_every_scale_is_symmetric_and_signed(exported, tmp_path):
    """Its engines refuse other zero points than 0, and quantised biases."""
    model = exported("custom")[1]
    onnx.save(model, tmp_path / "model.onnx")
    quantise(tmp_path / "model.onnx", tmp_path / "int8.onnx", IMAGES, Target.TENSORRT)
    graph = onnx.load(tmp_path / "int8.onnx").graph
    values = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    quantisers = [n for n in graph.node if n.op_type in ("QuantizeLinear", "DequantizeLinear")]
    zero_points = [values[node.input[2]] for node in quantisers]
    assert len(zero_points) > 50
    assert {(str(zero.dtype), bool(zero.any())) for zero in zero_points} == {("int8", False)}
    found = OnnxDetector(tmp_path / "int8.onnx").detect(
        torch.from_numpy(IMAGES).permute(0, 3, 1, 2)
    )
    assert all(len(of_image.scores) for of_image in found)
