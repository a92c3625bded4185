"""A bar on a terminal is tqdm's own; in a log it is a line now and then, and one at the end."""

import io
import sys

import pytest

from pipelines.system.bars import progress_bar


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 100.0

    monkeypatch.setattr("pipelines.system.bars.time.monotonic", lambda: Clock.now)
    return Clock


def test_in_a_log_a_bar_is_a_line_every_half_minute_and_one_at_the_end(clock, capsys):
    for number in progress_bar(range(7), desc="speed", mininterval=0):
        clock.now += 10
        if number == 1:
            assert capsys.readouterr().err == ""
    said = capsys.readouterr().err
    assert "\r" not in said
    # 10 seconds an item, drawn after each: lines at 30 and 60 seconds, and the whole at the end
    assert [line.split("|")[-1].split()[0] for line in said.splitlines()] == ["3/7", "6/7", "7/7"]
    assert all(line.startswith("speed:") for line in said.splitlines())


def test_one_bar_within_another_keeps_to_its_own_lines(clock, capsys):
    for _ in progress_bar(range(2), desc="train", mininterval=0):
        for _ in progress_bar(range(3), desc="detect", mininterval=0, leave=False):
            clock.now += 4
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(":")[0] for line in lines] == ["train"]


def test_on_a_terminal_it_is_drawn_over_itself(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with progress_bar(total=2, mininterval=0) as bar:
        bar.update()
        bar.update()
    assert terminal.getvalue().count("\r") >= 3
    assert terminal.getvalue().count("\n") == 1


def test_a_bar_that_is_turned_off_says_nothing(capsys):
    assert list(progress_bar(range(3), disable=True)) == [0, 1, 2]
    assert capsys.readouterr().err == ""
