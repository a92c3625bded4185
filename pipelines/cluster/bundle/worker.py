"""What `run.sh` of a bundle does: checks the machine, or trains as many runs at once as pays.

    ./run.sh --check          what this machine is, whether it agrees with its CPU, how fast it is
    ./run.sh --minutes 10     train for ten minutes at most; called again, it goes on
    ./run.sh                  train to the end

The results are in `home-1.tar`, `home-2.tar` and so on: copy those home.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

from pipelines.cluster.bundle import check
from pipelines.cluster.bundle.contents import (
    BUNDLE,
    CHECKED,
    DATA,
    HOME_BYTES,
    PHOTOGRAPHS,
    RECIPE,
    SPECS,
    TRAINED,
    Bundle,
    verify_sums,
)
from pipelines.cluster.bundle.photographs import unpack_photographs
from pipelines.cluster.bundle.pixels import unpack_pixels
from pipelines.runs.spec import RunSpec
from pipelines.system.allocator import tune_allocator
from pipelines.system.bars import progress_bar
from pipelines.system.cores import usable_cores
from pipelines.system.errors import UserError, note, run_cli
from pipelines.system.paths import REPOSITORY

POLL_SECONDS = 0.5
ENDING_SECONDS = 20.0
"""For runs to end and for what comes home to be packed, when the time is up."""
TAR_BLOCK = 2048
"""More than tar adds to a file."""
LINES_SHOWN = 20
LOG_END = 4096
"""Bytes at the end of a log in which the progress bar stands."""


def ready(folder: Path) -> Bundle:
    """Verify the bundle and unpack its data, where that is not done yet.

    Raises:
        UserError: a file is damaged.
    """
    verify_sums(folder)
    bundle = Bundle.read(folder)
    for name in sorted({run.data for run in bundle.runs}):
        data = folder / DATA / name
        manifest = json.loads((data / "manifest.json").read_text())
        for split, entry in manifest["splits"].items():
            whole, sha256 = data / f"{split}-images.npy", entry["images_sha256"]
            packed, recipe = data / f"{split}-images", data / f"{split}{RECIPE}"
            if whole.exists():
                continue
            if packed.is_dir():
                unpack_pixels(packed, whole, sha256)
            elif recipe.exists():
                size = manifest["input_size"]
                unpack_photographs(recipe, folder / PHOTOGRAPHS, whole, size, sha256)
    return bundle


@dataclass
class Trainings:
    """The runs of a bundle at work, as many at once as there is room for.

    Args:
        folder: of the bundle.
        runs: to be trained, in this order.
        jobs: at once.
        weights: whether they keep their weights.
        checkpoint_seconds: least time between two checkpoints of a run.
    """

    folder: Path
    runs: list[str]
    jobs: int
    weights: bool
    checkpoint_seconds: float
    failed: list[str] = field(default_factory=list)
    _working: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _steps: dict[str, int] = field(default_factory=dict)
    """Steps that each run had made when it was last looked at."""

    def train(self, deadline: float) -> None:
        """Until all are done, or until `deadline` on the monotonic clock."""
        waiting = [name for name in self.runs if not (self.folder / TRAINED / name).is_dir()]
        steps = {name: self._iterations(name) for name in self.runs}
        total = sum(steps.values())
        with progress_bar(total=total, unit="step", smoothing=0.1, desc="all runs") as bar:
            bar.initial = bar.n = sum(steps[n] for n in self.runs if n not in waiting)
            try:
                while (waiting or self._working) and time.monotonic() < deadline:
                    while waiting and len(self._working) < self.jobs:
                        self._begin(waiting.pop(0))
                    time.sleep(POLL_SECONDS)
                    self._look()
                    names = [n for n in self.runs if n not in waiting]
                    bar.n = sum(self._steps_made(name, steps[name]) for name in names)
                    bar.set_postfix_str(f"{len(self._working)} at work", refresh=False)
                    bar.refresh()
            finally:
                self._end()

    def done(self) -> list[str]:
        """Runs that are finished."""
        return [name for name in self.runs if (self.folder / TRAINED / name).is_dir()]

    def _iterations(self, name: str) -> int:
        path = self.folder / SPECS / f"{name}.json"
        return RunSpec.parse(json.loads(path.read_text()), str(path)).iterations

    def _begin(self, name: str) -> None:
        log = self._log(name)
        log.parent.mkdir(exist_ok=True)
        threads = max(1, usable_cores() // self.jobs)
        command = [sys.executable, "-m", "pipelines.cluster.bundle.one_run", name]
        command += [str(self.checkpoint_seconds)]
        with log.open("wb") as file:
            self._working[name] = subprocess.Popen(
                [*command, *(["--weights"] if self.weights else [])],
                cwd=self.folder,
                env={"OMP_NUM_THREADS": str(threads), **os.environ},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _look(self) -> None:
        for name, process in list(self._working.items()):
            if process.poll() is None:
                continue
            del self._working[name]
            if process.returncode != 0:
                self.failed.append(name)
                said = self._log(name).read_text(errors="replace").replace("\r", "\n").splitlines()
                tqdm.write("\n".join([f"{name} failed:", *said[-LINES_SHOWN:]]), file=sys.stderr)

    def _end(self) -> None:
        """Stop what is at work; its checkpoint is at most `checkpoint_seconds` old."""
        for process in self._working.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        for process in self._working.values():
            try:
                process.wait(ENDING_SECONDS / 2)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
        self._working.clear()

    def _steps_made(self, name: str, iterations: int) -> int:
        """By the training's own progress bar, at the end of its log."""
        if (self.folder / TRAINED / name).is_dir():
            return iterations
        with suppress(OSError), self._log(name).open("rb") as file:
            file.seek(max(0, self._log(name).stat().st_size - LOG_END))
            said = file.read().decode(errors="replace")
            if found := re.findall(rf"{re.escape(name)}: [^\r\n]*?(\d+)/{iterations} \[", said):
                self._steps[name] = int(found[-1])
        return self._steps.get(name, 0)

    def _log(self, name: str) -> Path:
        return self.folder / ".checkpoints" / f"{name}.log"


