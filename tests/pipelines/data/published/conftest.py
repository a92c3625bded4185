"""A server that publishes small data sets, a root to fetch them to, and one file's download."""

import hashlib
from dataclasses import replace

import pytest

from pipelines.data.published.catalogue import PUBLISHED
from tests.pipelines.data.published.archives import small_archives
from tests.pipelines.data.published.loopback import loopback
from tests.pipelines.data.published.one_file import Get


@pytest.fixture
def server(monkeypatch):
    with loopback(monkeypatch) as server:
        yield server


@pytest.fixture
def publish(server, monkeypatch):
    """Serve a small data set and let the catalogue point there; gives its archives' names."""

    def publish(name, contents=None, address=None, **change):
        archives = []
        for archive, content in zip(
            PUBLISHED[name].archives, contents or small_archives(name), strict=True
        ):
            server.serve(archive.name, content)
            md5 = None if archive.md5 is None else hashlib.md5(content).hexdigest()
            url = f"{address or server.address}/{archive.name}"
            archives.append(replace(archive, url=url, md5=md5))
        published = replace(PUBLISHED[name], archives=tuple(archives), **change)
        monkeypatch.setitem(PUBLISHED, name, published)
        return [archive.name for archive in archives]

    return publish


@pytest.fixture
def get(server, tmp_path):
    """Downloads the server's `set.zip`."""
    return Get(server.url("set.zip"), tmp_path / "in" / "set.zip")


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"
