"""How long processes take to start: a command's help, a run until its first step is done."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.processor.in_turn import medians_in_turn
from pipelines.system.paths import REPOSITORY
from pipelines.system.preloaded import preloaded


def command_names() -> list[str]:
    """Of this project's commands."""
    files = (REPOSITORY / "pipelines").glob("*.py")
    return sorted(file.stem for file in files if file.stem != "__init__")


def help_ratios(commands: Sequence[str], rounds: int) -> dict[str, float]:
    """Of each command, how many times as long its `--help` takes as `import argparse` alone."""
    helps = {name: _python("-m", f"pipelines.{name}", "--help") for name in commands}
    seconds = medians_in_turn({"": _python("-c", "import argparse"), **helps}, rounds)
    return {name: seconds[name] / seconds[""] for name in commands}


def first_step(input_size: int, rounds: int) -> tuple[float, float, float]:
    """What a run costs before it trains.

    Args:
        input_size: side of the images, pixels.
        rounds: starts that count.

    Returns:
        Seconds from the start of a run's process to the end of its first step, on one thread; how
        many times as long as `import torch` alone; how many times as long where it is one of a
        study's runs, whose process has imported what it needs.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        preloaded("pipelines.evaluation.run", os.environ) as known,
    ):
        data = Path(folder, "data")
        few = ScenesSpec(train=8, val=1, test=1)
        prepare(open_dataset(DatasetSpec("scenes", scenes=few)), data, input_size, progress=False)
        arguments = "-m", "pipelines.processor.first_step", str(data), str(input_size)
        works = {
            "run": _python(*arguments),
            "torch": _python("-c", "import torch"),
            "in a study": _python(*arguments, **known),
        }
        seconds = medians_in_turn(works, rounds)
    return (
        seconds["run"],
        seconds["run"] / seconds["torch"],
        seconds["in a study"] / seconds["torch"],
    )


def _python(*arguments: str, **environment: str) -> Callable[[], object]:
    return partial(
        subprocess.run,
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.DEVNULL,
    )
