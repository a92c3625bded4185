"""Prediction in tiles: a small object on a large picture, and what is refused."""

import json
import sys

import numpy as np
import pytest
import torch
from PIL import Image

from method.detection import Detections
from method.detector import Detector
from pipelines import predict as command
from pipelines.data.records import Category
from pipelines.data.tiling import Tiling
from pipelines.deploy.predict.model import Model
from pipelines.system.errors import UserError


class Bright(Detector):
    """Finds the one bright square of an image, if any of it is there."""

    def detect(self, images):
        return [self._detect(image[0].numpy()) for image in images]

    def _detect(self, plane):
        extent = Image.fromarray(plane > 200).getbbox()
        boxes = torch.tensor([extent] if extent else [], dtype=torch.float32).reshape(-1, 4)
        return Detections(boxes, torch.full((len(boxes),), 0.8), torch.ones(len(boxes)).long())


@pytest.fixture
def call(monkeypatch):
    """The command with a detector of bright squares, trained on tiles or not."""

    def call(trained_on, *options):
        model = Model(Bright(), torch.device("cpu"), 64, (Category(1, "square"),), trained_on)
        monkeypatch.setattr("pipelines.deploy.predict.predict.load_model", lambda path: model)
        monkeypatch.setattr(sys, "argv", ["predict", "model", *map(str, options)])
        command.main()

    return call


def large_picture(path):
    """300×200 px with a bright square of 12 px over a seam: tiles of 64 px end at 115."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[150:162, 110:122] = 255
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize("trained_on", [None, Tiling(64, 0.2)])
def test_in_tiles_a_small_object_is_found_once_in_the_picture_s_pixels(
    call, tmp_path, trained_on, capsys
):
    picture, out = large_picture(tmp_path / "a.png"), tmp_path / "out"
    options = [] if trained_on else ["--tiles", "64", "--overlap", "0.2"]
    call(trained_on, picture, "--out", out, *options)
    predictions = json.loads((out / "predictions.json").read_text())
    assert [a["bbox"] for a in predictions["annotations"]] == [[110, 150, 12, 12]]
    said = "trained on tiles of 64 px that share 0.2: pictures are cut likewise"
    assert (said in capsys.readouterr().err) == (trained_on is not None)
    call(trained_on, picture, "--out", out, "--whole")
    squeezed = json.loads((out / "predictions.json").read_text())["annotations"]
    assert [a["bbox"] for a in squeezed] != [[110, 150, 12, 12]]


def test_tiles_of_another_size_are_scaled_to_the_input(call, tmp_path):
    """A square of 16 px on tiles of 128 px, which the network sees at half their size."""
    pixels = np.zeros((200, 300, 3), np.uint8)
    pixels[152:168, 120:136] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    call(None, tmp_path / "a.png", "--out", tmp_path / "out", "--tiles", "128", "--overlap", "0.25")
    found = json.loads((tmp_path / "out" / "predictions.json").read_text())["annotations"]
    assert [one["bbox"] for one in found] == [pytest.approx([120, 152, 16, 16], abs=2)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--tiles", "16"], "tiles must be 32 px or more, not 16"),
        (["--tiles", "64", "--overlap", "0.95"], "overlap of tiles must be 0 to 0.9, not 0.95"),
        (["--overlap", "0.2"], "--overlap goes with --tiles"),
        (["--tiles", "64", "--whole"], "--whole and --tiles exclude each other"),
    ],
)
def test_tiles_that_cannot_be_are_refused(call, tmp_path, options, message):
    picture = large_picture(tmp_path / "a.png")
    with pytest.raises(UserError, match=message):
        call(None, picture, "--out", tmp_path / "out", *options)
    assert not (tmp_path / "out").exists()
