"""What a specification may not say of its detector, and detectors that cannot be had."""

import subprocess
import sys
from urllib.error import URLError

import pytest
import torch

from pipelines.detectors.build import build_detector
from pipelines.runs.spec import DetectorName, RunSpec
from pipelines.system.errors import UserError

IMAGES = torch.zeros((1, 3, 64, 64), dtype=torch.uint8)
LIBRARIES = "detectron2", "timm", "baselines.torchvision"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detector": "scale-aware-ssd", "overlap": "absolute"}, "overlap belongs to LapNet"),
        ({"detector": "lapnet", "sampler": "dns"}, "sampler belongs to the SSDs of this project"),
        (
            {"detector": "ssdlite-mobilenet-v3", "width": 0.5},
            "width belongs to the detectors of this project",
        ),
        (
            {"detector": "ssdlite-mobilenet-v3", "compile": "on"},
            "compile belongs to the detectors of this project",
        ),
        ({"detector": "ssdlite-mobilenet-v3", "max_detections": 7}, "max_detections belongs to"),
        (
            {"detector": "retinanet-r50", "optimiser": "sgd"},
            "optimiser belongs to this project's own trainer; leave it out",
        ),
        (
            {"detector": "retinanet-r50", "schedule": "polynomial"},
            "run with retinanet-r50: it trains with schedule step or cosine alone, not polynomial",
        ),
        ({"detector": "ssd-mobilenet-v2-tf"}, "trains with precision fp32 alone, not bf16"),
        (
            {"detector": "ssdlite-mobilenet-v3", "init": "weights.npz"},
            "init must be none, torchvision",
        ),
    ],
)
def test_what_a_detector_does_not_heed_or_have_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        build_detector(RunSpec.parse({"input_size": 64, **changes}, "test"), 3, IMAGES)


@pytest.mark.slow
def test_a_rival_s_library_is_imported_when_it_is_built():
    names = ", ".join(map(repr, LIBRARIES))
    script = (
        "import sys, pipelines.training.run, pipelines.detectors.build\n"
        f"print([name for name in ({names}) if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr


def test_without_a_network_published_weights_are_one_clear_line(monkeypatch):
    def unreachable(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)
    spec = RunSpec(input_size=64, detector=DetectorName.SSDLITE, init="torchvision")
    with pytest.raises(UserError, match=r"cannot be downloaded \(no route to host\); give a file"):
        build_detector(spec, 3, IMAGES)


@pytest.mark.parametrize(
    ("changes", "most"),
    [
        ({"detector": "scale-aware-ssd", "max_detections": 7}, 7),
        ({"detector": "scale-aware-ssd", "released": "score-floor"}, 300),
        ({"detector": "lapnet", "max_detections": 7}, 7),
        ({"detector": "fcos-mobilenet", "max_detections": 7}, 7),
        ({"detector": "ssdlite-mobilenet-v3"}, 100),
    ],
)
def test_a_detector_says_how_many_detections_it_keeps(changes, most):
    spec = RunSpec.parse({"input_size": 64, **changes}, "test")
    assert build_detector(spec, 3, IMAGES).max_detections == most
