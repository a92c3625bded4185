"""Whether the files of a data set of one's own are still the same."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from pipelines.system.hashing import file_sha256

NO_DATA = (".git", ".dvc")
"""Folders that change by themselves where a data set is kept under version control."""


def content_digest(folder: Path) -> str:
    """Of every file's name and bytes: the same for a copy, whenever and wherever it was made."""
    digest = hashlib.sha256()
    for path in _files(folder):
        content = file_sha256(path) if path.is_file() else ""
        digest.update(_entry(path.relative_to(folder), content))
    return digest.hexdigest()


def state_digest(folder: Path) -> str:
    """Of every file's name, size and times, which is quick: the same only if no file was changed.

    Among the times is that of the last change of any kind, which nobody who copies can keep.
    """
    digest = hashlib.sha256()
    for path in _files(folder):
        status = path.stat() if path.exists() else path.lstat()
        times = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
        digest.update(_entry(path.relative_to(folder), times))
    return digest.hexdigest()


def _entry(name: Path, told: str) -> bytes:
    return f"{name}\0{told}\0".encode(errors="surrogateescape")


def _files(folder: Path) -> Iterator[Path]:
    """All files, in an order of their own; links to folders are followed, each folder once."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if name not in NO_DATA)
        yield from (Path(place, name) for name in sorted(names))
