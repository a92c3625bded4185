"""Prediction: any model, any file, boxes in the picture's own pixels, nothing half-written."""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path, PurePosixPath

import av
import numpy as np
import onnx
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO
from safetensors.torch import save_file

from method.detection import Detections
from method.detector import Detector
from method.ssd import SSD
from pipelines import predict as command
from pipelines.data.records import Category
from pipelines.data.tiling import Tiling
from pipelines.deploy.export.graph import add_metadata, export_graph
from pipelines.deploy.predict.draw import draw
from pipelines.deploy.predict.frames import BrokenFileError, File, find_files, read_frames
from pipelines.deploy.predict.model import Found, Model, load_model
from pipelines.detectors.build import build_detector
from pipelines.detectors.trained import open_run
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from tests.pipelines.records import record_of

SIZE = 64
SPEC = RunSpec(input_size=SIZE, width=0.25, dataset="not-prepared")
NAMES = ("ripe", "semi-ripe", "grün")
CATEGORIES = (Category(3, "ripe"), Category(8, "leaf"))
PIXELS = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
ODD_NAMES = ["a b.png", "Tomätchen №1.jpg", "sub folder/a b.png", "%s 'x'.PNG"]


class Constant(Detector):
    """Finds the same two boxes in every image."""

    def detect(self, images):
        boxes = torch.tensor([[16.0, 32.0, 48.0, 64.0], [0.0, 0.0, 8.0, 8.0]])
        return [Detections(boxes, torch.tensor([0.9, 0.2]), torch.tensor([2, 1]))] * len(images)


CONSTANT = Model(Constant(), torch.device("cpu"), SIZE, CATEGORIES)


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def photos(tmp_path):
    for name in ODD_NAMES:
        path = tmp_path / "photos" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(PIXELS).save(path)
    (tmp_path / "photos" / "notes.txt").write_text("no picture")
    return tmp_path / "photos"


