"""Time what launching adds to runs: `python -m tests.pipelines.cluster.overhead`.

Eight workers train runs that only sleep, first in one tree (`--on local`), then in clones of their
own (`--on ray`, `--on slurm`). What is printed is the time beyond sleeping, for each run: as it is
shared by all workers of this machine, and as it passes on one of them.
"""

import argparse
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.pipelines.cluster.toy import clones_of, commit, make_study, plan

WORKERS = 8


def overheads(folder, runs_each, seconds, declared):
    """Seconds that pass beyond those slept, in one tree and in clones."""
    wanted = WORKERS * (runs_each + 1)
    names = [f"run{number}" for number in range(max(wanted, declared))]
    launcher = plan(make_study(folder / "repo", f"sleep {seconds}", dict.fromkeys(names)))
    commit(launcher.root)
    first, rest = names[:WORKERS], names[WORKERS:wanted]
    with ThreadPoolExecutor(WORKERS) as pool:
        clones = clones_of(launcher)

        def train(name):
            assert clones.train(name, f"train-{name}")

        list(pool.map(train, first))
        began = time.monotonic()
        list(pool.map(train, rest))
    in_clones = time.monotonic() - began
    began = time.monotonic()
    launcher.train({name: f"train-{name}" for name in rest}, {}, WORKERS, "local")
    in_one_tree = time.monotonic() - began
    return in_one_tree - runs_each * seconds, in_clones - runs_each * seconds


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each worker (%(default)s)")
    parser.add_argument("--seconds", type=float, default=15, help="of a run (%(default)s)")
    parser.add_argument("--declared", type=int, default=0, help="runs in the study, at least")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        beyond = overheads(Path(folder), given.runs, given.seconds, given.declared)
    for where, seconds in zip(("one tree", "clones"), beyond, strict=True):
        shared, passing = seconds / given.runs / WORKERS, seconds / given.runs
        print(f"{where:9} {shared:5.2f} s a run, {passing:5.2f} s on its worker")


if __name__ == "__main__":
    main()
