"""Write folders and files so that at their place is always a whole one: old, new, or none."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.system.errors import UserError


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """Give an empty hidden sibling folder to fill; it takes `folder`'s place if the body succeeds.

    If the body raises, the sibling is removed and what was at `folder` stays. What a killed
    process left beside `folder` is cleared away by the next call. The caller must have made sure
    that an existing `folder` may be replaced.

    Raises UserError if another process is filling the same folder.
    """
    folder = folder.resolve()
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.partial")
    old = folder.with_name(f".{folder.name}.old")
    partial.mkdir(exist_ok=True)
    lock = os.open(partial, os.O_RDONLY)
    try:
        _lock(lock, partial, folder)
        _finish_killed_swap(folder, old)
        _empty(partial)
        try:
            yield partial
            _swap(partial, folder, old)
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            raise
    finally:
        os.close(lock)


def _lock(descriptor: int, partial: Path, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        ours = os.path.samestat(os.fstat(descriptor), partial.stat())
    except (BlockingIOError, FileNotFoundError):
        ours = False
    if not ours:
        raise UserError(f"{folder}: another process is writing this folder; wait until it is done")


def _finish_killed_swap(folder: Path, old: Path) -> None:
    if old.exists() and not folder.exists():
        old.rename(folder)
    elif old.exists():
        shutil.rmtree(old)


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _swap(partial: Path, folder: Path, old: Path) -> None:
    if not folder.exists():
        partial.rename(folder)
        return
    folder.rename(old)
    try:
        partial.rename(folder)
    except BaseException:
        old.rename(folder)
        raise
    shutil.rmtree(old)


def write_whole(path: Path, content: str) -> None:
    """Write a text file in UTF-8 beside its place, then put it there: never is half of it there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_bytes(content.encode())
    fresh.replace(path)
