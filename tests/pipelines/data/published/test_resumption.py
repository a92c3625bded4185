"""A download that broke goes on where it can, and starts anew where it cannot."""

from pathlib import Path

import pytest

from pipelines.data.published.download import DownloadError
from pipelines.system.errors import UserError
from tests.pipelines.data.published.loopback import full_disk
from tests.pipelines.data.published.one_file import CONTENT, MD5, OTHER, SHA256, left, ranges


@pytest.mark.parametrize(
    "name", [{"etag": '"x"'}, {"etag": None, "modified": "Wed, 21 Oct 2015 07:28:00 GMT"}]
)
def test_a_dropped_connection_is_resumed_where_it_broke(server, get, name):
    server.serve("set.zip", CONTENT, drops=[20_000, 17_000], **name)
    assert [line.partition(": ")[2] for line in get(sha256=SHA256)] == [
        "the connection broke (ChunkedEncodingError); trying again in 0 s"
    ] * 2
    assert ranges(server) == [None, "bytes=16384-", "bytes=32768-"]
    assert get.file.read_bytes() == CONTENT


def test_what_a_failed_call_left_is_resumed_by_the_next(server, get):
    server.serve("set.zip", CONTENT, drops=[20_000] * 4)
    with pytest.raises(DownloadError, match=r"set\.zip: the connection broke .* after 4 tries"):
        get()
    assert left(get.file.parent) == [".set.zip.part", ".set.zip.part.json"]
    get(md5=MD5)
    assert ranges(server)[-1] == "bytes=65536-"
    assert left(get.file.parent) == ["set.zip"]


def test_a_part_that_is_already_whole_needs_no_request(server, get, monkeypatch):
    server.serve("set.zip", CONTENT)
    monkeypatch.setattr(Path, "replace", _raise(KeyboardInterrupt), raising=True)
    with pytest.raises(KeyboardInterrupt):
        get(md5=MD5)
    monkeypatch.undo()
    get(md5=MD5)
    assert get.file.read_bytes() == CONTENT


@pytest.mark.parametrize("how", [{"etag": None}, {"etag": 'W/"weak"'}, {"ranges": False}])
def test_without_resumption_a_download_starts_anew(server, get, how):
    server.serve("set.zip", CONTENT, drops=[20_000], **how)
    get(md5=MD5)
    assert get.file.read_bytes() == CONTENT
    assert [request.status for request in server.log] == [200, 200]


@pytest.mark.parametrize("how", [{"etag": None}, {"etag": 'W/"weak"'}])
def test_a_part_that_cannot_be_resumed_is_removed(server, get, how):
    server.serve("set.zip", CONTENT, drops=[20_000] * 4, **how)
    with pytest.raises(DownloadError):
        get()
    assert left(get.file.parent) == []


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_on_the_server_starts_anew(server, get, if_range):
    server.serve("set.zip", OTHER, drops=[20_000] * 4, etag='"old"')
    with pytest.raises(DownloadError):
        get()
    server.serve("set.zip", CONTENT, etag='"new"', if_range=if_range)
    get(md5=MD5)
    assert get.file.read_bytes() == CONTENT


def test_a_part_beyond_the_end_of_the_server_s_file_starts_anew(server, get):
    served = server.serve("set.zip", CONTENT, drops=[20_000] * 4)
    with pytest.raises(DownloadError):
        get()
    served.content = OTHER[:40_000]
    get()
    assert [request.status for request in server.log][-2:] == [416, 200]
    assert get.file.read_bytes() == OTHER[:40_000]


def test_a_disk_that_fills_up_is_one_clear_line_and_what_came_is_resumed(server, get, monkeypatch):
    server.serve("set.zip", CONTENT)
    with (
        full_disk(monkeypatch, ".part", 20_000),
        pytest.raises(UserError, match="no space is left on its disk; free some"),
    ):
        get()
    get(md5=MD5)
    assert ranges(server) == [None, "bytes=16384-"]
    assert left(get.file.parent) == ["set.zip"]


def _raise(error):
    def raise_error(*_, **__):
        raise error

    return raise_error
