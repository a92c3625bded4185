"""The machine a run has: device, threads, memory, versions of packages and code."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from method.processes import process_count
from pipelines.system.allocator import allocator_tuned
from pipelines.system.hashing import CODE, code_hash
from pipelines.system.paths import REPOSITORY

_PACKAGES = ("torch", "torchvision", "numpy", "pycocotools", "pillow", "scipy")


def choose_device() -> torch.device:
    """The GPU where there is one; of several, that of this process."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    torch.cuda.set_device(device)
    return device


def visible_gpus() -> list[str]:
    """The GPUs that this process may use, as `CUDA_VISIBLE_DEVICES` names them."""
    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",")[:count] if named else [str(number) for number in range(count)]


def describe_machine(device: torch.device) -> dict[str, Any]:
    """Device, threads and versions, as `run.json` records them."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else _processor(),
        "device_type": device.type,
        "threads": torch.get_num_threads(),
        "processes": process_count(),
        "python": platform.python_version(),
        "packages": _installed_versions(),
        "allocator_tuned": allocator_tuned(),
    }


def _installed_versions() -> dict[str, str]:
    """Of the packages that decide what comes out; a machine that only trains lacks some."""
    found = {}
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def peak_memory_mib(device: torch.device) -> float:
    """Most memory held since the start: the GPU's where there is one, else the process's."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    return _process_peak_mib()


def _process_peak_mib() -> float:
    """Linux's `ru_maxrss` will not do: it starts at what the parent held when it forked."""
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def code_state() -> dict[str, Any]:
    """Commit, whether the tree differs from it, and a hash of the code that makes results."""
    files = {
        path.relative_to(REPOSITORY).as_posix(): path.read_bytes()
        for folder in CODE
        for path in (REPOSITORY / folder).rglob("*.py")
    }
    commit = _git("rev-parse", "HEAD")
    return {
        "commit": commit or None,
        "changed": bool(_git("status", "--porcelain", "--", *CODE)),
        "code_hash": code_hash(files),
    }


def _git(*arguments: str) -> str:
    command = ["git", "-C", str(REPOSITORY), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
