"""Runs as tasks of a Ray cluster."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence

import ray

from pipelines.cluster.clones import Clones
from pipelines.cluster.schedule import Resources, Run
from pipelines.system.cores import usable_cores
from pipelines.system.errors import UserError

OBJECT_STORE = 80 * 2**20
"""Bytes, little above Ray's least: results do not pass through it."""
LOST_NODES = 3
"""A run is begun anew so many times when its node is lost, and never when it fails by itself."""
SECONDS_TO_END = 15


class RayEngine:
    """One task a run, on nodes that see the repository's folder.

    Args:
        clones: where the workers train.
        resources: of every run.
        address: of a running cluster; Ray is started on this machine when None.

    Raises:
        UserError: no cluster answers there, or Ray cannot be started here.
    """

    def __init__(self, clones: Clones, resources: Resources, address: str | None = None) -> None:
        self._clones = clones
        self._resources = resources
        self._runs: dict[ray.ObjectRef[bool], str] = {}
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        try:
            if address:
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
            else:
                ray.init(
                    "local",
                    num_cpus=usable_cores(),
                    object_store_memory=OBJECT_STORE,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                )
        except (ConnectionError, RuntimeError, ValueError, OSError) as error:
            told = str(error).strip().splitlines() or ["no answer"]
            raise UserError(f"Ray at {address or 'this machine'}: {told[0]}") from None
        self._nodes: list[dict[str, float]] = [
            node["Resources"]
            for node in ray.nodes()  # type: ignore[no-untyped-call]
            if node["Alive"]
        ]

    def submit(self, runs: Sequence[Run]) -> None:
        """Queue runs whose parents are done.

        Raises:
            UserError: no node is large enough.
        """
        for run in runs:
            cores = run.cpus or max(int(node.get("CPU", 0)) for node in self._nodes)
            memory = int((self._resources.memory or 0) * 2**30)
            self._check_fit(run, {"CPU": cores, "GPU": self._resources.gpus, "memory": memory})
            task = _train.options(
                name=run.name,
                num_cpus=cores,
                num_gpus=self._resources.gpus,
                memory=memory or None,
                max_retries=LOST_NODES,
            ).remote(self._clones, run.name, run.stage)
            self._runs[task] = run.name

    def finished(self, seconds: float) -> dict[str, str | None]:
        """Runs that have ended since the last call, and what went wrong with them."""
        done, _ = ray.wait(list(self._runs), timeout=seconds)
        return {self._runs.pop(task): _what_went_wrong(task) for task in done}

    def close(self) -> None:
        """End what is still queued or at work, and Ray itself where it was started here."""
        for task in self._runs:
            ray.cancel(task)
        if self._runs:
            ray.wait(list(self._runs), num_returns=len(self._runs), timeout=SECONDS_TO_END)
        ray.shutdown()

    def _check_fit(self, run: Run, wanted: Mapping[str, float]) -> None:
        for node in self._nodes:
            if all(node.get(kind, 0) >= amount for kind, amount in wanted.items()):
                return
        told = f"{wanted['CPU']} CPUs, {wanted['GPU']:g} GPUs, {wanted['memory'] / 2**30:g} GiB"
        raise UserError(f"no node of the Ray cluster has what {run.name} needs: {told}")


@ray.remote
def _train(clones: Clones, name: str, stage: str) -> bool:
    return clones.train(name, stage)


def _what_went_wrong(task: ray.ObjectRef[bool]) -> str | None:
    try:
        return None if ray.get(task) else "failed"
    except ray.exceptions.RayError as error:
        return f"was lost ({str(error).strip().splitlines()[0]})"
