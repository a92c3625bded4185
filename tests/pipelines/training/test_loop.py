"""Order, schedule and checkpoints of the training loop, against values worked out by hand."""

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch

from method.detection import Detections
from method.detector import StepLosses, TrainableDetector
from pipelines.runs.folder import history_text
from pipelines.runs.spec import Precision, RunSpec
from pipelines.system.errors import UserError
from pipelines.training.live import Live
from pipelines.training.loop import Checkpoint, Progress, batch_indices, train
from pipelines.training.step import OwnSteps, to_batch

SPEC = RunSpec(
    iterations=24, batch_size=4, precision=Precision.FP32, warmup=0, input_size=64, seed=3
)
CPU = torch.device("cpu")


class MeanColour(TrainableDetector[torch.Tensor]):
    """The smallest thing that trains: predicts an image's brightness from its mean colour."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)
        torch.nn.init.constant_(self.layer.weight, 0.1)
        torch.nn.init.zeros_(self.layer.bias)
        self.factor = factor

    def match(self, boxes, labels):
        return labels.float().sum()

    def losses(self, images, matches):
        guess = self.layer(images.float().mean(dim=(2, 3)) / 255).squeeze(1)
        return StepLosses({"error": self.factor * (guess - torch.stack(matches)).square().mean()})

    def detect(self, images):
        return [Detections(torch.empty(0, 4), torch.empty(0), torch.empty(0)) for _ in images]


@dataclasses.dataclass
class Brightness:
    """Noise images, each matched with its own brightness."""

    pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]

    def __len__(self):
        return len(self.pixels)

    def batch(self, step, indices, first=0):
        pixels = self.pixels[indices]
        matches = [torch.tensor(p.mean() / 255) for p in pixels.astype(float)]
        return to_batch(pixels, torch.device("cpu")), matches


def images(count=10):
    rng = np.random.default_rng(0)
    return Brightness(rng.integers(0, 256, (count, 64, 64, 3), dtype=np.uint8))


def test_each_epoch_shows_each_image_once():
    seen = [i for step in range(10) for i in batch_indices(10, 4, seed=5, step=step)]
    for epoch in range(4):
        assert sorted(seen[10 * epoch : 10 * epoch + 10]) == list(range(10))
    assert seen[:10] != seen[10:20]
    assert batch_indices(10, 4, seed=6, step=0) != seen[:4]


def test_a_batch_may_be_larger_than_the_set():
    assert sorted(batch_indices(3, 6, seed=0, step=1)) == [0, 0, 1, 1, 2, 2]


def test_the_loss_falls_and_the_history_says_so():
    spec = dataclasses.replace(SPEC, iterations=200, learning_rate=0.05)
    history = train(MeanColour(), images(), spec, device=CPU).history
    assert [row["step"] for row in history][:3] == [10, 20, 30]
    assert history[-1]["loss"] < history[0]["loss"] / 10


def test_stopped_and_resumed_ends_with_the_same_weights(tmp_path):
    whole = MeanColour()
    train(whole, images(), SPEC, device=CPU)

    class KilledError(Exception):
        pass

    def die():
        raise KilledError

    checkpoint = Checkpoint(tmp_path / "state.pt", "key", seconds=0)
    dies_at_15 = dataclasses.replace(SPEC, validate_every=15)
    with pytest.raises(KilledError):
        train(
            MeanColour(),
            images(),
            dies_at_15,
            device=CPU,
            checkpoint=checkpoint,
            validate=lambda _: die(),
        )
    resumed = MeanColour()
    progress = train(resumed, images(), SPEC, device=CPU, checkpoint=checkpoint)
    assert [row["step"] for row in progress.history] == [10, 20, 24]
    assert torch.equal(resumed.layer.weight, whole.layer.weight)


def test_the_table_to_look_at_grows_and_goes_on_where_the_training_does(tmp_path):
    live, checkpoint = (
        tmp_path / "live" / "history.csv",
        Checkpoint(tmp_path / "state.pt", "key", 0),
    )
    seen = []

    def look(step):
        seen.append(live.read_text().count("\n"))
        if step == 15 and len(seen) == 1:
            raise InterruptedError
        return {"validation_AP": 1.0}

    spec = dataclasses.replace(SPEC, validate_every=15)

    def start():
        return train(
            MeanColour(),
            images(),
            spec,
            device=CPU,
            checkpoint=checkpoint,
            validate=look,
            live=Live(live.parent),
        )

    with pytest.raises(InterruptedError):
        start()
    history = start().history
    assert seen == [2, 2, 5], "a head, and a row after steps 10, 15, 20 and 24"
    assert live.read_text() == history_text(history)
    assert [row["step"] for row in history] == [10, 15, 20, 24, 24]


def test_a_checkpoint_of_another_run_is_not_used(tmp_path):
    detector = MeanColour()
    optimizer = torch.optim.AdamW(detector.parameters())
    saved = Checkpoint(tmp_path / "state.pt", "one")
    saved.save(detector, optimizer, Progress(step=7))
    assert saved.load(detector, optimizer).step == 7
    assert Checkpoint(saved.path, "other").load(detector, optimizer).step == 0


def test_a_disk_that_fills_up_leaves_the_last_checkpoint(tmp_path):
    detector = MeanColour()
    optimizer = torch.optim.AdamW(detector.parameters())
    checkpoint = Checkpoint(tmp_path / "state.pt", "one")
    checkpoint.save(detector, optimizer, Progress(step=7))
    (tmp_path / "state.new").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left on device"):
        checkpoint.save(detector, optimizer, Progress(step=8))
    assert [path.name for path in tmp_path.iterdir()] == ["state.pt"]
    assert checkpoint.load(detector, optimizer).step == 7


def test_a_loss_that_is_not_finite_stops_the_run():
    with pytest.raises(UserError, match=r"not finite at step 10 .*learning_rate"):
        train(MeanColour(factor=math.inf), images(), SPEC, device=CPU)


def test_another_library_s_word_that_the_loss_is_not_finite_stops_the_run_too():
    class Diverging(OwnSteps[Any]):
        def __call__(self, number, images, matches):
            if number == 3:
                raise FloatingPointError("Loss became infinite\nloss_cls = inf")
            return super().__call__(number, images, matches)

    detector = MeanColour()
    with pytest.raises(UserError, match=r"not finite at step 4 \(Loss.* loss_cls = inf\): try"):
        train(detector, images(), SPEC, device=CPU, steps=Diverging(detector, SPEC))
