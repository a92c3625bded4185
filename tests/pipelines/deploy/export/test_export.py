"""Export: the file detects what PyTorch detects, says what it is, and no wrong one is left."""

import copy
import json
import re
import sys
from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from method.detection import Detections, Selection, suppress
from method.detector import Detector
from method.lapnet.detector import LapNet
from pipelines import export as command
from pipelines.data.prepared import prepare
from pipelines.data.records import Category
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.deploy.export import export as exporting
from pipelines.deploy.export.check import Agreement, compare, compare_candidates, compare_detections
from pipelines.deploy.export.graph import add_metadata, export_graph, suppression_graph
from pipelines.deploy.export.int8 import choose_calibration, quantise
from pipelines.deploy.export.onnx_detector import OnnxDetector
from pipelines.detectors.build import build_detector
from pipelines.detectors.trained import TrainedRun
from pipelines.runs.spec import DetectorName, Released, RunSpec
from pipelines.system.errors import UserError
from tests.pipelines.records import record_of

SIZE = 64
CATEGORIES = (Category(4, "ripe"), Category(7, "semi-ripe"), Category(9, "grün"))
IMAGES = np.random.default_rng(0).integers(0, 256, (4, SIZE, SIZE, 3), dtype=np.uint8)
SPECS = {
    "custom": RunSpec(input_size=SIZE, width=0.25),
    "original": RunSpec(
        input_size=SIZE,
        width=0.25,
        detector=DetectorName.SSD_MOBILENET_V2,
        released=(Released.SCORE_FLOOR,),
    ),
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


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def exported():
    """Detector and model of each kind, made when first asked for."""
    made = {}

    def get(kind):
        if kind not in made:
            detector = calibrated(SPECS[kind])
            model = export_graph(detector)
            add_metadata(model, detector, CATEGORIES, {"run": kind})
            made[kind] = detector, model
        return made[kind]

    return get


@pytest.mark.parametrize("kind", SPECS)
def test_the_file_detects_what_pytorch_detects(exported, kind):
    detector, model = exported(kind)
    comparison = compare(detector, model, IMAGES)
    assert comparison.fault is None
    assert comparison.detections.pairs > 20
    for agreement in (comparison.candidates, comparison.detections):
        assert agreement.box_pixels < 0.01
        assert agreement.score < 1e-4


@pytest.mark.parametrize("kind", ["custom", "lapnet"])
def test_all_candidates_are_compared(exported, kind):
    detector, model = exported(kind)
    (scores,) = [v for v in model.graph.value_info if v.name == "candidate_scores"]
    count = scores.type.tensor_type.shape.dim[0].dim_value
    assert compare(detector, model, IMAGES).candidates.pairs == count * len(IMAGES)


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


@pytest.mark.parametrize("factor", [2, np.nan])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("custom", "detector.class_heads.0.weight"),
        ("custom", "detector.box_heads.0.weight"),
        ("lapnet", "detector.network.scores.4.bias"),
        ("lapnet", "detector.network.offsets.4.weight"),
    ],
)
def test_a_file_with_other_weights_is_told_though_neither_finds_anything(
    exported, kind, name, factor
):
    detector, model = copy.copy(exported(kind)[0]), without_detections(exported(kind)[1])
    selection = replace(detector.config.selection, score_floor=1)
    detector.config = replace(detector.config, selection=selection)
    right, wrong = (compare(detector, m, IMAGES) for m in (model, tampered(model, name, factor)))
    assert right.detections == wrong.detections == Agreement(0, 0.0, 0.0, 0)
    assert right.fault is None
    assert wrong.fault is not None
    assert "differs from PyTorch" in wrong.fault


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


def test_an_image_without_objects_has_no_detections(exported):
    model = without_detections(exported("custom")[1])
    found = OnnxDetector(model.SerializeToString()).detect(torch.zeros(1, 3, SIZE, SIZE).byte())[0]
    assert (found.boxes.shape, found.scores.shape, found.labels.shape) == ((0, 4), (0,), (0,))


def detections(*rows):
    """Of `x, score, label`: squares of side 10."""
    boxes = torch.tensor([[x, 0, x + 10, 10] for x, _, _ in rows], dtype=torch.float32)
    return Detections(
        boxes.reshape(-1, 4),
        torch.tensor([score for _, score, _ in rows]),
        torch.tensor([label for _, _, label in rows], dtype=torch.int64),
    )


