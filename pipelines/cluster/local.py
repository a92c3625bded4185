"""Runs side by side on this machine: a `dvc repro` each, in one working tree."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from tqdm import tqdm

from pipelines.cluster.progress import POLL_SECONDS, Progress
from pipelines.cluster.time_left import Expected
from pipelines.system.cores import usable_cores
from pipelines.system.errors import UserError
from pipelines.system.preloaded import preloaded

DVC = (sys.executable, "-m", "dvc")
ALWAYS = "always changed"
"""DVC's reason to run a stage that is declared to be run always."""
LINES_SHOWN = 15
"""Of the log of a run that failed."""


class GpuShares:
    """Which GPU is used by how many runs."""

    def __init__(self, gpus: Sequence[str]) -> None:
        self._users = dict.fromkeys(gpus, 0)
        self._lock = Lock()

    @contextmanager
    def one(self) -> Iterator[dict[str, str]]:
        """What tells a process its GPU, the one with the fewest users; nothing if there is none."""
        if not self._users:
            yield {}
            return
        with self._lock:
            gpu = min(self._users, key=lambda name: self._users[name])
            self._users[gpu] += 1
        try:
            yield {"CUDA_VISIBLE_DEVICES": gpu}
        finally:
            with self._lock:
                self._users[gpu] -= 1


class Launcher:
    """`dvc` processes for the stages of one pipeline file.

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
        """Names of the stages that are not up to date; to be run always is no reason by itself."""
        return {name for name, changes in self._status().items() if changes != [ALWAYS]}

    def refresh(self) -> None:
        """Run what is run always, so that `stale` knows what follows from it.

        Raises:
            UserError: a stage failed.
        """
        always = [name for name, changes in self._status().items() if ALWAYS in changes]
        if always:
            self.repro(*always)

    def _status(self) -> dict[str, list[Any]]:
        """Name of each stage that DVC would run to its reasons."""
        command = [*DVC, "status", "--json", self.pipeline]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UserError(f"dvc status failed: {done.stderr.strip()}")
        return {name.rpartition(":")[2]: why for name, why in json.loads(done.stdout).items()}

    def repro(self, *stages: str) -> None:
        """Bring the named stages and no others up to date, or the whole pipeline if none is named.

        Raises:
            UserError: a stage failed.
        """
        targets = [f"{self.pipeline}:{stage}" for stage in stages]
        arguments = ["--single-item", *targets] if targets else [self.pipeline]
        if subprocess.run([*DVC, "repro", *arguments], cwd=self.root, check=False).returncode != 0:
            told = " ".join(arguments)
            raise UserError(f"dvc repro {told} failed; what it said stands above")

    def train(
        self,
        stages: Mapping[str, str],
        parents: Mapping[str, str],
        jobs: int,
        label: str,
        gpus: Sequence[str] = (),
        expected: Mapping[str, Expected] | None = None,
        preload: str | None = None,
    ) -> None:
        """Run stages side by side; after a failure none is begun, and those at work are ended.

        Args:
            stages: run to stage, every run after its parent.
            parents: run to the run that must be there first.
            jobs: stages at once; they share the cores, if OMP_NUM_THREADS is not set.
            label: name on the progress bar.
            gpus: of this machine; each stage sees the one that the fewest others use.
            expected: run to what it should take, for the time left.
            preload: the module whose import their programs need not wait for.

        Raises:
            UserError: a stage failed; the end of what it printed has gone to stderr.
        """
        threads = max(1, usable_cores() // jobs)
        environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
        shares = GpuShares(gpus)
        futures: dict[str, Future[None]] = {}
        with ExitStack() as stack:
            if preload:
                environment |= stack.enter_context(preloaded(preload, environment))
            progress = stack.enter_context(Progress(stages, label, expected))
            pool = stack.enter_context(ThreadPoolExecutor(jobs))
            try:
                for name, stage in stages.items():
                    parent = futures.get(parents.get(name, ""))
                    futures[name] = pool.submit(
                        self._train_one, name, stage, parent, environment, shares, progress
                    )
                names = {future: name for name, future in futures.items()}
                pending = set(names)
                while pending:
                    done, pending = wait(pending, POLL_SECONDS, FIRST_COMPLETED)
                    for future in done:
                        future.result()
                        progress.end(names[future])
                    progress.show()
            except BaseException:
                self._end_all()
                raise

    def _train_one(
        self,
        name: str,
        stage: str,
        parent: Future[None] | None,
        environment: Mapping[str, str],
        shares: GpuShares,
        progress: Progress,
    ) -> None:
        if parent:
            parent.result()
        if self._stopped:
            return
        progress.begin(name)
        log = self.root / ".checkpoints" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        target = f"{self.pipeline}:{stage}"
        command = [*DVC, "--wait-for-lock", "repro", "--single-item", target]
        with log.open("wb") as file, shares.one() as gpu:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env={**environment, **gpu},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._running[name] = process
            failed = process.wait() != 0
            del self._running[name]
        if failed and not self._stopped:
            raise failure(self.root, name, f"{stage} failed")

    def _end_all(self) -> None:
        self._stopped = True
        for process in list(self._running.values()):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)


def failure(root: Path, name: str, told: str) -> UserError:
    """The error of a run that failed, after the end of its log has gone to stderr."""
    log = root / ".checkpoints" / f"{name}.log"
    said = log.read_text(errors="replace") if log.exists() else ""
    lines = said.replace("\r", "\n").splitlines()
    tqdm.write("\n".join(lines[-LINES_SHOWN:]), file=sys.stderr)
    return UserError(f"{told}; all that it said is in {log.relative_to(root)}")
