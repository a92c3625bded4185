"""How long processes take to start: a command's help, a run until its first step is done."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.processor.in_turn import medians_in_turn
from pipelines.runs.spec import Precision, RunSpec
from pipelines.system.paths import REPOSITORY
from pipelines.training.live import Live

FIRST_STEP = (
    "import sys; from pipelines.processor.starts import make_first_step;"
    "make_first_step(*sys.argv[1:])"
)


def command_names() -> list[str]:
    """Of this project's commands."""
    files = (REPOSITORY / "pipelines").glob("*.py")
    return sorted(file.stem for file in files if file.stem != "__init__")


def help_ratios(commands: Sequence[str], rounds: int) -> dict[str, float]:
    """Of each command, how many times as long its `--help` takes as `import argparse` alone."""
    helps = {name: _python("-m", f"pipelines.{name}", "--help") for name in commands}
    seconds = medians_in_turn({"": _python("-c", "import argparse"), **helps}, rounds)
    return {name: seconds[name] / seconds[""] for name in commands}


def first_step(input_size: int, rounds: int) -> tuple[float, float]:
    """What a run costs before it trains.

    Args:
        input_size: side of the images, pixels.
        rounds: starts that count.

    Returns:
        Seconds from the start of a run's process to the end of its first step, on one thread; how
        many times as long as `import torch` alone.
    """
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder, "data")
        few = ScenesSpec(train=8, val=1, test=1)
        prepare(open_dataset(DatasetSpec("scenes", scenes=few)), data, input_size, progress=False)
        run = _python("-c", FIRST_STEP, str(data), str(input_size))
        seconds = medians_in_turn({"run": run, "torch": _python("-c", "import torch")}, rounds)
    return seconds["run"], seconds["run"] / seconds["torch"]


def make_first_step(data: str, input_size: str) -> None:
    """Train as `pipelines.train` does, and end this process after the first step."""
    import pipelines.evaluation.run  # noqa: F401  what pipelines.train loads
    from pipelines.training.run import Training, train_and_detect

    spec = RunSpec(input_size=int(input_size), precision=Precision.FP32, threads=1, iterations=1)
    end = _End(Path(data) / "live")
    train_and_detect(spec, Training("benchmark", Path(data), lambda *_: {}, live=end))


class _End(Live):
    def show(self, history: Sequence[Mapping[str, float]], row: Mapping[str, float]) -> None:
        """Called after the last step, which is the first."""
        os._exit(0)


def _python(*arguments: str) -> Callable[[], object]:
    return partial(
        subprocess.run,
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        check=True,
        stdout=subprocess.DEVNULL,
    )
