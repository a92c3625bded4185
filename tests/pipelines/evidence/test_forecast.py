"""What the papers' own experiments would cost, from two measured speeds by hand."""

from pathlib import Path

import pandas as pd
import pytest

from method.lapnet.choices import Backbone
from pipelines.evidence.forecast import SPEEDUP, forecast, seconds_here
from pipelines.evidence.study import Study
from pipelines.runs.parameters import read_parameters
from pipelines.runs.spec import DetectorName, RunSpec

TIMED = pd.DataFrame(
    [
        ("scale-aware-ssd", 2e9, 1_000_000),
        ("ssd-mobilenet-v2", 3e9, 2_000_000),
        ("ssd-mobilenet-v2-tf", 3e9, 2_000_000),
        ("faster-rcnn-r50", 100e9, 40_000_000),
        ("faster-rcnn-r101", 150e9, 60_000_000),
        ("retinanet-r50", 100e9, 30_000_000),
        ("lapnet", 6e9, 2_000_000),
        ("lapnet-darknet53", 180e9, 70_000_000),
        ("lapnet-inception-resnet-v2", 180e9, 70_000_000),
    ],
    columns=["detector", "flops_an_image", "parameters"],
)


@pytest.fixture
def study() -> Study:
    ledger = pd.DataFrame(
        {
            "detector": ["scale-aware-ssd", "lapnet"],
            "images_a_second": [8.0, 4.0],
            "flops_an_image": [2e9, 6e9],
        }
    )
    return Study("reference", {"input_size": 512}, {}, ledger, Path())


@pytest.mark.parametrize(
    ("changes", "seconds"),
    [
        ({}, 600 * 8 / 8),
        # 24 GFLOP/s were reached: LapNet's 180 on DarkNet-53 take 7.5 s an image.
        ({"detector": DetectorName.LAPNET, "backbone": Backbone.DARKNET53}, 600 * 8 * 180 / 24),
        # Not trained: by the SSD's 16 GFLOP/s.
        ({"detector": DetectorName.FASTER_RCNN_R50}, 600 * 8 * 100 / 16),
        ({"detector": DetectorName.LAPNET, "input_size": 1024}, 600 * 8 * 4 / 4),
    ],
)
def test_a_run_s_time_by_hand(study, changes, seconds):
    spec = RunSpec(**{"input_size": 512, **changes})
    assert seconds_here(spec, study, TIMED) == pytest.approx(seconds)


def test_no_fleet_is_faster_than_the_longest_run(study):
    profiles = ["paper-tomatod", "paper-coco"]
    table = forecast(study, read_parameters(), TIMED, profiles).set_index("profile")
    assert list(table.index) == profiles
    coco = table.loc["paper-coco"].str.replace(",", "")
    # 500,000 steps of 28 images at 608×608, and the same at 512×512: 7.5 s an image there.
    longest = 500_000 * 28 * 7.5 * (608 / 512) ** 2 / SPEEDUP / 3600
    both = longest + 500_000 * 28 * 7.5 / SPEEDUP / 3600
    assert float(coco["longest run, hours"]) == pytest.approx(longest, abs=0.5)
    assert float(coco["1 GPU, hours"]) == pytest.approx(both, abs=0.5)
    assert coco["8 GPUs, hours"] == coco["64 GPUs, hours"] == coco["longest run, hours"]
    assert float(coco["price, $"]) == pytest.approx(3 * both, abs=0.5)
    # 123,287 images of 3·512² and 3·608² bytes; two detectors of 70 million parameters.
    assert float(coco["prepared data, GB"]) == pytest.approx(233.7, abs=0.1)
    assert float(coco["weights, GB"]) == pytest.approx(0.56, abs=0.05)
