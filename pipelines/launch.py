"""Bring a study up to date, several runs at a time: `python -m pipelines.launch PROFILE -j N`.

Does what `dvc repro` does, and leaves the same lock file. The runs are trained by as many
`dvc repro` as there are jobs; what comes after them (ledger, tables, figures) by one. What a run
prints goes to `.checkpoints/RUN.log`.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import suppress
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipelines.errors import UserError, run_cli
from pipelines.plan import groups, read_parameters, study
from pipelines.runtime import REPOSITORY
from pipelines.spec import RunSpec

DVC = (sys.executable, "-m", "dvc")
LINES_SHOWN = 15
"""Of the log of a run that failed."""


class Launcher:
    """`dvc repro` processes for the stages of one pipeline file.

    Args:
        root: the repository.
        pipeline: path of the pipeline file within it.
    """

    def __init__(self, root: Path, pipeline: str) -> None:
        self.root = root
        self.pipeline = pipeline
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped = False

    def stale(self) -> set[str]:
        """Names of the stages that are not up to date."""
        command = [*DVC, "status", "--json", self.pipeline]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UserError(f"dvc status failed: {done.stderr.strip()}")
        return {name.rpartition(":")[2] for name in json.loads(done.stdout)}

    def repro(self, *stages: str) -> None:
        """Bring the named stages and no others up to date, or the whole pipeline if none is named.

        Raises:
            UserError: a stage failed.
        """
        targets = [f"{self.pipeline}:{stage}" for stage in stages]
        command = [*DVC, "repro", *(["--single-item", *targets] if targets else [self.pipeline])]
        if subprocess.run(command, cwd=self.root, check=False).returncode != 0:
            raise UserError(f"{' '.join(command[2:])} failed; what it said stands above")

    def train(
        self, stages: Mapping[str, str], parents: Mapping[str, str], jobs: int, label: str
    ) -> None:
        """Run stages side by side; after a failure none is begun, and those at work are ended.

        Args:
            stages: run to stage, every run after its parent.
            parents: run to the run that must be there first.
            jobs: stages at once.
            label: name on the progress bar.

        Raises:
            UserError: a stage failed; the end of what it printed has gone to stderr.
        """
        futures: dict[str, Future[None]] = {}
        with ThreadPoolExecutor(jobs) as pool:
            try:
                for name, stage in stages.items():
                    parent = futures.get(parents.get(name, ""))
                    futures[name] = pool.submit(self._train_one, name, stage, parent)
                with tqdm(total=len(futures), desc=label, unit="run", smoothing=0) as bar:
                    for future in as_completed(futures.values()):
                        future.result()
                        bar.update()
                        bar.set_postfix_str(", ".join(self._running))
            except BaseException:
                self._end_all()
                raise

    def _train_one(self, name: str, stage: str, parent: Future[None] | None) -> None:
        if parent:
            parent.result()
        if self._stopped:
            return
        log = self.root / ".checkpoints" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        target = f"{self.pipeline}:{stage}"
        command = [*DVC, "--wait-for-lock", "repro", "--single-item", target]
        with log.open("wb") as file:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[name] = process
            failed = process.wait() != 0
            del self._running[name]
        if failed and not self._stopped:
            said = log.read_text(errors="replace").replace("\r", "\n").splitlines()
            tqdm.write("\n".join(said[-LINES_SHOWN:]), file=sys.stderr)
            raise UserError(f"{stage} failed; all that it said is in {log.relative_to(self.root)}")

    def _end_all(self) -> None:
        self._stopped = True
        for process in list(self._running.values()):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def launch(profile: str, jobs: int | None = None) -> None:
    """Train what is missing of a study, then rebuild its tables and figures.

    Args:
        profile: a profile of params.yaml.
        jobs: runs at once; as many as have room on the cores when None.

    Raises:
        UserError: a stage failed; what was finished before stays finished.
    """
    parameters = read_parameters()
    specs = study(parameters, profile)
    launcher = Launcher(REPOSITORY, pipeline_file(profile))
    if not launcher.stale():
        print(f"The study {profile} is up to date.")
        return
    launcher.repro("plan", "data")
    stale = launcher.stale()
    stages = stage_names(parameters, profile) | {"workbench": "workbench"}
    todo = {name: stage for name, stage in stages.items() if stage in stale}
    if todo:
        jobs = jobs or jobs_that_fit([specs[name] for name in todo if name in specs])
        launcher.train(todo, parents(specs), jobs, f"{profile}, {jobs} at a time")
    launcher.repro()


def pipeline_file(profile: str) -> str:
    """Where the study's stages are declared."""
    own = f"results/{profile}/dvc.yaml"
    return own if (REPOSITORY / own).exists() else "dvc.yaml"


def stage_names(parameters: Mapping[str, Any], profile: str) -> dict[str, str]:
    """Run to the stage that trains it, in the order of params.yaml."""
    return {
        f"{row}-s{seed}": f"{group}@{row}-{seed}"
        for group, row, seed in groups(parameters, profile)
    }


def parents(specs: Mapping[str, RunSpec]) -> dict[str, str]:
    """Run to the run of the same study whose weights it starts from, where there is one."""
    starts = {name: Path(spec.init).parent.name for name, spec in specs.items()}
    return {name: start for name, start in starts.items() if start in specs}


def jobs_that_fit(specs: Sequence[RunSpec]) -> int:
    """Runs that leave one another their threads; one where a run takes every core."""
    cores = len(os.sched_getaffinity(0))
    return max(1, cores // max((spec.threads or cores for spec in specs), default=1))


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
