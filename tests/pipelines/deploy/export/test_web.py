"""The file in `onnxruntime-web`, which runs it in browsers, here under Node."""

import json
import shutil
import subprocess
from pathlib import Path

import onnx
import pytest
import torch

from method.detection import Detections
from pipelines.deploy.export.check import compare_detections
from tests.pipelines.deploy.export.graphs import IMAGES, SIZE

VERSION = "1.30.0"
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """A folder in which `onnxruntime-web` is installed."""
    if not shutil.which("npm"):
        pytest.skip("there is no Node.js with npm")
    folder = tmp_path_factory.mktemp("node")
    command = ["npm", "install", "--no-audit", "--no-fund", f"onnxruntime-web@{VERSION}"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"onnxruntime-web cannot be installed: {done.stderr[-200:]}")
    return folder


@pytest.mark.parametrize("kind", ["custom", "lapnet"])
def test_in_a_browser_s_runtime_it_finds_what_pytorch_finds(exported, modules, kind, tmp_path):
    detector, model = exported(kind)
    onnx.save(model, tmp_path / "model.onnx")
    images = []
    for number, image in enumerate(IMAGES):
        images.append(tmp_path / f"{number}.rgb")
        images[-1].write_bytes(image.tobytes())
    script = Path(__file__).with_name("detect.mjs")
    command = ["node", script, modules, tmp_path / "model.onnx", str(SIZE), *images]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    with torch.inference_mode():
        known = detector.detect(torch.from_numpy(IMAGES).permute(0, 3, 1, 2))
    pairs = 0
    for values, right in zip(json.loads(done.stdout), known, strict=True):
        boxes = torch.tensor(values["boxes"]).reshape(-1, 4)
        scores, labels = torch.tensor(values["scores"]), torch.tensor(values["labels"])
        found = Detections(boxes, scores, labels)
        agreement = compare_detections(right, found, detector.config.selection)
        assert agreement.alone == 0
        pairs += agreement.pairs
    assert pairs > 10
