"""Works are called in turn, and the first rounds do not count."""

import time

from pipelines.processor.in_turn import medians_in_turn


def test_works_are_called_in_turn_and_the_first_round_does_not_count():
    called = []

    def work(name, slow_call):
        called.append(name)
        if called.count(name) == slow_call:
            time.sleep(0.5)

    works = {"first": lambda: work("first", 1), "second": lambda: work("second", 2)}
    seconds = medians_in_turn(works, rounds=1, not_counted=1)
    assert called == ["first", "second"] * 2
    assert seconds["first"] < seconds["second"]
