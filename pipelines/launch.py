"""Bring a study up to date, several runs at a time: `python -m pipelines.launch PROFILE -j N`.

Does what `dvc repro` does, and leaves the same lock file. The runs are trained by as many
`dvc repro` as there are jobs; what comes after them (ledger, tables, figures) by one. A run's own
output goes to `.checkpoints/RUN.log`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipelines.errors import UserError, run_cli
from pipelines.plan import groups, read_parameters, study
from pipelines.runtime import REPOSITORY
from pipelines.spec import RunSpec

LOGS = REPOSITORY / ".checkpoints"
LINES_SHOWN = 15
"""Of the log of a run that failed."""


def stage_names(parameters: Mapping[str, Any], profile: str) -> dict[str, str]:
    """Run to the stage that trains it, in an order in which every run comes after its parent."""
    return {
        f"{row}-s{seed}": f"{group}@{row}-{seed}"
        for group, row, seed in groups(parameters, profile)
    }


def parents(specs: Mapping[str, RunSpec]) -> dict[str, str]:
    """Run to the run of the same study whose weights it starts from, where it has one."""
    starts = {name: Path(spec.init).parent.name for name, spec in specs.items()}
    return {name: start for name, start in starts.items() if start in specs}


def default_jobs(specs: Sequence[RunSpec]) -> int:
    """As many runs at once as leave each the threads it wants; one where a run takes all."""
    cores = len(os.sched_getaffinity(0))
    return max(1, cores // max((spec.threads or cores for spec in specs), default=1))


def pipeline_file(profile: str) -> str:
    """Where the study's stages are declared."""
    own = Path("results") / profile / "dvc.yaml"
    return str(own) if (REPOSITORY / own).exists() else "dvc.yaml"


class Launcher:
    """The `dvc repro` processes at work for one pipeline file."""

    def __init__(self, pipeline: str) -> None:
        self.pipeline = pipeline
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.stopped = False

    def stale(self) -> set[str]:
        """Stages that are not up to date."""
        done = subprocess.run(
            [*_DVC, "status", "--json", self.pipeline], capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise UserError(f"dvc status failed: {done.stderr.strip()}")
        return {name.rpartition(":")[2] for name in json.loads(done.stdout)}

    def repro(self, *arguments: str) -> None:
        """`dvc repro` in the foreground."""
        if subprocess.run([*_DVC, "repro", *arguments], check=False).returncode != 0:
            raise UserError(f"dvc repro {' '.join(arguments)} failed; what it said stands above")

    def train(self, name: str, stage: str, parent: Future[None] | None) -> None:
        """Run one stage to its end, after the run it starts from."""
        if parent:
            parent.result()
        if self.stopped:
            return
        LOGS.mkdir(exist_ok=True)
        log = LOGS / f"{name}.log"
        command = [*_DVC, "--wait-for-lock", "repro", "--single-item", f"{self.pipeline}:{stage}"]
        with log.open("wb") as file:
            process = subprocess.Popen(
                command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True
            )
            self.processes[name] = process
            failed = process.wait() != 0
            del self.processes[name]
        if failed and not self.stopped:
            said = log.read_text(errors="replace").replace("\r", "\n").splitlines()
            tqdm.write("\n".join(said[-LINES_SHOWN:]), file=sys.stderr)
            raise UserError(f"{stage} failed; all that it said is in {log.relative_to(REPOSITORY)}")

    @contextmanager
    def stopping_on_error(self) -> Iterator[None]:
        """End every process, with what it has started, when the block is left by an exception."""
        try:
            yield
        except BaseException:
            self.stopped = True
            for process in list(self.processes.values()):
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGINT)
            raise


_DVC = (sys.executable, "-m", "dvc")


def launch(profile: str, jobs: int | None) -> None:
    """Train what is missing of a study, then rebuild its tables and figures.

    Args:
        profile: a profile of params.yaml.
        jobs: runs at once; as many as have room on the cores when None.

    Raises:
        UserError: a stage failed; what was finished before stays finished.
    """
    parameters = read_parameters()
    specs = study(parameters, profile)
    launcher = Launcher(pipeline_file(profile))
    if not launcher.stale():
        print(f"The study {profile} is up to date.")
        return
    launcher.repro("--single-item", *(f"{launcher.pipeline}:{s}" for s in ("plan", "data")))
    stale = launcher.stale()
    stages = stage_names(parameters, profile) | {"workbench": "workbench"}
    todo = {name: stage for name, stage in stages.items() if stage in stale}
    if todo:
        jobs = jobs or default_jobs([specs[name] for name in todo if name in specs])
        parent_of = parents(specs)
        futures: dict[str, Future[None]] = {}
        with launcher.stopping_on_error(), ThreadPoolExecutor(jobs) as pool:
            for name, stage in todo.items():
                parent = futures.get(parent_of.get(name, ""))
                futures[name] = pool.submit(launcher.train, name, stage, parent)
            _wait(futures, launcher, f"{profile}, {jobs} at a time")
    launcher.repro(launcher.pipeline)


def _wait(futures: Mapping[str, Future[None]], launcher: Launcher, label: str) -> None:
    """Show how far the runs are until all have ended, or one has failed."""
    with tqdm(total=len(futures), desc=label, unit="run", smoothing=0) as bar:
        for future in as_completed(futures.values()):
            if future.exception():
                for other in futures.values():
                    other.cancel()
            future.result()
            bar.update()
            bar.set_postfix_str(", ".join(launcher.processes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", nargs="?", default="quick", help="of params.yaml (%(default)s)")
    parser.add_argument("-j", "--jobs", type=int, help="runs at once (as many as fit the cores)")
    arguments = parser.parse_args()
    if arguments.jobs is not None and arguments.jobs < 1:
        raise UserError(f"--jobs must be at least 1, not {arguments.jobs}")
    launch(arguments.profile, arguments.jobs)


if __name__ == "__main__":
    run_cli(main)
