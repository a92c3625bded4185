"""Train and score one run: `python -m pipelines.train SPEC.json FOLDER`.

On several GPUs: `torchrun --nproc-per-node 2 -m pipelines.train SPEC.json FOLDER`.

Killed at any moment and started again, it goes on from its last checkpoint and ends with the same
detections. The folder appears only when the run is complete.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pipelines.data.prepared import load_prepared
from pipelines.errors import UserError, run_cli
from pipelines.evaluation.run_folder import validation_figures, write_run_folder
from pipelines.health.record import tell
from pipelines.prepare import ensure_prepared
from pipelines.processes import process_group
from pipelines.runtime import tune_allocator
from pipelines.spec import RunSpec
from pipelines.trainer import CHECKPOINT_SECONDS
from pipelines.training.run import Training, train_and_detect


def run(spec: RunSpec, folder: Path, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> None:
    """Train, detect, score, and write the run folder in one move.

    Args:
        spec: the run.
        folder: where it goes; what is there is replaced at the end.
        checkpoint_seconds: least time between two checkpoints.
    """
    data_folder = ensure_prepared(spec.dataset, spec.input_size, spec.fold)
    done = train_and_detect(
        spec,
        Training(
            folder.name,
            data_folder,
            lambda _, found: validation_figures(load_prepared(data_folder, "val"), found),
            checkpoint_seconds=checkpoint_seconds,
        ),
    )
    if done is None:
        return
    trained, checkpoint = done
    health = write_run_folder(folder, trained, data_folder)
    checkpoint.remove()
    tell(health, folder.name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("specification", type=Path, help="JSON file that pipelines.plan wrote")
    parser.add_argument("folder", type=Path, help="the run folder to make")
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=CHECKPOINT_SECONDS,
        metavar="S",
        help="least time between two checkpoints (%(default)s)",
    )
    arguments = parser.parse_args()
    try:
        values = json.loads(arguments.specification.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{arguments.specification}: cannot be read: {error}") from None
    spec = RunSpec.parse(values, str(arguments.specification))
    with process_group():
        run(spec, arguments.folder, arguments.checkpoint_seconds)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
