"""What a process learns of its machine."""

import subprocess
import sys

import pytest

from pipelines.system.machine import visible_gpus

HOLD_AND_START = """
import subprocess, sys
held = bytearray(b"1") * (1500 << 20)
subprocess.run([sys.executable, "-c", sys.argv[1]], check=True)
"""
SAY_PEAK = """
import torch
from pipelines.system.machine import peak_memory_mib
held = torch.ones(300 << 18)
del held
print(peak_memory_mib(torch.device("cpu")))
"""


@pytest.mark.parametrize(
    ("named", "count", "gpus"),
    [
        (None, 0, []),
        (None, 2, ["0", "1"]),
        ("5,7", 2, ["5", "7"]),
        ("5,-1,7", 1, ["5"]),  # CUDA looks no further than the first that is not there
        ("", 0, []),
    ],
)
def test_gpus_are_named_as_cuda_names_them(named, count, gpus, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    assert visible_gpus() == gpus


def test_a_process_peaks_at_what_it_held_not_at_what_its_parent_held():
    child = subprocess.run(
        [sys.executable, "-c", HOLD_AND_START, SAY_PEAK], check=True, capture_output=True, text=True
    )
    assert 300 < float(child.stdout) < 1400
