"""How many runs this machine has room for at once."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path

from pipelines.runs.spec import RunSpec
from pipelines.system.cores import usable_cores

SPARE_MIB = 1000.0
"""For the launcher, DVC and the system."""


def jobs_that_fit(specs: Sequence[RunSpec], run_mib: float) -> int:
    """Runs that leave one another their threads and memory; one where a run takes all of it.

    Args:
        specs: of the runs.
        run_mib: memory of the heaviest, MiB; 0 if that is not known.
    """
    cores = usable_cores()
    jobs = cores // max((spec.threads or cores for spec in specs), default=1)
    if run_mib:
        jobs = min(jobs, int((memory_mib() - SPARE_MIB) / run_mib))
    return max(1, jobs)


def memory_mib() -> float:
    """Of this machine, MiB."""
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 2**20


def heaviest_run_mib(ledger: Path) -> float:
    """Most memory that a run of a ledger took, MiB; 0 without a ledger."""
    if not ledger.exists():
        return 0.0
    with ledger.open(newline="") as file:
        return max((float(run["peak_memory_mib"]) for run in csv.DictReader(file)), default=0.0)
