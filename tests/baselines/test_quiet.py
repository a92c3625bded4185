"""Of what Detectron2 and its libraries print, what a user cannot help goes unsaid; no more."""

import subprocess
import sys

import pytest

DETECTION = """
import numpy as np, torch
from tests.baselines.detectron2.zoo import built
detector = built("COCO-Detection/{zoo}.yaml", 2)
detector.eval()
detector.detect(torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
"""


def stderr_of(program):
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("zoo", ["retinanet_R_50_FPN_3x", "faster_rcnn_R_50_FPN_3x"])
def test_detectron2_s_detectors_are_built_and_detect_without_a_word(zoo):
    assert stderr_of(DETECTION.format(zoo=zoo)) == ""


def test_other_messages_of_the_same_libraries_are_said():
    said = stderr_of(
        "import logging, warnings, baselines\n"
        "logging.getLogger('torch.fx._symbolic_trace').warning('a graph is broken')\n"
        "logging.getLogger('fvcore.common.config').warning('a key is missing')\n"
        "warnings.warn('torch.meshgrid: no such indexing', UserWarning)\n"
    )
    assert "a graph is broken" in said
    assert "a key is missing" in said
    assert "no such indexing" in said
