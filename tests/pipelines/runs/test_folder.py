"""The run folder: whole or not there, sealed, and read as typed records."""

import json

import pandas as pd
import pytest

from pipelines.runs.folder import DETECTIONS, HISTORY, MATCHES, RECORD, WEIGHTS, RunFolder
from pipelines.runs.record import Record
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from tests.pipelines.records import record_of

SPEC = RunSpec(seed=3)
VALUES = record_of(SPEC, "row-s3")
del VALUES["files_sha256"]
HISTORY_ROWS = [{"step": 10, "loss": 0.5}]
FOUND = [{"image_id": 1, "category_id": 1, "bbox": [0, 0, 1, 1], "score": 0.5}]
MATCHED = pd.DataFrame({"image": [1], "score": [0.5]})


@pytest.fixture
def written(tmp_path):
    folder = RunFolder(tmp_path / "row-s3")
    folder.write(VALUES, HISTORY_ROWS, FOUND, MATCHED, b"weights")
    return folder


def test_what_is_written_is_read(written):
    record = written.record()
    assert (record.name, record.spec, record.specification_changed) == ("row-s3", SPEC, False)
    assert (record.cost.training_seconds, record.cost.joules) == (30.0, None)
    assert (record.machine.device, record.machine.processes) == ("A processor", 1)
    assert record.classes == ("ripe", "unripe")
    assert written.detections() == FOUND
    assert written.history().equals(pd.DataFrame(HISTORY_ROWS))
    assert written.matches().equals(MATCHED)
    assert written.weights.read_bytes() == b"weights"
    assert written.is_of(SPEC)
    assert not written.is_of(RunSpec(seed=4))


def test_equal_runs_have_equal_bytes(written, tmp_path):
    again = RunFolder(tmp_path / "again" / "row-s3")
    again.write(VALUES, HISTORY_ROWS, FOUND, MATCHED, b"weights")
    for name in (RECORD, HISTORY, DETECTIONS, MATCHES, WEIGHTS):
        assert (again.path / name).read_bytes() == (written.path / name).read_bytes()


@pytest.mark.parametrize("name", [HISTORY, DETECTIONS, MATCHES])
def test_a_changed_or_missing_file_is_named(written, name):
    assert written.altered() == []
    with (written.path / name).open("ab") as file:
        file.write(b" ")
    assert written.altered() == [name]
    (written.path / name).unlink()
    assert written.altered() == [name]


def test_a_packed_file_damaged_anywhere_is_one_clear_error(written):
    path = written.path / DETECTIONS
    whole = path.read_bytes()
    damaged = [whole[:size] for size in range(len(whole))]
    damaged += [whole[:i] + bytes([whole[i] ^ 255]) + whole[i + 1 :] for i in range(10, len(whole))]
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(UserError, match=f"^row-s3/{DETECTIONS}: cannot be read: "):
            written.text(DETECTIONS)


def test_what_fails_leaves_the_old_run_and_nothing_beside_it(written):
    with pytest.raises(TypeError):
        written.write({"not": object()}, HISTORY_ROWS, FOUND, MATCHED, b"other")
    assert written.weights.read_bytes() == b"weights"
    assert [path.name for path in written.path.parent.iterdir()] == ["row-s3"]


def test_records_are_copied_without_the_weights(written, tmp_path):
    written.copy_records(tmp_path / "copy")
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == sorted(
        [RECORD, HISTORY, DETECTIONS, MATCHES]
    )


@pytest.mark.parametrize("lacking", ["name", "specification_hash", "data", "files_sha256"])
def test_a_record_says_what_it_lacks(lacking):
    values = {**VALUES, "files_sha256": {}}
    del values[lacking]
    with pytest.raises(UserError, match=f"x/run.json: holds no {lacking}"):
        Record.parse(values, "x/run.json")


@pytest.mark.parametrize("part", ["code", "machine", "cost"])
def test_a_part_says_where_something_is_missing(part):
    with pytest.raises(UserError, match=f"x: {part}: is missing"):
        Record.parse({**VALUES, "files_sha256": {}, part: None}, "x")
    with pytest.raises(UserError, match=f"x: {part}: holds no"):
        Record.parse({**VALUES, "files_sha256": {}, part: {}}, "x")


@pytest.mark.parametrize("content", ["", "[]", "{", json.dumps({"name": 1})])
def test_a_damaged_record_is_one_clear_error(tmp_path, content):
    (tmp_path / RECORD).write_text(content)
    with pytest.raises(UserError, match=f"{tmp_path.name}/run.json"):
        RunFolder(tmp_path).record()
