"""Files that take long come first, and none of their names is out of date."""

from hypothesis import HealthCheck, settings

from tests.order import HERE, LONGEST, rank


def test_the_longest_files_are_there_once():
    assert [name for name in LONGEST if not (HERE / name).is_file()] == []
    assert len(set(LONGEST)) == len(LONGEST)


def test_the_longest_come_first_then_what_is_slow():
    long, slow, quick = HERE / LONGEST[0], HERE / "a/test_slow.py", HERE / "a/test_quick.py"
    ordered = sorted([quick, slow, HERE / LONGEST[1], long], key=lambda p: rank(p, {slow, long}))
    assert ordered == [long, HERE / LONGEST[1], slow, quick]


def test_no_example_is_hurried():
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check
