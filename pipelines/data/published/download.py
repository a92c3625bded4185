"""Download a file over http or https: resumed, tried again, checked, and put in place whole."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

import requests
import yaml
from filelock import FileLock, Timeout

from pipelines.data.published.archives import check_space, disk_errors
from pipelines.system.bars import progress_bar
from pipelines.system.errors import UserError, note
from pipelines.system.files import write_whole

Report = Callable[[str], None]

WAITS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Seconds before each further try of one download."""
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and to wait for the next bytes."""
RECORD = "downloads.json"
"""Beside the downloads: the SHA-256 first seen of each address without a published checksum."""

_CHUNK = 2**14
"""Bytes; what comes of a chunk before the connection breaks is lost."""


class DownloadError(UserError):
    """The network or the server would not give the file."""


class _InterruptedError(Exception):
    """What may go better at the next try."""


def download(
    url: str,
    file: Path,
    *,
    md5: str | None = None,
    sha256: str | None = None,
    report: Report = note,
    progress: bool = True,
) -> None:
    """Download to `file`, unless what is there already has the right checksum.

    md5, sha256: as published. Without either the SHA-256 first seen is kept in RECORD beside the
    file, and later downloads of the address must have it too.
    An interrupted download stays beside `file` as .<name>.part if the server can resume it, and
    the next call does so. Processes that download the same file wait for one another.

    Raises DownloadError after the last try, UserError if the checksum differs or the disk is full.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise UserError(f"{url}: is not an http or https address; give one")
    with (
        waiting_lock(file.with_name(f".{file.name}.lock"), report),
        disk_errors(file.parent),
    ):
        if file.exists():
            fault = _fault(file, url, md5, sha256)
            if fault is None:
                return
            report(f"{file}: is broken and will be downloaded again ({fault})")
        part = _Part(file)
        _complete(url, part, report, progress)
        fault = _fault(part.path, url, md5, sha256)
        if fault is not None:
            part.remove()
            raise UserError(f"{fault}; the download was removed")
        if md5 is None and sha256 is None:
            _record(file.with_name(RECORD), url, file_digest(part.path, "sha256"))
        part.path.replace(file)
        part.remove()


def discard(url: str, file: Path) -> None:
    """Remove a download that proved to be broken, and the SHA-256 recorded of it."""
    file.unlink(missing_ok=True)
    _record(file.with_name(RECORD), url, None)


def file_digest(path: Path, kind: str) -> str:
    """A file's md5 or sha256 in hexadecimal digits."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.new(kind, usedforsecurity=False))
    return digest.hexdigest()


@contextmanager
def waiting_lock(path: Path, report: Report) -> Iterator[None]:
    """Let one process in at a time; the others report that they wait."""
    lock = FileLock(path)
    with disk_errors(path.parent):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            report(f"{path}: another process is at it; waiting until it is done")
            lock.acquire()
    try:
        yield
    finally:
        lock.release()


@dataclass(frozen=True)
class _Origin:
    """Where a part comes from: validator is the server's name for these very bytes."""

    url: str
    validator: str | None
    length: int | None