def pack_home(folder: Path, names: list[str]) -> list[Path]:
    """Write what comes home, as few files of at most `HOME_BYTES` each.

    Args:
        folder: of the bundle.
        names: finished runs.

    Returns:
        The files, each with `bundle.json` and whole runs.
    """
    for old in folder.glob("home-*.tar"):
        old.unlink()
    always = [folder / BUNDLE, *(p for p in [folder / CHECKED] if p.exists())]
    size = {name: _tar_bytes((folder / TRAINED / name).iterdir()) for name in names}
    groups: list[list[str]] = []
    room: list[int] = []
    for name in sorted(names, key=lambda name: -size[name]):
        fits = [number for number, left in enumerate(room) if size[name] <= left]
        if not fits:
            groups.append([])
            room.append(HOME_BYTES - _tar_bytes(always))
            fits = [len(groups) - 1]
        groups[fits[0]].append(name)
        room[fits[0]] -= size[name]
    paths = []
    for number, group in enumerate(groups, start=1):
        path = folder / f"home-{number}.tar"
        with tarfile.open(path, "w") as tar:
            for file in always:
                tar.add(file, file.name)
            for name in sorted(group):
                tar.add(folder / TRAINED / name, f"{TRAINED}/{name}")
        paths.append(path)
        if path.stat().st_size > HOME_BYTES:
            note(f"{path.name} is larger than {HOME_BYTES >> 20} MiB: {group[0]} does not fit")
    return paths


def _tar_bytes(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size + TAR_BLOCK for path in files)


def jobs_that_pay(folder: Path, runs: int) -> int:
    """As many as `--check` found fastest; else one a core or, on a GPU, four."""
    checked = folder / CHECKED
    if checked.exists():
        return min(runs, int(json.loads(checked.read_text())["jobs"]))
    cores = usable_cores()
    return max(1, min(runs, cores, 4 if torch.cuda.is_available() else cores))


def main() -> None:
    began = time.monotonic()
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="check the machine; trains nothing")
    parser.add_argument("--minutes", type=float, metavar="M", help="stop after M minutes")
    parser.add_argument("--jobs", type=int, metavar="N", help="runs at once (what --check found)")
    parser.add_argument("--weights", action="store_true", help="bring the weights home too")
    parser.add_argument(
        "--seconds", type=float, default=check.SECONDS, help="for --check at most (%(default)s)"
    )
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=10.0,
        metavar="S",
        help="least time between two checkpoints of a run (%(default)s)",
    )
    arguments = parser.parse_args()
    for option in ("minutes", "jobs", "seconds"):
        value = getattr(arguments, option)
        if value is not None and not 0 < value < float("inf"):
            raise UserError(f"--{option} must be above 0, not {value:g}")
    folder = REPOSITORY
    bundle = ready(folder)
    if arguments.check:
        check.check(folder, bundle, began + arguments.seconds)
        return
    names = [run.name for run in bundle.runs]
    trainings = Trainings(
        folder,
        names,
        arguments.jobs or jobs_that_pay(folder, len(names)),
        arguments.weights,
        arguments.checkpoint_seconds,
    )
    allowed = 60 * arguments.minutes - ENDING_SECONDS if arguments.minutes else float("inf")
    trainings.train(began + allowed)
    done = trainings.done()
    for path in pack_home(folder, done):
        print(f"{path.name}: {path.stat().st_size / 2**20:.1f} MiB")
    print(f"{len(done)} of {len(names)} runs of {bundle.study} are done")
    if trainings.failed:
        raise UserError(f"{', '.join(trainings.failed)} failed; what they said stands above")
    if len(done) < len(names):
        print("the time is up; call it again to go on")


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
