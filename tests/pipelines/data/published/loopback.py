"""What goes wrong outside: a scripted http server on 127.0.0.1, and a disk that fills up."""

import errno
import io
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import NamedTuple

from pipelines.data.published import download


@dataclass
class Served:
    """A file and how it is served.

    statuses: answers of the first requests, instead of the file; drops: bytes after which the
    connection breaks, at the next requests; length: a Content-Length that is not true.
    """

    content: bytes
    etag: str | None = '"first"'
    modified: str | None = None
    ranges: bool = True
    if_range: bool = True
    statuses: list[int] = field(default_factory=list)
    drops: list[int] = field(default_factory=list)
    length: int | None = None
    redirect: str | None = None


class Request(NamedTuple):
    """What was asked for, and how it was answered."""

    name: str
    range: str | None
    status: int


@dataclass
class Loopback:
    """The files by name, and every request so far."""

    address: str
    files: dict[str, Served] = field(default_factory=dict)
    log: list[Request] = field(default_factory=list)

    def url(self, name: str) -> str:
        return f"{self.address}/{name}"

    def serve(self, name: str, content: bytes, **how) -> Served:
        self.files[name] = Served(content, **how)
        return self.files[name]


@contextmanager
def loopback(monkeypatch) -> Iterator[Loopback]:
    """Serve on a free port; downloads wait no time between tries and use no proxy."""
    monkeypatch.setattr(download, "WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.loopback = Loopback(f"http://127.0.0.1:{server.server_port}")  # type: ignore[attr-defined]
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.005})
    thread.start()
    try:
        yield server.loopback  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def closed_address() -> str:
    """An address on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


@contextmanager
def full_disk(monkeypatch, where: str, room: int) -> Iterator[None]:
    """Files with `where` in their paths take `room` bytes each, and then no more."""

    class Filling(io.FileIO):
        def write(self, data) -> int:
            if self.tell() + len(data) > room:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    def open_filling(path: Path, mode: str = "r", **options):
        if where in str(path) and mode in ("ab", "wb", "xb"):
            return io.BufferedWriter(Filling(path, mode))
        return open_path(path, mode, **options)

    open_path = Path.open
    with monkeypatch.context() as full:
        full.setattr(Path, "open", open_filling)
        yield


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        loopback = self.server.loopback  # type: ignore[attr-defined]
        name = self.path.rpartition("/")[2]
        served = loopback.files.get(name)
        status, start = self._answer(served)
        loopback.log.append(Request(name, self.headers["Range"], status))
        self.send_response(status)
        if served is None or status not in (200, 206):
            if served is not None and served.redirect is not None:
                self.send_header("Location", served.redirect)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        body = served.content[start:]
        if served.etag is not None:
            self.send_header("ETag", served.etag)
        if served.modified is not None:
            self.send_header("Last-Modified", served.modified)
        if status == 206:
            last, size = len(served.content) - 1, len(served.content)
            self.send_header("Content-Range", f"bytes {start}-{last}/{size}")
        self.send_header("Content-Length", str(served.length or len(body)))
        self.end_headers()
        self.wfile.write(body[: served.drops.pop(0)] if served.drops else body)

    def _answer(self, served: Served | None) -> tuple[int, int]:
        """The status, and the first byte to send."""
        if served is None:
            return 404, 0
        if served.redirect is not None:
            return 302, 0
        if served.statuses:
            return served.statuses.pop(0), 0
        wanted = self.headers["Range"]
        same = self.headers["If-Range"] in (served.etag, served.modified)
        if wanted is None or not served.ranges or (served.if_range and not same):
            return 200, 0
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        return (206, start) if start < len(served.content) else (416, 0)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Nothing: the log is Loopback's."""
