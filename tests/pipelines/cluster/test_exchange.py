"""A worker is killed at one of its writes, and the others neither miss anything nor repeat it.

`KILLS=50 pytest tests/pipelines/launch/test_exchange.py` does it fifty times.
"""

import fcntl
import os
import random
import shutil
import signal
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from pipelines.cluster.local import DVC, Launcher
from tests.pipelines.cluster.toy import (
    RUNS,
    clones_of,
    lock,
    lock_of_undisturbed,
    make_study,
    noted,
    plan,
)

KILLS = int(os.environ.get("KILLS", "2"))
DYING = str(Path(__file__).with_name("dying.py"))


@pytest.fixture(scope="module")
def clones(tmp_path_factory):
    """Of a study in which worker 1 has trained `a`, too, and has given it to nobody yet."""
    launcher = plan(make_study(tmp_path_factory.mktemp("study") / "here" / "repo", "sleep 0"))
    made = clones_of(launcher)
    made.push("plan")
    assert made.train("b", "train-b")
    with (made.root / ".checkpoints" / "workers" / "0.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert made.train("c", "train-c")
    clone = made.root.with_name("repo.worker-1")
    subprocess.run([*DVC, "repro", "--pull", "dvc.yaml:train-a"], cwd=clone, check=True)
    return made


def run(clones, clone, *stages, what="train", last=0):
    """The exchange of a stage in a clone; killed at its write number `last`, if that is not 0."""
    python, isolated, *command = clones.exchange(what, *stages)
    return subprocess.run(
        [python, isolated, DYING, str(last), *command],
        cwd=clones.root.with_name(clone),
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_a_worker_killed_at_any_write_leaves_nothing_that_others_take(clones, tmp_path):
    here = clones.root.parent
    kept = shutil.copytree(here, tmp_path / "kept", symlinks=True)
    undisturbed = lock_of_undisturbed(tmp_path / "there", train="sleep 0")
    writes = int(run(clones, "repo.worker-0", "train-a").stdout.split()[-1])
    luck = random.Random(0)
    for last in (luck.randint(1, writes) for _ in range(KILLS)):
        shutil.rmtree(here)
        shutil.copytree(kept, here, symlinks=True)
        killed = run(clones, "repo.worker-0", "train-a", last=last)
        assert killed.returncode == -signal.SIGKILL, f"at write {last} of {writes}"
        assert run(clones, "repo.worker-1", "train-a", what="push").returncode == 0
        assert clones.train("child", "train-child")
        clones.take(*(f"train-{name}" for name in RUNS))
        launcher = Launcher(clones.root, clones.pipeline)
        launcher.repro()
        times = Counter(name for name, _ in noted(launcher))
        assert times.pop("a") <= 2, f"at write {last} of {writes}"
        assert times == Counter(["b", "c", "child", "ledger"])
        assert lock(launcher) == undisturbed
