"""Train and score one run: `python -m pipelines.train SPEC.json FOLDER`.

On several GPUs: `torchrun --nproc-per-node 2 -m pipelines.train SPEC.json FOLDER`.

Killed at any moment and started again, it goes on from its last checkpoint and ends with the same
detections. The folder appears only when the run is complete.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipelines.system.allocator import tune_allocator
from pipelines.system.errors import UserError, run_cli
from pipelines.system.preloaded import start_preloaded


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("specification", type=Path, help="JSON file that pipelines.plan wrote")
    parser.add_argument("folder", type=Path, help="the run folder to make")
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=20.0,
        metavar="S",
        help="least time between two checkpoints (%(default)s)",
    )
    arguments = parser.parse_args()
    try:
        values = json.loads(arguments.specification.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{arguments.specification}: cannot be read: {error}") from None

    from pipelines.evaluation.run import run
    from pipelines.runs.spec import RunSpec
    from pipelines.training.parallel import process_group

    spec = RunSpec.parse(values, str(arguments.specification))
    with process_group():
        run(spec, arguments.folder, arguments.checkpoint_seconds)


if __name__ == "__main__":
    start_preloaded()
    tune_allocator()
    run_cli(main)