@pytest.fixture
def run_folder(tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    calibration = torch.from_numpy(PIXELS[None, :SIZE, :SIZE]).permute(0, 3, 1, 2)
    detector = build_detector(SPEC, len(NAMES), calibration)
    for norm in (m for m in detector.modules() if isinstance(m, torch.nn.BatchNorm2d)):
        norm.momentum = None
    with torch.no_grad():
        detector.train()(calibration)
    save_file(detector.state_dict(), folder / "model.safetensors")
    (folder / "run.json").write_text(json.dumps(record_of(SPEC, classes=NAMES)))
    return folder


@pytest.fixture
def command_line(monkeypatch):
    monkeypatch.setattr("pipelines.deploy.predict.predict.load_model", lambda path: CONSTANT)

    def call(*options):
        monkeypatch.setattr(sys, "argv", ["predict", "model", *map(str, options)])
        command.main()

    return call


def test_a_folder_with_odd_names_becomes_a_coco_data_set(command_line, photos, tmp_path):
    out = tmp_path / "out"
    command_line(photos, "--out", out, "--score", "0.1")
    coco = COCO(out / "predictions.json")
    assert sorted(image["file_name"] for image in coco.imgs.values()) == sorted(ODD_NAMES)
    assert {category["name"] for category in coco.cats.values()} == {"ripe", "leaf"}
    assert len(coco.anns) == 2 * len(ODD_NAMES)
    best = next(a for a in coco.anns.values() if a["score"] > 0.5)
    assert best["bbox"] == [30, 45, 60, 45], "64 px of the input are 120 across and 90 down"
    assert (best["category_id"], best["area"], best["iscrowd"]) == (8, 60 * 45, 0)
    for name in ODD_NAMES:
        with Image.open(out / "pictures" / name) as drawn:
            assert drawn.size == (120, 90)


def test_detections_below_the_score_are_left_out(command_line, photos, tmp_path):
    command_line(photos / "a b.png", "--out", tmp_path / "out", "--no-pictures")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["predictions.json"]
    predictions = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert [annotation["score"] for annotation in predictions["annotations"]] == [0.9]


def test_a_picture_without_detections_is_listed(command_line, photos, tmp_path):
    command_line(photos / "a b.png", "--out", tmp_path / "out", "--score", "0.95")
    predictions = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert (len(predictions["images"]), predictions["annotations"]) == (1, [])


def test_a_broken_picture_is_named_and_the_rest_goes_on(command_line, photos, tmp_path, capsys):
    whole = (photos / "a b.png").read_bytes()
    (photos / "cut off.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SystemExit) as stop:
        command_line(photos, "--out", tmp_path / "out")
    assert stop.value.code == 1
    assert "cut off.png: cannot be decoded" in capsys.readouterr().err
    predictions = json.loads((tmp_path / "out" / "predictions.json").read_text())
    assert len(predictions["images"]) == len(ODD_NAMES)


def test_where_nothing_can_be_read_nothing_is_written(command_line, tmp_path):
    (tmp_path / "x.jpg").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"x\.jpg: cannot be decoded"):
        command_line(tmp_path / "x.jpg", "--out", tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["x.jpg"]


def test_earlier_predictions_are_replaced_and_other_folders_refused(command_line, photos, tmp_path):
    command_line(photos, "--out", tmp_path / "out")
    command_line(photos / "a b.png", "--out", tmp_path / "out")
    assert len(json.loads((tmp_path / "out" / "predictions.json").read_text())["images"]) == 1
    with pytest.raises(UserError, match="which would be replaced"):
        command_line(tmp_path / "out" / "pictures", "--out", tmp_path / "out")
    (tmp_path / "out" / "thesis.tex").write_text("")
    with pytest.raises(UserError, match=r"holds 'thesis\.tex'"):
        command_line(photos, "--out", tmp_path / "out")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.jpg", "missing.jpg: no such file or folder"),
        ("notes.txt", "notes.txt: is neither picture nor video"),
        ("empty", "empty: holds no picture and no video"),
    ],
)
def test_a_wrong_input_is_refused(photos, name, message):
    (photos / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        find_files([photos / name])


def test_files_of_one_name_get_names_of_their_own(photos):
    files = find_files([photos, photos / "a b.png", photos / "sub folder"])
    names = [str(file.name) for file in files]
    assert len(set(names)) == len(names) == 6
    assert names[-2:] == ["2/a b.png", "3/a b.png"]


def test_a_picture_is_read_upright_and_in_rgb(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(PIXELS[:, :, 0]).save(tmp_path / "a.png", exif=exif)
    (frame,) = read_frames(File(tmp_path / "a.png", PurePosixPath("a.png")))
    np.testing.assert_array_equal(frame.pixels[..., 1], np.rot90(PIXELS[:, :, 0], -1))


def test_grey_of_16_bits_is_read_by_its_upper_byte(tmp_path):
    values = np.arange(64, dtype=np.uint16).reshape(8, 8) * 1023
    Image.fromarray(values).save(tmp_path / "wide.png")
    (frame,) = read_frames(File(tmp_path / "wide.png", PurePosixPath("wide.png")))
    assert frame.pixels.tolist() == np.repeat(values[..., None] // 256, 3, axis=2).tolist()


def test_a_video_s_frames_are_pictures_with_a_time(command_line, tmp_path):
    with av.open(str(tmp_path / "clip.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height = 120, 90
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(PIXELS)))
        container.mux(stream.encode(None))
    command_line(tmp_path / "clip.mp4", "--out", tmp_path / "out")
    images = json.loads((tmp_path / "out" / "predictions.json").read_text())["images"]
    assert [image["file_name"] for image in images] == [f"clip.mp4/00000{k}.jpg" for k in range(3)]
    assert [image["seconds"] for image in images] == [0, 0.1, 0.2]
    assert (tmp_path / "out" / "pictures" / "clip.mp4" / "000002.jpg").exists()


@pytest.mark.parametrize("kept", [0, 10, 400])
def test_a_broken_video_is_named(tmp_path, kept):
    (tmp_path / "clip.mp4").write_bytes(bytes(range(200)) * 2)
    os.truncate(tmp_path / "clip.mp4", kept)
    with pytest.raises(BrokenFileError, match=r"clip\.mp4: cannot be decoded"):
        list(read_frames(File(tmp_path / "clip.mp4", PurePosixPath("clip.mp4"))))


def test_boxes_are_drawn_where_they_are_in_the_class_s_colour():
    found = [Found(CATEGORIES[0], (30, 40, 50, 30), 0.9)]
    drawn = np.asarray(draw(np.zeros((90, 120, 3), np.uint8), found, CATEGORIES))
    sky = np.array([0x56, 0xB4, 0xE9])
    assert (drawn[60, 31] == sky).all()
    assert (drawn[69, 55] == sky).all()
    assert not drawn[45:65, 36:74].any(), "nothing inside"


def test_the_exported_file_predicts_what_the_run_folder_does(run_folder, tmp_path, capsys):
    run = open_run(run_folder)
    assert "not-prepared is not prepared here" in capsys.readouterr().err
    assert isinstance(run.detector, SSD)
    model = export_graph(run.detector)
    add_metadata(model, run.detector, run.categories, {"tiles": '{"size": 64, "overlap": 0.3}'})
    onnx.save(model, tmp_path / "model.onnx")
    one, other = load_model(run_folder), load_model(tmp_path / "model.onnx")
    assert one.categories == other.categories
    assert (one.tiling, other.tiling) == (None, Tiling(64, 0.3))
    assert [category.name for category in one.categories] == list(NAMES)
    expected, found = one.detect(PIXELS, 0.1), replace(other, tiling=None).detect(PIXELS, 0.1)
    assert len(expected) == len(found) > 0
    for a, b in zip(expected, found, strict=True):
        assert a.category == b.category
        assert a.box == pytest.approx(b.box, abs=0.01)
        assert a.score == pytest.approx(b.score, abs=1e-4)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("none.onnx", r"none\.onnx: no such file"),
        ("none", "none: give the folder of a trained run, or an .onnx file"),
        ("empty", r"run\.json: cannot be read: .*give the folder of a trained run"),
    ],
)
def test_a_wrong_model_is_refused(tmp_path, path, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=message):
        load_model(tmp_path / path)


def test_weights_of_another_detector_are_refused(run_folder):
    save_file({"a": torch.zeros(1)}, Path(run_folder) / "model.safetensors")
    with pytest.raises(UserError, match=r"model\.safetensors: cannot be loaded"):
        open_run(run_folder)
