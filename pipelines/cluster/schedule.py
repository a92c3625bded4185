"""Which run is handed to a cluster when: parents first, and nothing more after a failure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pipelines.cluster.clones import Clones
from pipelines.cluster.local import Launcher, failure
from pipelines.cluster.progress import POLL_SECONDS, Progress
from pipelines.cluster.time_left import Expected


@dataclass(frozen=True)
class Run:
    """One training.

    Args:
        name: of the run.
        stage: that trains it.
        parent: the run that must be there first.
        cpus: cores it takes; 0 for all of a machine.
    """

    name: str
    stage: str
    parent: str | None = None
    cpus: int = 1


@dataclass(frozen=True)
class Resources:
    """What each run is given beside its cores.

    Args:
        gpus: number of GPUs; a share of one where runs may share it.
        memory: GiB; no limit when None.
        minutes: longest time at a stretch.
        partition: SLURM's; its default when None.
    """

    gpus: float = 0
    memory: float | None = None
    minutes: int = 720
    partition: str | None = None


class Engine(Protocol):
    """A cluster's scheduler."""

    def submit(self, runs: Sequence[Run]) -> None:
        """Queue runs whose parents are done."""

    def finished(self, seconds: float) -> dict[str, str | None]:
        """Runs that have ended since the last call, and what went wrong with them.

        Args:
            seconds: longest time to wait for one.
        """

    def close(self) -> None:
        """End what is still queued or at work."""


def bring_up_to_date(
    launcher: Launcher,
    clones: Clones,
    engine: Engine,
    runs: Sequence[Run],
    at_hand: Sequence[str],
    in_flight: int | None,
    label: str,
    expected: Mapping[str, Expected] | None = None,
) -> None:
    """Train runs on a cluster, take the results from the remote, and run here what follows them.

    Args:
        launcher: of the repository.
        clones: where the workers train.
        engine: the cluster; closed when the runs are done.
        runs: what is to be trained.
        at_hand: stages that those stand on and that are up to date here.
        in_flight: runs handed over at once; all whose parents are done when None.
        label: name on the progress bar.
        expected: run to what it should take, for the time left.

    Raises:
        UserError: a stage failed; what was finished before is in the remote.
    """
    try:
        clones.push(*at_hand)
        train(engine, runs, clones, in_flight, label, expected)
    finally:
        engine.close()
    clones.take(*(run.stage for run in runs))
    launcher.repro()


def train(
    engine: Engine,
    runs: Sequence[Run],
    clones: Clones,
    in_flight: int | None,
    label: str,
    expected: Mapping[str, Expected] | None = None,
) -> None:
    """Train runs on a cluster, parents before children.

    Its arguments are those of `bring_up_to_date`.

    Raises:
        UserError: a run failed; what it said last has gone to stderr.
    """
    waiting = {run.name: run for run in runs}
    at_work: dict[str, Run] = {}
    for run in runs:
        (clones.logs / f"{run.name}.log").unlink(missing_ok=True)
    with Progress([run.name for run in runs], label, expected) as progress:
        while waiting or at_work:
            undone = waiting.keys() | at_work.keys()
            room = len(runs) if in_flight is None else in_flight - len(at_work)
            ready = [run for run in waiting.values() if run.parent not in undone][:room]
            if ready:
                engine.submit(ready)
                at_work |= {run.name: waiting.pop(run.name) for run in ready}
            for name, wrong in engine.finished(POLL_SECONDS).items():
                run = at_work.pop(name)
                if wrong:
                    raise failure(clones.root, name, f"{run.stage} {wrong}")
                progress.end(name)
            for name in at_work:
                if (clones.logs / f"{name}.log").exists():
                    progress.begin(name)
            progress.show()