@pytest.mark.parametrize(
    ("other", "alone"),
    [
        (detections((5.4, 0.9, 1), (30, 0.5, 2)), 0),
        (detections((30, 0.5005, 2), (5, 0.9, 1)), 0),
        (detections((5.6, 0.9, 1), (30, 0.5, 2)), 2),
        (detections((5, 0.902, 1), (30, 0.5, 2)), 2),
        (detections((5, 0.9, 2), (30, 0.5, 2)), 2),
        (detections((5, 0.9, 1), (5, 0.9, 1), (30, 0.5, 2)), 1),
        (detections((5, 0.9, 1)), 1),
        (detections(), 2),
    ],
)
def test_detections_apart_by_more_than_the_tolerance_stand_alone(other, alone):
    one = detections((5, 0.9, 1), (30, 0.5, 2))
    assert compare_detections(one, other, Selection()).alone == alone
    assert compare_detections(other, one, Selection()).alone == alone


def test_a_detection_on_the_verge_of_a_limit_may_be_missing():
    one, other = detections((5, 0.9, 1), (30, 0.5, 2)), detections((5, 0.9, 1), (70, 0.4995, 1))
    assert compare_detections(one, other, Selection()).alone == 2
    assert compare_detections(one, other, Selection(most=2)).alone == 0
    assert compare_detections(one, other, Selection(score_floor=0.4995)).alone == 0


def test_what_rounding_parts_is_the_same():
    one, other = detections((5, 0.9, 1)), detections((6, 0.9, 1))
    for compare_them in (compare_candidates, compare_detections):
        assert compare_them(one, other, Selection()).alone > 0
        assert compare_them(one, other, Selection(whole_pixels=True)).alone == 0


def test_a_rival_is_refused():
    class Rival(Detector):
        def detect(self, images):
            return []

    with pytest.raises(UserError, match="Rival: only this project's own detectors"):
        export_graph(Rival())


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
    fed = {name for node in onnx.load(small).graph.node for name in node.input
           if node.op_type in ("Softmax", "TopK", "NonMaxSuppression", "Exp")}  # fmt: skip
    assert not any(re.search("quant", name, re.IGNORECASE) for name in fed)


@pytest.fixture
def command_line(exported, monkeypatch, tmp_path):
    """Call `main` on a run folder whose graph is already there; detector as trained."""
    detector, model = exported("custom")
    folder = tmp_path / "a-run"
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "run.json").write_text(json.dumps(record_of(SPECS["custom"])))
    run = TrainedRun("a-run", SPECS["custom"], detector, CATEGORIES)
    monkeypatch.setattr(exporting, "open_run", lambda path: run)
    monkeypatch.setattr(exporting, "export_graph", lambda detector, opset: model)
    monkeypatch.chdir(tmp_path)

    def call(*options):
        monkeypatch.setattr(sys, "argv", ["export", str(folder), "--images", "2", *options])
        command.main()

    return call


def test_one_file_is_written_and_what_was_checked_is_said(command_line, tmp_path, capsys):
    command_line("--out", "out/my model.onnx")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["my model.onnx"]
    said = capsys.readouterr().out
    assert re.search(
        r"on 2 drawn scenes .*\ncandidates: \d+ agree, .*\ndetections: \d+ agree, ", said
    )
    assert OnnxDetector(tmp_path / "out" / "my model.onnx").categories == CATEGORIES


def test_int8_is_written_beside_and_its_cost_said(command_line, monkeypatch, tmp_path, capsys):
    scenes = open_dataset(DatasetSpec("scenes", scenes=ScenesSpec(train=2, val=1, test=2)))
    prepare(scenes, tmp_path / "data", SIZE, progress=False)
    monkeypatch.setattr(exporting, "ensure_prepared", lambda dataset, size, fold: tmp_path / "data")
    command_line("--out", "out/model.onnx", "--int8", "5")
    written = {path.name for path in (tmp_path / "out").iterdir()}
    assert written == {"model.onnx", "model-int8.onnx"}
    said = capsys.readouterr().out
    stated = re.search(r"calibrated on 2 training images; AP on 2 .* it costs (\S+)", said)
    assert stated is not None
    assert abs(float(stated[1])) <= 100


def test_a_file_that_detects_something_else_is_not_left(
    command_line, exported, monkeypatch, tmp_path, capsys
):
    wrong = without_detections(exported("custom")[1])
    monkeypatch.setattr(exporting, "export_graph", lambda detector, opset: wrong)
    with pytest.raises(SystemExit) as stop:
        command_line("--out", "out/model.onnx")
    assert stop.value.code == 1
    assert not list((tmp_path / "out").iterdir())
    assert "out/model.onnx is not written" in capsys.readouterr().err


