"""The ONNX graph of a detector: network, decoding and suppression in one."""

from __future__ import annotations

import dataclasses
import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
import torch
from torch import nn

from method.detection import Selection
from method.detector import Detector
from method.lapnet.detector import LapNet
from method.ssd import SSD
from pipelines.data.records import Category
from pipelines.deploy.export.candidates import candidates_of
from pipelines.runs.choices import Released
from pipelines.system.errors import UserError

OPSET = 18
INPUT = "image: {kind}, 1 x {size} x {size} x 3 (NHWC), RGB from 0 to 255; normalised inside"
OUTPUTS = ("boxes", "scores", "labels")
COUNT = "num_detections"
"""The output that says how many rows of the others are detections, where their number is fixed."""
CANDIDATES = tuple(f"candidate_{name}" for name in OUTPUTS)
"""What enters suppression, inside the graph."""
OUTPUT_MEANING = (
    "boxes: float32 K x 4, x1 y1 x2 y2 in input pixels; scores: float32 K, best first; "
    "labels: int64 K, 1 for the first of the categories"
)
FIXED_OUTPUT_MEANING = (
    f"{COUNT}: int64 1, how many of the K = {{most}} rows of the others are detections, the first; "
    f"{OUTPUT_MEANING}; the rows that are none have a score of 0"
)


@dataclass(frozen=True)
class Form:
    """What a file's users need of its input and its outputs."""

    opset: int = OPSET
    float_input: bool = False
    """The image is float32, still from 0 to 255: for runtimes without `uint8` inputs."""
    fixed_outputs: bool = False
    """As many rows as are kept at most, and their number beside them: for runtimes that know the
    size of every output beforehand."""


_SUPPRESSION = """
<ir_version: {ir}, opset_import: ["": {opset}]>
suppression (float[{candidates}, 4] candidate_boxes, float[{candidates}] candidate_scores,
             int64[{candidates}] candidate_labels)
    => ({outputs})
<int64[{classes}, 1] class_numbers = {{{numbers}}}, float nothing = {{0}},
 int64[1] first = {{0}}, int64 box_column = {{2}},
 int64[1] most = {{{most}}}, int64[1] limit = {{{limit}}},
 float[1] iou = {{{iou}}}, float[1] floor = {{{floor}}}>
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
{choice}
}}
"""
_AS_MANY_AS_FOUND = """
    detected = NonZero(best)
    places = Squeeze(detected, first)
    chosen = Gather(order, places)
    boxes = Gather(candidate_boxes, chosen)
    scores = Gather(candidate_scores, chosen)
    labels = Gather(candidate_labels, chosen)"""
_AS_MANY_AS_KEPT = """
    detected = Greater(best, nothing)
    counted = Cast<to = 7>(detected)
    num_detections = ReduceSum(counted, first)
    boxes = Gather(candidate_boxes, order)
    scores = Identity(best)
    labels = Gather(candidate_labels, order)"""
"""Class by class, on candidates best first. All but the last lengths are fixed: TensorRT needs a
fixed number in TopK, so the suppressed stay in their places with a score of 0 until the end."""


def export_graph(detector: Detector, form: Form = Form()) -> onnx.ModelProto:
    """A detector's `detect` of one image as an ONNX model in float32.

    Raises:
        UserError: the detector is none of this project's own, has the released code's rules of
            inference, or the opset cannot be had.
    """
    if not isinstance(detector, SSD | LapNet):
        raise UserError(
            f"{type(detector).__name__}: only this project's own detectors can be exported, the "
            "SSDs and LapNet; a rival has an exporter of its own library"
        )
    config = detector.config
    if config.selection.in_order or config.selection.whole_pixels:
        raise UserError(
            f"{Released.SCORE_FLOOR} and {Released.WHOLE_PIXELS} cannot be exported: they are "
            "there to score the released code; score the run again without them"
        )
    network = _trace(candidates_of(detector).eval(), config.input_size, form)
    candidates = network.graph.output[1].type.tensor_type.shape.dim[0].dim_value
    joined = onnx.compose.merge_models(
        network,
        suppression_graph(candidates, config.classes, config.selection, form, network.ir_version),
        [(name, name) for name in CANDIDATES],
        name="detector",
    )
    del joined.opset_import[1:]  # one for each part
    joined.producer_name = "pipelines.export"
    onnx.checker.check_model(joined, full_check=True)
    return joined


def suppression_graph(
    candidates: int,
    classes: int,
    selection: Selection,
    form: Form = Form(),
    ir_version: int = 10,
) -> onnx.ModelProto:
    """`method.detection.suppress` in ONNX, for a fixed number of candidates, best first.

    Candidates at or below the score floor go here too.
    """
    limit = min(selection.most, candidates)
    rows = str(limit) if form.fixed_outputs else "K"
    count = f"int64[1] {COUNT}, " if form.fixed_outputs else ""
    text = _SUPPRESSION.format(
        ir=ir_version,
        opset=form.opset,
        candidates=candidates,
        classes=classes,
        numbers=", ".join(str(number) for number in range(1, classes + 1)),
        most=selection.most,
        limit=limit,
        iou=selection.nms_iou,
        floor=selection.score_floor,
        outputs=f"{count}float[{rows}, 4] boxes, float[{rows}] scores, int64[{rows}] labels",
        choice=_AS_MANY_AS_KEPT if form.fixed_outputs else _AS_MANY_AS_FOUND,
    )
    return onnx.parser.parse_model(text)


def with_candidates(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of the same graph whose outputs are the candidates, not what suppression leaves."""
    opened = onnx.ModelProto()
    opened.CopyFrom(model)
    del opened.graph.output[:]
    opened.graph.output.extend(onnx.ValueInfoProto(name=name) for name in CANDIDATES)
    return opened


def add_metadata(
    model: onnx.ModelProto,
    detector: SSD | LapNet,
    categories: Sequence[Category],
    origin: Mapping[str, str],
) -> None:
    """Say in the file what its numbers mean, as text or JSON by name.

    Args:
        model: changed in place.
        detector: what it was exported from.
        categories: of label 1, 2, …
        origin: where it comes from, name to text.
    """
    config = detector.config
    outputs = {output.name: output for output in model.graph.output}
    (image,) = model.graph.input
    kind = "float32" if image.type.tensor_type.elem_type == onnx.TensorProto.FLOAT else "uint8"
    meaning = OUTPUT_MEANING
    if COUNT in outputs:
        shape = outputs["scores"].type.tensor_type.shape
        meaning = FIXED_OUTPUT_MEANING.format(most=shape.dim[0].dim_value)
    values = {
        "input": INPUT.format(size=config.input_size, kind=kind),
        "outputs": meaning,
        "input_size": str(config.input_size),
        "categories": json.dumps([{"id": c.id, "name": c.name} for c in categories]),
        "selection": json.dumps(dataclasses.asdict(config.selection)),
        **origin,
    }
    onnx.helper.set_model_props(model, values)


def _trace(module: nn.Module, size: int, form: Form) -> onnx.ModelProto:
    kind = torch.float32 if form.float_input else torch.uint8
    blank = torch.zeros((1, size, size, 3), dtype=kind)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # of torch about itself
        program = torch.onnx.export(
            module,
            (blank,),
            dynamo=True,
            verbose=False,
            opset_version=form.opset,
            input_names=["image"],
            output_names=list(CANDIDATES),
        )
    assert program is not None
    model = program.model_proto
    if (had := model.opset_import[0].version) != form.opset:
        raise UserError(f"--opset {form.opset}: the network cannot be written in it, but in {had}")
    return model
