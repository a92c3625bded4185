"""Train as `pipelines.train` does, and end the process after the first step."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from pipelines.system.preloaded import start_preloaded


def main(data: str, input_size: str) -> None:
    import pipelines.evaluation.run  # noqa: F401  what pipelines.train imports
    from pipelines.runs.spec import Precision, RunSpec
    from pipelines.training.live import Live
    from pipelines.training.run import Training, train_and_detect

    class End(Live):
        def show(self, history: Sequence[Mapping[str, float]], row: Mapping[str, float]) -> None:
            """Called after the last step, which is the first."""
            os._exit(0)

    spec = RunSpec(input_size=int(input_size), precision=Precision.FP32, threads=1, iterations=1)
    live = End(Path(data) / "live")
    train_and_detect(spec, Training("benchmark", Path(data), lambda *_: {}, live=live))


if __name__ == "__main__":
    start_preloaded()
    main(*sys.argv[1:])
