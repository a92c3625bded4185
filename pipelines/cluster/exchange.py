"""What a repository or a clone of it exchanges with the remote that all workers share.

    python -P exchange.py {train,push,take} LOCK TARGET...

One process for several `dvc` commands, of which each would first load DVC anew.
"""

import fcntl
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path

from dvc.cli import main as dvc
from dvc.stage.cache import StageCache

POLL_SECONDS = 1.0


def train(lock: Path, target: str, *made_here: str) -> int:
    """Take a stage's results from the remote or make them, and give them to all.

    Ends with the worker that started it, even one that was killed.

    Args:
        lock: file that whoever writes to the remote holds.
        target: a stage, as `dvc repro` takes it.
        made_here: stages whose results are not shared, to be brought up to date first.

    Returns:
        DVC's exit code.
    """
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    first = [["repro", "--single-item", *made_here]] if made_here else []
    commands = [*first, ["repro", "--pull", target]]
    return next((code for command in commands if (code := dvc(command))), 0) or push(lock, target)


def push(lock: Path, *targets: str) -> int:
    """Give the remote the stages' outputs, and what is known here of all that ever ran.

    One at a time: of two that push the same file one empties it for a moment, and if it is killed
    then, DVC takes the empty file for whole.
    """
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        try:
            return dvc(["push", "--run-cache", *targets])
        finally:  # not by closing the file: what DVC leaves in the background has it open
            fcntl.flock(file, fcntl.LOCK_UN)


def take(_lock: Path, *targets: str) -> int:
    """Bring the stages and no others up to date with what the remote knows; run what it lacks."""
    return dvc(["repro", "--pull", "--single-item", *targets])


def leave_half_written_entries() -> None:
    """Have DVC drop what a killed push began in the run cache.

    Left there, such a file may be the newest of a stage, and the stage is then run again.
    """
    pull = StageCache.pull

    @wraps(pull)
    def pull_whole(cache: StageCache, *arguments: object) -> Sequence[tuple[str, str]]:
        pulled: Sequence[tuple[str, str]] = pull(cache, *arguments)
        for begun in Path(cache.cache_dir).rglob("*.tmp"):
            begun.unlink()
        return pulled

    StageCache.pull = pull_whole


def _end_with(parent: int) -> None:
    """End all that runs in this process's group as soon as the parent is gone."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os.killpg(0, signal.SIGTERM)


COMMANDS: dict[str, Callable[..., int]] = {"train": train, "push": push, "take": take}

if __name__ == "__main__":
    leave_half_written_entries()
    sys.exit(COMMANDS[sys.argv[1]](Path(sys.argv[2]), *sys.argv[3:]))
