"""Time runs that share the cores: `python -m tests.pipelines.cluster.sharing`.

The same runs of the scale-aware SSD at 512 are trained one after the other, each on every core, and
as many at once as there are cores, in turn. What is printed is the wall time of each way, with
starting, validation and scoring, and the second as a part of the first.
"""

import argparse
import json
import os
import tempfile
import time
from pathlib import Path

from pipelines.data.preparation import Preparation
from pipelines.data.preparing import ensure_prepared
from pipelines.runs.spec import RunSpec
from pipelines.system.paths import REPOSITORY
from tests.pipelines.cluster.toy import make_pipeline

CORES = len(os.sched_getaffinity(0))


def wall_time(folder, jobs, steps):
    """Seconds until as many runs as there are cores are trained, `jobs` at a time."""
    folder.mkdir()
    commands = {}
    for seed in range(CORES):
        spec = RunSpec(dataset="scenes", input_size=512, iterations=steps, seed=seed)
        (folder / f"{seed}.json").write_text(json.dumps(spec.to_dict()))
        train = f"python -m pipelines.train {folder}/{seed}.json {folder}/run{seed}"
        commands[f"run{seed}"] = f"cd {REPOSITORY} && {train}"
    launcher = make_pipeline(folder, commands)
    began = time.monotonic()
    launcher.train({name: name for name in commands}, {}, jobs, f"{jobs} at a time")
    return time.monotonic() - began


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=2, help="of both ways (%(default)s)")
    parser.add_argument("--steps", type=int, default=40, help="of a run (%(default)s)")
    given = parser.parse_args()
    os.environ.pop("OMP_NUM_THREADS", None)
    ensure_prepared(Preparation("scenes", 512))
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            alone, shared = (
                wall_time(Path(folder) / f"{number}-{jobs}", jobs, given.steps)
                for jobs in (1, CORES)
            )
            print(f"one by one {alone:.0f} s, at once {shared:.0f} s: {shared / alone:.2f} of it")


if __name__ == "__main__":
    main()
