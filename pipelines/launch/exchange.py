"""In a clone: take a stage's results from the remote or make them, and give them to all.

One process for several `dvc` commands, of which each would first load DVC anew. It ends with the
worker that started it, even one that was killed.
"""

import os
import signal
import sys
import threading
import time

from dvc.cli import main as dvc

POLL_SECONDS = 1.0


def exchange(target: str, made_here: list[str]) -> int:
    """Bring the target up to date, after the stages that are made in every clone; DVC's exit code.

    Args:
        target: a stage, as `dvc repro` takes it.
        made_here: the same of stages whose results are not shared; none if they are there.
    """
    first = [["repro", "--single-item", *made_here]] if made_here else []
    commands = [*first, ["repro", "--pull", target], ["push", "--run-cache", target]]
    return next((code for command in commands if (code := dvc(command))), 0)


def end_with(parent: int) -> None:
    """End all that runs in this process's group as soon as the parent is gone."""
    while os.getppid() == parent:
        time.sleep(POLL_SECONDS)
    os.killpg(0, signal.SIGTERM)


if __name__ == "__main__":
    threading.Thread(target=end_with, args=(os.getppid(),), daemon=True).start()
    sys.exit(exchange(sys.argv[1], sys.argv[2:]))
