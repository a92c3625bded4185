"""The line after the bar, by a clock of the test's own."""

import pytest

from pipelines.cluster.progress import Progress
from pipelines.cluster.time_left import Expected


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr("pipelines.cluster.progress.time.monotonic", lambda: Clock.now)
    return Clock


def test_work_is_summed_over_runs_from_where_each_began(clock):
    with Progress(["first", "second", "third"], "test") as bar:
        assert bar.said() == "0 s of work; none at work"
        bar.begin("first")
        clock.now += 10
        bar.begin("second")
        bar.begin("first")
        clock.now += 5
        assert bar.said() == "20 s of work; first, second"
        bar.end("first")
        clock.now += 7
        # The first took 15 seconds; the second has had 12, and the third takes as long
        assert bar.said() == "about 00:18 left; 27 s of work; second"


def test_a_run_that_was_never_seen_at_work_adds_nothing(clock):
    with Progress(["restored"], "test") as bar:
        bar.end("restored")
        clock.now += 3
        assert bar.said() == "about 00:00 left; 0 s of work; none at work"


def test_many_runs_are_counted_not_named():
    with Progress("abcdefghi", "test") as bar:
        for name in "abcdefg":
            bar.begin(name)
        assert bar.said().endswith("; a, b, c, d, 3 more")


def test_the_bar_shows_runs_done_and_time_left(clock, capsys):
    with Progress(["first", "second", "third", "fourth"], "quick, on ray") as bar:
        bar.begin("first")
        clock.now += 60
        bar.end("first")
    shown = capsys.readouterr().err.splitlines()[-1]
    assert "quick, on ray:  25%" in shown
    assert "1/4" in shown
    assert "about 03:00 left; 60 s of work; none at work" in shown


def test_the_time_left_is_by_the_kind_of_the_runs(clock):
    expected = {
        "heavy-s0": Expected("heavy", 100),
        "heavy-s1": Expected("heavy", 100),
        "light-s0": Expected("light", 10),
    }
    with Progress(expected, "test", expected) as bar:
        assert bar.said().startswith("about 03:30 left")
        bar.begin("heavy-s0")
        clock.now += 120
        bar.end("heavy-s0")
        # By a tenth and a tenth slower than expected: 120 + 12
        assert bar.said().startswith("about 02:12 left")