def every(*rows):
    """All candidates of PyTorch, of `x, score, label`, best first."""
    return detections(*sorted(rows, key=lambda row: -row[1]))


KNOWN = every((5, 0.9, 1), (30, 0.5, 2), (50, 0.01, 1), (60, 0.01, 2), (70, 0.0, 1))


@pytest.mark.parametrize(
    ("found", "pairs", "alone"),
    [
        (detections((5, 0.9, 1), (30, 0.5, 2), (60, 0.01, 2)), 3, 0),
        (detections((5, 0.9, 1), (30, 0.5, 2), (50, 0.01, 1), (60, 0.01, 2), (9, 0.0, 1)), 4, 0),
        (detections((5.6, 0.9, 1), (30, 0.5, 2)), 1, 1),
        (detections((5, 0.9, 2), (30, 0.5, 2)), 1, 1),
        (detections((5, 0.9, 1), (30, 0.501, 2)), 1, 1),
        (detections((5, 0.9, 1), (30, 0.5, 2), (50, 0.0101, 1)), 2, 1),
        (detections((5, 0.9, 1), (50, 0.01, 1)), 1, 1),
        (detections((5, 0.9, 1), (30, 0.5, 2), (50, 0.01, 1), (60, 0.01, 2), (70, 0.1, 1)), 4, 1),
        (detections((5, 0.9, 1), (30, float("nan"), 2)), 1, 1),
        (detections((5, 0.9, 1), (float("nan"), 0.5, 2)), 1, 1),
    ],
)
def test_candidates_are_looked_up_with_box_score_class_and_order(found, pairs, alone):
    agreement = compare_candidates(found, KNOWN, Selection())
    assert (agreement.pairs, agreement.alone) == (pairs, alone)


@pytest.fixture
def first_weights(monkeypatch, tmp_path):
    """Call `main` on the folder of a LapNet that has learned nothing."""
    detector = build_detector(SPECS["lapnet"], 3, torch.from_numpy(IMAGES).permute(0, 3, 1, 2))
    folder = tmp_path / "untrained"
    folder.mkdir()
    save_file(detector.state_dict(), folder / "model.safetensors")
    record = record_of(SPECS["lapnet"], classes=[category.name for category in CATEGORIES])
    (folder / "run.json").write_text(json.dumps(record))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["export", str(folder), "--images", "2"])
    return command.main


def test_a_detector_that_finds_nothing_is_exported_by_its_candidates(
    first_weights, tmp_path, capsys
):
    first_weights()
    said = capsys.readouterr().out
    assert re.search(r"candidates: 2000 agree, .*; 0 stand alone\ndetections: 0 agree", said)
    assert (tmp_path / "untrained.onnx").exists()


def test_a_wrong_file_of_a_detector_that_finds_nothing_is_not_left(
    first_weights, monkeypatch, tmp_path, capsys
):
    monkeypatch.setattr(
        exporting,
        "export_graph",
        lambda *arguments: tampered(export_graph(*arguments), "detector.network.scores.4.bias"),
    )
    with pytest.raises(SystemExit) as stop:
        first_weights()
    assert stop.value.code == 1
    said = capsys.readouterr()
    assert "detections: 0 agree, boxes within 0 px, scores within 0; 0 stand alone" in said.out
    assert "untrained.onnx is not written: it differs from PyTorch by more than" in said.err
    assert not (tmp_path / "untrained.onnx").exists()


def test_a_check_that_compared_nothing_is_a_failure():
    blind = calibrated(SPECS["original"])
    with torch.no_grad():
        for head in blind.class_heads:
            head.weight.zero_()
            head.bias.copy_(torch.tensor([50.0, 0, 0, 0]).repeat(len(head.bias) // 4))
    model = export_graph(blind)
    add_metadata(model, blind, CATEGORIES, {})
    fault = compare(blind, model, IMAGES).fault
    assert fault is not None
    assert "no image has a candidate to compare" in fault


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "model.pt"], r"model\.pt: give a file that ends in \.onnx"),
        (["--int8", "0"], r"--int8 must be 1 or more, not 0"),
    ],
)
def test_wrong_options_are_refused(command_line, options, message):
    with pytest.raises(UserError, match=message):
        command_line(*options)


def test_a_file_of_another_program_is_refused(tmp_path):
    path = tmp_path / "other.onnx"
    onnx.save(suppression_graph(5, 2, Selection()), path)
    with pytest.raises(UserError, match=r"other\.onnx: does not state its classes"):
        OnnxDetector(path)
    path.write_bytes(b"no model")
    with pytest.raises(UserError, match=r"other\.onnx: cannot be opened"):
        OnnxDetector(path)
