"""A run from its specification to its folder: trained, scored, written in one move."""

from __future__ import annotations

from pathlib import Path

from pipelines.data.prepared import load_prepared
from pipelines.data.preparing import require_prepared
from pipelines.evaluation.run_folder import validation_figures, write_run_folder
from pipelines.runs.spec import RunSpec
from pipelines.training.health.record import tell
from pipelines.training.loop import CHECKPOINT_SECONDS
from pipelines.training.run import Training, train_and_detect


def run(spec: RunSpec, folder: Path, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> None:
    """Train, detect, score, and write the run folder in one move.

    Args:
        spec: the run.
        folder: where it goes; what is there is replaced at the end.
        checkpoint_seconds: least time between two checkpoints.

    Raises:
        UserError: the data are not prepared, or the specification does not fit them.
    """
    data_folder = require_prepared(spec.dataset, spec.input_size, spec.fold)
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
