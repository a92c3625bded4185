"""The line after the bar, by a clock of the test's own."""

import pytest

from pipelines.cluster.progress import Progress


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr("pipelines.cluster.progress.time.monotonic", lambda: Clock.now)
    return Clock


def test_work_is_summed_over_runs_from_where_each_began(clock):
    with Progress(3, "test") as bar:
        assert bar.said() == "0 s of work; none at work"
        bar.begin("first")
        clock.now += 10
        bar.begin("second")
        bar.begin("first")
        clock.now += 5
        assert bar.said() == "20 s of work; first, second"
        bar.end("first")
        clock.now += 7
        assert bar.said() == "27 s of work; second"


def test_a_run_that_was_never_seen_at_work_adds_nothing(clock):
    with Progress(1, "test") as bar:
        bar.end("restored")
        clock.now += 3
        assert bar.said() == "0 s of work; none at work"


def test_many_runs_are_counted_not_named():
    with Progress(9, "test") as bar:
        for name in "abcdefg":
            bar.begin(name)
        assert bar.said().endswith("; a, b, c, d, 3 more")


def test_the_bar_shows_runs_done_and_time_left(clock, capsys):
    with Progress(4, "quick, on ray") as bar:
        bar.begin("first")
        clock.now += 60
        bar.end("first")
    shown = capsys.readouterr().err.rsplit("\r", 1)[-1]
    assert "quick, on ray:  25%" in shown
    assert "1/4" in shown
    assert "60 s of work; none at work" in shown
