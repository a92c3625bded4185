"""A file is there whole or not at all; replaced folders are tested with what fills them."""

import pytest

from pipelines.system.files import write_whole


def test_a_file_takes_the_place_of_the_old_one_with_nothing_left_beside_it(tmp_path):
    path = tmp_path / "new" / "table.csv"
    for content in ("first\n", "grün\n"):
        write_whole(path, content)
        assert path.read_bytes() == content.encode()
    assert [p.name for p in path.parent.iterdir()] == ["table.csv"]


def test_what_cannot_be_written_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.csv"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half a pair: \ud800")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["table.csv"]
