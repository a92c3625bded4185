"""The time that a study still takes, by what runs of the same kind took."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.cluster.time_left import SECONDS_AROUND, Expected, TimeLeft, expected_times
from pipelines.runs.spec import RunSpec

SLOW, FAST = "faster-rcnn-r50 mobilenet-v2", "lapnet mobilenet-v2"
EXPECTED = {
    "slow-s0": Expected(SLOW, 400),
    "slow-s1": Expected(SLOW, 400),
    "fast-s0": Expected(FAST, 30),
    "fast-s1": Expected(FAST, 30),
    "fast-s2": Expected(FAST, 30),
}


def test_a_run_takes_as_long_as_finished_ones_of_its_kind():
    left = TimeLeft(EXPECTED)
    left.add("slow-s0", 800)
    left.add("fast-s0", 15)
    # A slow one takes twice what was expected, a fast one half of it: 800 and 15 + (15 - 5)
    assert left.seconds(["fast-s1"], {"fast-s2": 5}) == 25
    assert left.seconds(["slow-s1"], {"fast-s1": 15}) == 800
    # Two at a time: (800 - 100 + 15 + 15) / 2, but the slow one alone takes 700
    assert left.seconds(["fast-s1"], {"slow-s1": 100, "fast-s2": 0}) == 700


def test_of_a_kind_that_has_not_finished_all_runs_tell_how_fast_the_machine_is():
    left = TimeLeft(EXPECTED)
    assert left.seconds([], {"slow-s0": 100}) == 300
    left.add("fast-s0", 60)
    assert left.seconds([], {"slow-s0": 100}) == 700


def test_a_run_that_takes_longer_than_expected_takes_no_time_back():
    assert TimeLeft(EXPECTED).seconds(["fast-s0"], {"slow-s0": 500}) == 30


def test_what_nothing_is_known_of_takes_as_long_as_the_others():
    left = TimeLeft({})
    assert left.seconds(["b"], {"a": 3}) is None
    left.add("a", 10)
    left.add("b", 20)
    assert left.seconds(["c", "d"], {}) == 30
    assert left.seconds([], {}) == 0


@given(st.lists(st.floats(1, 1e4), min_size=1, max_size=8), st.integers(1, 4), st.floats(0.1, 10))
def test_where_runs_take_what_is_expected_the_rest_is_their_sum_shared(seconds, jobs, pace):
    """Never less than the longest takes, nor than all take side by side."""
    names = [str(i) for i in range(len(seconds))]
    left = TimeLeft(
        {
            **{n: Expected("a", s) for n, s in zip(names, seconds, strict=True)},
            "done": Expected("a", 7),
        }
    )
    left.add("done", 7 * pace)
    at_work = dict.fromkeys(names[:jobs], 0.0)
    found = left.seconds(names[jobs:], at_work)
    assert found == pytest.approx(pace * max(sum(seconds) / len(at_work), *seconds))


def write_ledger(folder, *rows):
    folder.mkdir()
    lines = ["run,detector,backbone,input_size,images_a_second", *rows]
    (folder / "ledger.csv").write_text("\n".join(lines) + "\n")


def test_a_ledger_tells_what_a_run_should_take(tmp_path):
    write_ledger(
        tmp_path / "quick",
        "a-s0,scale-aware-ssd,mobilenet-v2,256,10",
        "a-s1,scale-aware-ssd,mobilenet-v2,256,30",
        "b-s0,scale-aware-ssd,mobilenet-v2,512,5",
    )
    write_ledger(
        tmp_path / "another",
        "c-s0,scale-aware-ssd,mobilenet-v2,256,1",
        "d-s0,lapnet,mobilenet-v2,256,4",
    )
    ssd = RunSpec(input_size=512, iterations=100, batch_size=8)
    lapnet = RunSpec(detector="lapnet", input_size=256, iterations=10, batch_size=8)
    found = expected_times({"ssd-s0": ssd, "lapnet-s0": lapnet}, "quick", tmp_path)
    # At 256 pixels 10, 30 and, by area, 20 images/s: their median is 5 images/s at 512
    assert found["ssd-s0"].seconds == pytest.approx(SECONDS_AROUND + 800 / 5)
    assert found["lapnet-s0"].seconds == pytest.approx(SECONDS_AROUND + 80 / 4)
    assert found["ssd-s0"].kind != found["lapnet-s0"].kind
    assert expected_times({"ssd-s0": ssd}, "quick", tmp_path / "none") == {}
