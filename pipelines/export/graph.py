"""The ONNX graph of a detector: network, decoding and suppression in one."""

from __future__ import annotations

import dataclasses
import json
import logging
import warnings
from collections.abc import Sequence

import onnx
import torch
from torch import nn

from method.detection import Selection
from method.detector import Detector
from method.lapnet.detector import LapNet
from method.ssd import SSD
from pipelines.data.records import Category
from pipelines.errors import UserError
from pipelines.export.candidates import LapNetCandidates, SSDCandidates

OPSET = 18
OPSETS = range(17, 24)
INPUT = "image: uint8, 1 x S x S x 3, RGB, rows from the top; normalised inside"
OUTPUTS = ("boxes", "scores", "labels")
"""K×4 float32 `xyxy` in input pixels, K float32 best first, K int64 from 1."""

_SUPPRESSION = """
<ir_version: 10, opset_import: ["": {opset}]>
suppression (float[N, 4] candidate_boxes, float[N] candidate_scores, int64[N] candidate_labels)
    => (float[K, 4] boxes, float[K] scores, int64[K] labels)
<int64[{classes}, 1] class_numbers = {{{numbers}}}, float nothing = {{0}},
 int64[1] first = {{0}}, int64 box_column = {{2}},
 int64[1] most = {{{most}}}, float[1] iou = {{{iou}}}, float[1] floor = {{{floor}}}>
{{
    of_class = Equal(candidate_labels, class_numbers)
    class_scores = Where(of_class, candidate_scores, nothing)
    nms_boxes = Unsqueeze(candidate_boxes, first)
    nms_scores = Unsqueeze(class_scores, first)
    selected = NonMaxSuppression(nms_boxes, nms_scores, most, iou, floor)
    kept = Gather<axis = 1>(selected, box_column)
    kept_scores = Gather(candidate_scores, kept)
    no_scores = Mul(candidate_scores, nothing)
    scores_or_nothing = ScatterElements(no_scores, kept, kept_scores)
    best, order = TopK(scores_or_nothing, limit)
    detected = NonZero(best)
    places = Squeeze(detected, first)
    chosen = Gather(order, places)
    boxes = Gather(candidate_boxes, chosen)
    scores = Gather(candidate_scores, chosen)
    labels = Gather(candidate_labels, chosen)
}}
"""
"""Class by class on N candidates, best first. All but the last lengths are fixed: TensorRT needs a
fixed number in TopK, so the suppressed stay in their places with a score of 0 until the end."""


def export_graph(detector: Detector, opset: int = OPSET) -> onnx.ModelProto:
    """A detector's `detect` for one image as an ONNX model of float32.

    Raises:
        UserError: the detector is none of this project's own, or the opset cannot be had.
    """
    config = own_config(detector)
    assert isinstance(detector, SSD | LapNet)
    size = config.input_size
    module = SSDCandidates(detector) if isinstance(detector, SSD) else LapNetCandidates(detector)
    network = _trace(module.eval(), size, opset)
    candidates = network.graph.output[1].type.tensor_type.shape.dim[0].dim_value
    tail = _suppression(config.classes, config.selection, candidates, opset)
    joined = onnx.compose.merge_models(
        network, tail, [(f"candidate_{name}", f"candidate_{name}") for name in OUTPUTS]
    )
    onnx.checker.check_model(joined, full_check=True)
    return joined
