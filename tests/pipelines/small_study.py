"""A copy of the code with a study of a few runs that take seconds, known to DVC but not to git."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import yaml
from dvc.repo import Repo

from pipelines.cluster.local import DVC
from pipelines.system.paths import REPOSITORY

CODE = ("method", "baselines", "pipelines", "params.yaml", "dvc.yaml")
SMALL = {"input_size": 64, "iterations": 40, "width": 0.25, "precision": "fp32"}
DRAW = """
from pathlib import Path
from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset

few = ScenesSpec(train=16, val=2, test=8, size=128)
sources = open_dataset(DatasetSpec("scenes", scenes=few))
prepare(sources, Path("data/scenes-64"), 64, progress=False)
"""


def make_small_study(folder: Path, rows: tuple[str, ...], **settings: object) -> Path:
    """Write it to a new folder, with its data and specifications made.

    Args:
        folder: to be made.
        rows: of `quick`, each with the seed 0.
        settings: of the study, beside `SMALL`.
    """
    folder.mkdir()
    for name in CODE:
        copy = shutil.copytree if (REPOSITORY / name).is_dir() else shutil.copyfile
        copy(REPOSITORY / name, folder / name)
    parameters = yaml.safe_load((folder / "params.yaml").read_text())
    quick = parameters["profiles"]["quick"]
    quick["settings"] |= SMALL | settings
    quick["overrides"] = {}
    quick["runs"] = {"train": [f"{row}-s0" for row in rows]}
    (folder / "params.yaml").write_text(yaml.safe_dump(parameters))
    stages = yaml.safe_load((folder / "dvc.yaml").read_text())
    kept = {name: stages["stages"][name] for name in ("plan", "train", "ledger")}
    (folder / "draw.py").write_text(DRAW)
    kept["data"] = {"cmd": "python draw.py", "outs": ["data/scenes-64"]}
    kept["train"]["deps"][1] = "data/scenes-64"
    (folder / "dvc.yaml").write_text(yaml.safe_dump({"vars": stages["vars"], "stages": kept}))
    Repo.init(str(folder), no_scm=True).close()
    run_in(folder, [*DVC, "repro", "plan", "data"])
    return folder


def run_in(folder: Path, command: list[str]) -> str:
    """What a command printed that must succeed there."""
    done = subprocess.run(
        command, cwd=folder, env=environment(folder), capture_output=True, text=True
    )
    assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
    return done.stdout


def environment(folder: Path) -> dict[str, str]:
    """In which the study's own copy of the code is the one that runs."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}


def processes_in(folder: Path) -> list[int]:
    """Every process that works in the folder, whoever started it."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and (entry / "cwd").readlink() == folder:
                found.append(int(entry.name))
    return found