class _Part:
    """The beginning of a download, beside its place, and where it comes from."""

    def __init__(self, file: Path) -> None:
        self.path = file.with_name(f".{file.name}.part")
        self._origin = file.with_name(f".{file.name}.part.json")

    def origin(self, url: str) -> _Origin | None:
        """Where the bytes come from, if they can be resumed from this address."""
        try:
            origin = _Origin(**json.loads(self._origin.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None
        resumable = origin.url == url and origin.validator is not None and self.size() > 0
        return origin if resumable else None

    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def begin(self, origin: _Origin) -> None:
        self.remove()
        write_whole(self._origin, json.dumps(asdict(origin)))

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._origin.unlink(missing_ok=True)


def _complete(url: str, part: _Part, report: Report, progress: bool) -> None:
    """Fill the part; on failure it stays only if it can be resumed."""
    try:
        for wait in (*WAITS, None):
            try:
                return _try_once(url, part, progress)
            except _InterruptedError as error:
                if wait is None:
                    tries = f"gave up after {len(WAITS) + 1} tries"
                    raise DownloadError(f"{url}: {error}; {tries}") from None
                report(f"{url}: {error}; trying again in {wait:g} s")
                time.sleep(wait)
    except BaseException:
        if part.origin(url) is None:
            part.remove()
        raise


def _try_once(url: str, part: _Part, progress: bool) -> None:
    origin = part.origin(url)
    start = part.size() if origin else 0
    if origin and start == origin.length:
        return
    headers = {"Accept-Encoding": "identity"}
    if origin and origin.validator:
        headers |= {"Range": f"bytes={start}-", "If-Range": origin.validator}
    with _network_errors(url, "no connection to the server"):
        response = requests.get(url, headers=headers, stream=True, timeout=TIMEOUT)
    with response:
        _check_status(url, response.status_code)
        if response.status_code == 200:
            part.remove()
            origin = _Origin(url, _validator(response), _length(response))
            check_space(part.path.parent, origin.length or 0)
            part.begin(origin)
        elif origin is None or not _continues(response, start, origin):  # 416 comes here too
            part.remove()
            raise _InterruptedError("the server's file is no longer the one that was begun")
        elif origin.length is not None:
            check_space(part.path.parent, origin.length - start)
        _receive(url, response, part, origin.length, progress)
    if origin.length is not None and part.size() != origin.length:
        raise _InterruptedError(f"{part.size()} of {origin.length} bytes came")


def _receive(
    url: str, response: requests.Response, part: _Part, length: int | None, progress: bool
) -> None:
    bar = progress_bar(
        desc=urlsplit(url).path.rpartition("/")[2],
        total=length,
        initial=part.size(),
        unit="B",
        unit_scale=True,
        disable=not progress,
    )
    with part.path.open("ab") as stream, bar, _network_errors(url, "the connection broke"):
        for chunk in response.iter_content(_CHUNK):
            stream.write(chunk)
            bar.update(len(chunk))


@contextmanager
def _network_errors(url: str, what: str) -> Iterator[None]:
    try:
        yield
    except (
        requests.ConnectionError,
        requests.Timeout,
        requests.exceptions.ChunkedEncodingError,
        requests.exceptions.ContentDecodingError,
    ) as error:
        raise _InterruptedError(f"{what} ({type(error).__name__})") from None
    except requests.RequestException as error:
        raise DownloadError(f"{url}: {error}") from None


def _check_status(url: str, status: int) -> None:
    if status == 429 or status >= 500:
        raise _InterruptedError(f"the server answers {status}")
    if status not in (200, 206, 416):
        raise DownloadError(f"{url}: the server answers {status}; the address may have changed")


def _validator(response: requests.Response) -> str | None:
    """What If-Range takes: an ETag that stands for the very bytes, else the date."""
    etag = response.headers.get("ETag", "W/")
    return response.headers.get("Last-Modified") if etag.startswith("W/") else etag


def _length(response: requests.Response) -> int | None:
    """Bytes of the whole file, where the server says so of the bytes that we shall see."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


def _continues(response: requests.Response, start: int, origin: _Origin) -> bool:
    """Whether a 206 goes on at byte `start` of the same file."""
    sent = response.headers.get("Content-Range", "")
    return sent.startswith(f"bytes {start}-") and _validator(response) == origin.validator


def _fault(path: Path, url: str, md5: str | None, sha256: str | None) -> str | None:
    """What is wrong with a whole download, or None."""
    for kind, published in (("md5", md5), ("sha256", sha256)):
        if published and (found := file_digest(path, kind)) != published.lower():
            return f"{url}: the {kind} is {found}, published is {published}"
    record = path.with_name(RECORD)
    first = None if md5 or sha256 else _recorded(record).get(url)
    if first and (found := file_digest(path, "sha256")) != first:
        return (
            f"{url}: the file is not the one seen first (sha256 {found} now, {first} then); to "
            f"accept it, delete the line of this address in {record} and try again"
        )
    return None


def _recorded(record: Path) -> dict[str, str]:
    """Read as YAML, which forgives the comma before a last line that was deleted."""
    if not record.exists():
        return {}
    try:
        content = yaml.safe_load(record.read_text())
    except (yaml.YAMLError, UnicodeDecodeError):
        content = None
    if not isinstance(content, dict):
        raise UserError(f"{record}: is not a json object of addresses and hashes; delete it")
    return content


def _record(record: Path, url: str, sha256: str | None) -> None:
    """Note the hash of an address; with None forget it."""
    with FileLock(record.with_name(f".{record.name}.lock")):
        others = {key: value for key, value in _recorded(record).items() if key != url}
        content = others | ({url: sha256} if sha256 else {})
        if content or record.exists():
            write_whole(record, json.dumps(content, indent=1, sort_keys=True) + "\n")
