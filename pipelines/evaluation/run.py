"""A run from its specification to its folder: trained, scored, written in one move."""

from __future__ import annotations

from pathlib import Path

from safetensors.torch import save

from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.data.preparing import require_prepared
from pipelines.evaluation.coco import match_split, score_records
from pipelines.evaluation.merging import whole_photographs
from pipelines.runs.folder import RunFolder
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import note
from pipelines.training.health import record as health_record
from pipelines.training.health.measures import Health
from pipelines.training.live import Live
from pipelines.training.loop import CHECKPOINT_SECONDS
from pipelines.training.run import Detections, Trained, Training, train_and_detect


def run(
    spec: RunSpec,
    folder: Path,
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
    live: Live | None = None,
) -> None:
    """Train, detect, score, and write the run folder in one move.

    Args:
        spec: the run.
        folder: where it goes; what is there is replaced at the end.
        checkpoint_seconds: least time between two checkpoints.
        live: what can be looked at meanwhile.

    Raises:
        UserError: the data are not prepared, or the specification does not fit them.
    """
    data_folder = require_prepared(spec.preparation)
    done = train_and_detect(
        spec,
        Training(
            folder.name,
            data_folder,
            lambda _, found: validation_figures(load_prepared(data_folder, "val"), found),
            checkpoint_seconds=checkpoint_seconds,
            live=live,
        ),
    )
    if done is None:
        return
    trained, checkpoint = done
    health = score_and_write(folder, trained, data_folder)
    checkpoint.remove()
    if spec.tiling:
        note("the run is scored on whole photographs; health, which follows, is that of tiles")
    health_record.tell(health, folder.name)


def validation_figures(split: PreparedSplit, detections: Detections) -> dict[str, float]:
    """What a validation adds to the history."""
    figures = score_records(match_split(split, whole_photographs(split, detections))).figures
    return {"validation_AP": figures["AP"], "validation_AP50": figures["AP50"]}


def score_and_write(folder: Path, trained: Trained, data_folder: Path) -> Health:
    """Score a training and write its folder.

    Of photographs that were cut into tiles, whole ones are scored, the tiles' detections merged;
    the training's health is that of tiles.

    Args:
        folder: where it goes; what is there is replaced at the end.
        trained: what the training left.
        data_folder: the prepared data that it was trained on.

    Returns:
        The training's health, which is also in the record.
    """
    training, test = (load_prepared(data_folder, name) for name in ("train", "test"))
    health = health_record.measure(
        trained.health,
        training.first(trained.sample_images),
        trained.sample_detections,
        test,
        trained.detections,
        trained.max_detections,
        trained.history,
    )
    found = whole_photographs(test, trained.detections)
    RunFolder(folder).write(
        {**trained.record, "health": health_record.write(health)},
        trained.history,
        found,
        match_split(test, found),
        save(trained.state),
    )
    return health
