"""Detections of two devices, compared by hand; a step on a simulated GPU agrees with the CPU's."""

from dataclasses import replace

import pytest
import torch

from method.detection import Detections
from method.ssd import SSD
from pipelines.cluster.bundle import agreement
from pipelines.cluster.bundle.agreement import compare, shared
from pipelines.runs.spec import DetectorName, Precision, RunSpec
from tests.pipelines.simulated_gpu import CPU, GPU, simulated_gpu


def detections(*rows):
    """Of one image: x1, y1, x2, y2, score, label."""
    values = torch.tensor(rows, dtype=torch.float32).reshape(-1, 6)
    return [Detections(values[:, :4], values[:, 4], values[:, 5].long())]


def test_shared_detections_by_hand():
    ours = detections((0, 0, 10, 10, 0.9, 1), (20, 20, 40, 40, 0.5, 2), (50, 50, 60, 60, 0.4, 1))
    theirs = detections(
        (0, 0, 10, 10.1, 0.905, 1),  # the same but for rounding
        (20, 20, 40, 40, 0.5, 1),  # another class
        (50, 50, 60, 60, 0.45, 1),  # another score
    )
    assert shared(ours, theirs) == 1 / 3
    assert shared(ours, detections()) == 0
    assert shared(detections(), theirs) is None, "nothing was compared"


SPEC = RunSpec(
    detector=DetectorName.SCALE_AWARE_SSD,
    input_size=256,
    precision=Precision.FP32,
    width=0.25,
    batch_size=2,
)


def test_a_device_that_computes_alike_agrees(monkeypatch):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (2**40, 2**40))
    with simulated_gpu():
        found = compare(SPEC, GPU)
    assert found.verdict == "agrees"
    assert found.detections is not None


@pytest.mark.parametrize(("loss", "gradient", "box"), [(1.002, 1, 0), (1, 1.02, 0), (1, 1, 3)])
def test_a_device_that_computes_otherwise_is_found_out(monkeypatch, loss, gradient, box):
    """Its loss, its gradients or its boxes are off by a little; the CPU's come first."""
    step, detect = agreement._step, SSD.detect
    calls = {"step": 0, "detect": 0}

    def other_step(detector, scene, device):
        terms, gradients = step(detector, scene, device)
        calls["step"] += 1
        if calls["step"] == 1:
            return terms, gradients
        return {name: value * loss for name, value in terms.items()}, gradients * gradient

    def other_detect(self, images):
        calls["detect"] += 1
        moved = box if calls["detect"] == 2 else 0
        return [replace(found, boxes=found.boxes + moved) for found in detect(self, images)]

    monkeypatch.setattr(agreement, "_step", other_step)
    monkeypatch.setattr(SSD, "detect", other_detect)
    assert compare(SPEC, CPU).verdict == "DIFFERS"
    assert calls == {"step": 2, "detect": 2}
