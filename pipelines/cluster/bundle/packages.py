"""What travels with a bundle's code: pure Python as it is installed here, and compiled wheels."""

from __future__ import annotations

import importlib.metadata
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.cluster.bundle.contents import PACKAGES, WHEELS
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError, note

PURE = ("tqdm", "nvidia-ml-py")
"""What the training's code imports beside torch, torchvision and numpy: pure Python."""
EXTENDED = ("sal-detectron2",)
"""Pure Python, but for an extension that what is used of it does without."""
COMPILED_OF_WEIGHTS = ("safetensors",)
"""What reads the weights of a run that others start from."""
MANYLINUX = ("2_28", "2_27", "2_17", "2_12", "2_5")


def pack_packages(folder: Path, specs: Mapping[str, RunSpec]) -> None:
    """Copy the pure Python packages that the runs import."""
    of_detectors = [name for spec in specs.values() for name in spec.entry.packages]
    for name in dict.fromkeys((*PURE, *of_detectors)):
        _copy_package(folder, name)


def _copy_package(folder: Path, name: str) -> None:
    """Copy a pure Python package from where it is installed here."""
    distribution = importlib.metadata.distribution(name)
    for file in distribution.files or []:
        source = Path(str(file.locate()))
        if ".." in file.parts or "__pycache__" in file.parts or not source.is_file():
            continue
        if source.suffix == ".so":
            if name not in EXTENDED:
                raise UserError(f"{name} is compiled here, and cannot travel in a bundle")
            continue
        target = folder / PACKAGES / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def compiled_packages(specs: Mapping[str, RunSpec]) -> tuple[str, ...]:
    """Compiled packages that the runs import and a plain PyTorch image lacks."""
    started = any(spec.init.endswith(".safetensors") for spec in specs.values())
    of_detectors = [name for spec in specs.values() for name in spec.entry.compiled_packages]
    return tuple(dict.fromkeys((*(COMPILED_OF_WEIGHTS if started else ()), *of_detectors)))


def pack_wheels(folder: Path, names: Sequence[str], python: str | None, machine: str) -> None:
    """Download the versions that are installed here, for another Python.

    Args:
        folder: of the bundle.
        names: of packages.
        python: its version, such as `3.12`; without, what must be installed there is said.
        machine: its processor, as `uname -m` says.

    Raises:
        UserError: they cannot be downloaded.
    """
    if not python:
        note(f"where it trains, {', '.join(names)} must be installed; --wheels 3.12 packs them")
        return
    (folder / WHEELS).mkdir()
    platforms = [f"manylinux_{version}_{machine}" for version in MANYLINUX]
    platforms += [f"manylinux2014_{machine}"]
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--no-deps",
        "--only-binary=:all:",
        "--python-version",
        python,
        "--implementation",
        "cp",
        "--dest",
        folder / WHEELS,
        *(part for platform in platforms for part in ("--platform", platform)),
        *(f"{name}=={importlib.metadata.version(name)}" for name in names),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
        raise UserError(f"--wheels {python}: pip cannot download them ({last})")
