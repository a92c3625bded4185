"""What is looked at while a run trains, read back as its reader does."""

import json
import math

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from pipelines.runs.folder import HISTORY, history_text
from pipelines.training.live import METRICS, Live

ROWS = [{"step": 10, "loss": 2.0}, {"step": 10, "validation_AP": 5.0}, {"step": 20, "loss": 1.5}]


def show(live, first=1, last=3):
    live.begin(ROWS[: first - 1])
    for count in range(first, last + 1):
        live.show(ROWS[:count], ROWS[count - 1])


def test_tensorboard_reads_every_figure_at_its_step(tmp_path):
    show(Live(tmp_path / "live", tensorboard=True))
    found = EventAccumulator(str(tmp_path / "live" / "tensorboard")).Reload()
    scalars = {
        name: [(e.step, e.value) for e in found.Scalars(name)] for name in found.Tags()["scalars"]
    }
    assert scalars == {"loss": [(10, 2.0), (20, 1.5)], "validation_AP": [(10, 5.0)]}


def test_a_run_that_goes_on_adds_to_what_it_showed(tmp_path):
    show(Live(tmp_path / "live", tensorboard=True), last=2)
    show(Live(tmp_path / "live", tensorboard=True), first=3)
    found = EventAccumulator(str(tmp_path / "live" / "tensorboard")).Reload()
    assert [event.step for event in found.Scalars("loss")] == [10, 20]
    assert (tmp_path / "live" / HISTORY).read_text() == history_text(ROWS)


def test_another_run_shows_nothing_of_the_last(tmp_path):
    show(Live(tmp_path / "live", tensorboard=True))
    Live(tmp_path / "live").begin([])
    assert {path.name for path in (tmp_path / "live").iterdir()} == {HISTORY, METRICS}
    assert (tmp_path / "live" / HISTORY).read_text() == history_text([])
    assert json.loads((tmp_path / "live" / METRICS).read_text()) == {"step": 0}


def test_the_metrics_are_the_newest_of_each_figure_that_is_defined(tmp_path):
    live = Live(tmp_path / "live")
    live.begin([*ROWS, {"step": 20, "validation_AP": math.nan}])
    newest = {"step": 20, "loss": 1.5, "validation_AP": 5.0}
    assert json.loads((tmp_path / "live" / METRICS).read_text()) == newest


def test_a_run_that_goes_on_from_before_what_it_showed_shows_no_step_twice(tmp_path):
    """The checkpoint is of an earlier step than the last that was shown."""
    show(Live(tmp_path / "whole"))
    show(Live(tmp_path / "stopped"))
    show(Live(tmp_path / "stopped"), first=3)
    whole, stopped = (
        {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        for name in ("whole", "stopped")
    )
    assert whole.keys() == {HISTORY, METRICS}
    assert stopped == whole
