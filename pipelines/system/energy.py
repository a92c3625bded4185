"""Energy that the processor and the GPU take, where the machine lets one read it."""

from __future__ import annotations

from pathlib import Path

import pynvml
import torch

POWERCAP = Path("/sys/class/powercap")
"""Where Linux shows the counters of Intel's and AMD's processors; often readable by root alone."""


class EnergyMeter:
    """Joules since it was made: of all processor packages, and of the run's GPU.

    The processor's counters run over after some minutes at full power: `joules` must be called
    more often than that.

    Args:
        device: where the network runs.
        powercap: folder of the processor's counters.
    """

    def __init__(self, device: torch.device, powercap: Path = POWERCAP) -> None:
        packages = [p for p in powercap.glob("*-rapl:*") if p.name.count(":") == 1]
        found = {package: _read(package / "energy_uj") for package in packages}
        self._packages = {package: start for package, start in found.items() if start is not None}
        self._processor = 0.0
        self._gpu = _gpu(device)
        self._gpu_start = _gpu_millijoules(self._gpu)

    def joules(self) -> float | None:
        """So far; None where nothing can be read."""
        for package, before in self._packages.items():
            now = _read(package / "energy_uj") or before
            past_end = (_read(package / "max_energy_range_uj") or 0) if now < before else 0
            self._processor += (now - before + past_end) / 1e6
            self._packages[package] = now
        if not self._packages and self._gpu is None:
            return None
        return self._processor + (_gpu_millijoules(self._gpu) - self._gpu_start) / 1e3


def _read(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _gpu(device: torch.device) -> object | None:
    """NVML's handle of the device, if there is one that counts its energy."""
    if device.type != "cuda":
        return None
    try:
        pynvml.nvmlInit()
        handle: object = pynvml.nvmlDeviceGetHandleByUUID(
            f"GPU-{torch.cuda.get_device_properties(device).uuid}"
        )
        pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)
    except pynvml.NVMLError:
        return None
    return handle


def _gpu_millijoules(handle: object | None) -> float:
    return float(pynvml.nvmlDeviceGetTotalEnergyConsumption(handle)) if handle else 0.0
