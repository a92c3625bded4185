"""A download ends whole, or with one clear line and nothing but a part that can be resumed."""

import hashlib
import json
import multiprocessing
import shutil
from itertools import pairwise

import pytest

from pipelines.data.published.download import DownloadError, discard, download
from pipelines.system.errors import UserError
from tests.pipelines.data.published.loopback import closed_address
from tests.pipelines.data.published.one_file import CONTENT, MD5, OTHER, SHA256, left


def test_a_file_arrives_whole_and_once(server, get):
    server.serve("set.zip", CONTENT)
    for _ in range(2):
        assert get(md5=MD5, sha256=SHA256) == []
        assert get.file.read_bytes() == CONTENT
    assert len(server.log) == 1
    assert left(get.file.parent) == ["set.zip"]


def test_a_broken_file_at_its_place_is_replaced(server, get):
    server.serve("set.zip", CONTENT)
    get.file.parent.mkdir()
    get.file.write_bytes(CONTENT[:-1])
    (line,) = get(md5=MD5)
    assert "will be downloaded again" in line
    assert get.file.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_asked_again(server, get, status):
    server.serve("set.zip", CONTENT, statuses=[status] * 3)
    assert all(f"the server answers {status}" in line for line in get(md5=MD5))
    server.serve("set.zip", CONTENT, statuses=[status] * 4)
    get.file.unlink()
    with pytest.raises(DownloadError, match=f"the server answers {status}; gave up after 4 tries"):
        get(md5=MD5)
    assert left(get.file.parent) == []


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_final_answer_is_final(server, get, status):
    server.serve("set.zip", CONTENT, statuses=[status])
    with pytest.raises(DownloadError, match=f"the server answers {status}"):
        get()
    assert len(server.log) == 1
    get()
    assert get.file.read_bytes() == CONTENT


def test_waits_grow(server, get, monkeypatch):
    waited: list[float] = []
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pipelines.data.published.download.time.sleep", waited.append)
    server.serve("set.zip", CONTENT, statuses=[503] * 9)
    with pytest.raises(DownloadError):
        get()
    assert len(waited) >= 3
    assert all(later > earlier for earlier, later in pairwise(waited))


def test_a_length_that_is_too_long_is_tried_again_and_given_up(server, get):
    served = server.serve("set.zip", CONTENT, length=120_000, etag=None)
    with pytest.raises(DownloadError, match="gave up"):
        get()
    assert left(get.file.parent) == []
    served.length = None
    get(md5=MD5)


def test_a_length_that_is_too_short_fails_the_checksum(server, get):
    served = server.serve("set.zip", CONTENT, length=40_000)
    with pytest.raises(UserError, match="the md5 is"):
        get(md5=MD5)
    served.length = None
    get(md5=MD5)


@pytest.mark.parametrize(("kind", "right"), [("md5", MD5), ("sha256", SHA256)])
def test_a_wrong_checksum_names_both_and_removes_the_download(server, get, kind, right):
    server.serve("set.zip", OTHER)
    found = hashlib.new(kind, OTHER).hexdigest()
    with pytest.raises(UserError, match=f"the {kind} is {found}, published is {right}") as error:
        get(**{kind: right})
    assert "\n" not in str(error.value)
    assert left(get.file.parent) == []
    server.serve("set.zip", CONTENT)
    get(**{kind: right})
    assert left(get.file.parent) == ["set.zip"]


def test_the_hash_seen_first_is_held_to_until_its_line_is_deleted(server, get):
    record = get.file.parent / "downloads.json"
    download_other = server.url("other.zip")
    server.serve("set.zip", CONTENT)
    server.serve("other.zip", OTHER)
    download(download_other, get.file.with_name("other.zip"), progress=False)
    get()
    assert json.loads(record.read_text())[server.url("set.zip")] == SHA256
    get.file.unlink()
    server.serve("set.zip", OTHER)
    with pytest.raises(UserError, match=rf"{SHA256} then.* delete the line .* in .*{record.name}"):
        get()
    assert left(get.file.parent) == ["downloads.json", "other.zip"]
    lines = record.read_text().splitlines()
    record.write_text("\n".join(line for line in lines if "set.zip" not in line))
    get()
    assert get.file.read_bytes() == OTHER
    assert set(json.loads(record.read_text())) == {server.url("set.zip"), download_other}


def test_a_discarded_download_may_be_another_one_next_time(server, get):
    server.serve("set.zip", OTHER)
    get()
    discard(server.url("set.zip"), get.file)
    assert not get.file.exists()
    server.serve("set.zip", CONTENT)
    get()
    assert get.file.read_bytes() == CONTENT


def test_a_record_that_is_not_one_is_named(server, get):
    server.serve("set.zip", CONTENT)
    get.file.parent.mkdir()
    get.file.with_name("downloads.json").write_text("[")
    with pytest.raises(UserError, match=r"downloads\.json: is not a json object"):
        get()


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://127.0.0.1/set.zip", "set.zip"])
def test_only_http_and_https_are_followed(server, get, url):
    with pytest.raises(UserError, match="is not an http or https address"):
        download(url, get.file, progress=False)
    server.serve("set.zip", b"", redirect=url)
    if ":" in url:
        with pytest.raises(DownloadError, match="No connection adapters"):
            get()
        assert left(get.file.parent) == []


def test_a_redirect_is_followed(server, get):
    server.serve("set.zip", b"", redirect=server.url("there.zip"))
    server.serve("there.zip", CONTENT)
    get(md5=MD5)
    assert get.file.read_bytes() == CONTENT


def test_no_network_is_one_clear_line(get, server, tmp_path):
    url = f"{closed_address()}/set.zip"
    with pytest.raises(DownloadError) as error:
        download(url, tmp_path / "set.zip", report=lambda _: None, progress=False)
    assert str(error.value) == (
        f"{url}: no connection to the server (ConnectionError); gave up after 4 tries"
    )
    assert left(tmp_path) == []


def test_too_little_space_is_seen_before_the_first_byte(server, get, monkeypatch):
    server.serve("set.zip", CONTENT)
    usage = shutil.disk_usage("/")._replace(free=99_999)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"0\.00 GB are needed and 0\.00 GB are free"):
        get()
    assert left(get.file.parent) == []
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=100_000))
    get(md5=MD5)


def test_a_folder_that_cannot_be_made_is_named(server, tmp_path):
    (tmp_path / "in").write_text("a file")
    with pytest.raises(UserError, match=f"{tmp_path}/in"):
        download(server.url("set.zip"), tmp_path / "in" / "set.zip", progress=False)


def test_of_two_processes_the_second_waits_for_the_first(server, get):
    server.serve("set.zip", CONTENT)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=get, kwargs={"md5": MD5}) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(server.log) == 1
