"""Runs as SLURM job arrays, by submitit."""

from __future__ import annotations

import itertools
import signal
import time
from collections.abc import Sequence
from typing import Any

import submitit
from submitit.core.utils import FailedJobError, UncompletedJobError

from pipelines.cluster.clones import Clones
from pipelines.cluster.schedule import Resources, Run
from pipelines.system.errors import UserError

TIMEOUTS = 20
"""A run goes on where it was so many times after its time at a stretch was up."""
GRACE_SECONDS = 120
POLL_SECONDS = 0.5


class SlurmEngine:
    """One job a run; runs that may begin together, with the same number of cores, are an array.

    Args:
        clones: where the workers train.
        resources: of every run.
        jobs: runs of an array at work at once; submitit's limit when None.

    Raises:
        UserError: this machine knows no SLURM.
    """

    def __init__(self, clones: Clones, resources: Resources, jobs: int | None = None) -> None:
        self._clones = clones
        self._resources = resources
        self._parallel = jobs
        self._jobs: dict[str, submitit.Job[bool]] = {}
        self.executor(1)

    def executor(self, cpus: int) -> submitit.AutoExecutor:
        """What submits runs of so many cores; 0 for all of a machine."""
        try:
            executor = submitit.AutoExecutor(
                self._clones.logs / "slurm", "slurm", slurm_max_num_timeout=TIMEOUTS
            )
        except RuntimeError:
            raise UserError("there is no SLURM here: srun is not on the PATH") from None
        resources = self._resources
        asked: dict[str, Any] = {
            "name": self._clones.root.name,
            "timeout_min": resources.minutes,
            "cpus_per_task": cpus or None,
            "slurm_exclusive": None if cpus else True,
            "gpus_per_node": int(resources.gpus) or None,
            "mem_gb": resources.memory,
            "slurm_partition": resources.partition,
            "slurm_array_parallelism": self._parallel,
            "slurm_additional_parameters": {"requeue": True},
        }
        executor.update_parameters(**asked)
        return executor

    def submit(self, runs: Sequence[Run]) -> None:
        """Queue runs whose parents are done, as one array for each number of cores."""
        by_cores = sorted(runs, key=lambda run: run.cpus)
        for cpus, group in itertools.groupby(by_cores, key=lambda run: run.cpus):
            executor, training = self.executor(cpus), Training(self._clones)
            submitted = {}
            with executor.batch():
                for run in group:
                    submitted[run.name] = executor.submit(training, run.name, run.stage)
            self._jobs |= submitted

    def finished(self, seconds: float) -> dict[str, str | None]:
        """Runs that have ended since the last call, and what went wrong with them."""
        end = time.monotonic() + seconds
        while True:
            done = [name for name, job in self._jobs.items() if job.done()]
            if done or time.monotonic() > end:
                return {name: _what_went_wrong(self._jobs.pop(name)) for name in done}
            time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """End what is still queued or at work."""
        for job in self._jobs.values():
            if not job.done():
                job.cancel(check=False)


class Training(submitit.helpers.Checkpointable):
    """A run that, put back in the queue, is begun again and goes on from its own checkpoint.

    Args:
        clones: where the workers train.
    """

    def __init__(self, clones: Clones) -> None:
        self.clones = clones

    def __call__(self, name: str, stage: str) -> bool:
        """Train on this worker: whether it went well.

        A preempted job gets SIGTERM first, which may end the training, and then the signal by
        which submitit puts it back in the queue: that is no failure of the run.
        """
        told: list[int] = []
        before = signal.signal(signal.SIGTERM, lambda number, _: told.append(number))
        try:
            well = self.clones.train(name, stage)
            if told and not well:
                time.sleep(GRACE_SECONDS)
            return well
        finally:
            signal.signal(signal.SIGTERM, before)


def _what_went_wrong(job: submitit.Job[bool]) -> str | None:
    try:
        return None if job.result() else "failed"
    except (FailedJobError, UncompletedJobError):
        return f"was ended by the cluster ({job.state}; {job.paths.stderr})"
