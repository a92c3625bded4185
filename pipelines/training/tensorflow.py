"""Training by the TF Object Detection API: from a specification to its settings, and back."""

from __future__ import annotations

import bisect
import contextlib
import shutil
import sys
from collections.abc import Iterator
from operator import itemgetter

from tqdm import tqdm

from baselines.tf_od.config import Training
from baselines.tf_od.detector import History, TensorFlowDetector, TensorFlowError
from pipelines.data.prepared import PreparedSplit
from pipelines.runs.spec import Augment, RunSpec
from pipelines.system.bars import progress_bar
from pipelines.system.errors import UserError
from pipelines.training.live import Live
from pipelines.training.loop import Checkpoint, Progress, TrainedElsewhere, Validation

SAVE_EVERY = 100
"""Most steps between two checkpoints of a training without validation."""


@contextlib.contextmanager
def tensorflow_errors() -> Iterator[None]:
    """Show what TensorFlow printed last, and say the way out."""
    try:
        yield
    except TensorFlowError as error:
        if error.last_lines:
            print(error.last_lines, file=sys.stderr)
        raise UserError(str(error)) from None


def train_by_tensorflow(
    detector: TensorFlowDetector,
    split: PreparedSplit,
    spec: RunSpec,
    checkpoint: Checkpoint,
    *,
    validate: Validation | None = None,
    live: Live | None = None,
    label: str = "train",
) -> Progress:
    """Train to the last step, from the last checkpoint if there is one.

    Args:
        detector: with its first weights.
        split: the training set.
        spec: steps, batch, optimiser, augmentation.
        checkpoint: where the state is kept; TensorFlow's is a folder of that name.
        validate: called with the weights of every `spec.validate_every` steps, after the training.
        live: what can be looked at meanwhile.
        label: name on the progress bar.
    """
    state = checkpoint.path.with_suffix("")
    key = state / "key"
    if not key.exists() or key.read_text() != checkpoint.key:
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
        key.write_text(checkpoint.key)
        if live:
            live.begin([])
    images = range(len(split.images))
    with progress_bar(total=spec.iterations, desc=label, unit="step") as bar:
        trained = detector.train_by_api(
            split.images,
            [split.boxes(i) for i in images],
            [split.labels(i) for i in images],
            Training(
                spec.batch_size,
                spec.iterations,
                spec.learning_rate,
                spec.warmup,
                flip=Augment.FLIP in spec.augment,
                crop=Augment.CROP in spec.augment,
            ),
            state,
            save_every=spec.validate_every or _largest_divisor(spec.iterations, SAVE_EVERY),
            keep_all=spec.validate_every > 0,
            on_history=lambda history: _show(history, bar, live),
        )
    history = trained.history
    if validate:
        for step, weights in trained.checkpoints.items():
            detector.restore(weights)
            row = {"step": step, **validate(step)}
            bisect.insort(history, row, key=itemgetter("step"))
            if live:
                live.show(history, row)
    shutil.rmtree(state)
    elsewhere = TrainedElsewhere(detector.packages, trained.configuration, trained.peak_memory_mib)
    return Progress(spec.iterations, history, trained.seconds, elsewhere=elsewhere)


def _show(history: History, bar: tqdm, live: Live | None) -> None:  # type: ignore[type-arg]
    row = history[-1]
    bar.update(int(row["step"]) - bar.n)
    bar.set_postfix_str(f"loss {row['loss']:.3f}")
    if live:
        live.show(history, row)


def _largest_divisor(number: int, most: int) -> int:
    return next(d for d in range(min(number, most), 0, -1) if number % d == 0)
