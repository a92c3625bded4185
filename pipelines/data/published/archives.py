"""Unpack zip and tar archives: every member is checked before the first byte is written."""

import lzma
import re
import shutil
import stat
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from pipelines.system.bars import progress_bar
from pipelines.system.errors import DISK_FULL, UserError

LONGEST_PART = 255
"""Bytes of one folder's or file's name, in UTF-8."""
LARGE = 2**24
"""Bytes; less is never taken for a bomb."""
LARGEST_RATIO = 200
"""Unpacked bytes to packed ones; annotations in json reach about 10."""

_CHUNK = 2**20
_BROKEN = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    NotImplementedError,  # what zipfile raises at a compression that it does not know
    ValueError,
)


class BadArchiveError(UserError):
    """What is in the archive is broken, not allowed, or not what was expected."""


@dataclass(frozen=True)
class _Member:
    """One entry; fault says why it may not be unpacked, packed is its compressed size if known."""

    name: str
    is_folder: bool
    size: int
    fault: str | None
    packed: int | None
    open: Callable[[], IO[bytes]]


def unpack(
    archive: Path, folder: Path, *, most_bytes: int, most_members: int, progress: bool = True
) -> None:
    """Unpack a zip, tar or compressed tar into an existing empty folder.

    most_bytes, most_members: bounds on what is declared, and written.
    Members take no permissions along; __MACOSX and .DS_Store are left out. On any error the folder
    is empty again.

    Raises BadArchiveError if the archive is broken, a bomb, or has a member that leads outside,
    is no plain file or folder, or is there twice; UserError if it cannot be read or the disk is
    full.
    """
    with disk_errors(folder):
        if any(folder.iterdir()):
            raise UserError(f"{folder}: is not empty; unpack into an empty folder")
        try:
            with _members(archive) as members:
                checked = _checked(archive, members, most_bytes, most_members)
                check_space(folder, sum(member.size for member in checked.values()))
                _write(archive, checked, folder, progress)
        except BaseException:
            for path in folder.iterdir():
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            raise


@contextmanager
def disk_errors(folder: Path) -> Iterator[None]:
    """Turn OSError into UserError: a full disk, missing rights."""
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise UserError(
                f"{folder}: no space is left on its disk; free some and try again"
            ) from None
        reason = error.strerror or str(error)
        raise UserError(
            f"{error.filename or folder}: {reason}; correct the path or its rights"
        ) from None


def check_space(folder: Path, needed: int) -> None:
    """Raise UserError if the disk of `folder` has fewer than `needed` bytes free."""
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise UserError(
            f"{folder}: {needed / 1e9:.2f} GB are needed and {free / 1e9:.2f} GB are free; "
            "free some and try again"
        )


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[_Member]]:
    """The members of an open archive, in its order."""
    with archive.open("rb") as stream:
        is_zip = stream.read(2) == b"PK"
    with ExitStack() as stack:
        with _broken(archive):
            if is_zip:
                members = _zip_members(stack.enter_context(zipfile.ZipFile(archive)))
            else:
                members = _tar_members(stack.enter_context(tarfile.open(archive)))
        yield members


def _zip_members(opened: zipfile.ZipFile) -> Iterator[_Member]:
    for info in opened.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        fault = None
        if info.flag_bits & 1:
            fault = "is encrypted"
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            fault = "is a link or a device"
        yield _Member(
            info.orig_filename,
            info.is_dir(),
            info.file_size,
            fault,
            info.compress_size,
            partial(opened.open, info),
        )


def _tar_members(opened: tarfile.TarFile) -> Iterator[_Member]:
    for info in opened:
        plain = (info.isfile() and not info.issparse()) or info.isdir()
        yield _Member(
            info.name,
            info.isdir(),
            info.size,
            None if plain else "is a link, a device or a sparse file",
            None,
            partial(_tar_content, opened, info),
        )
    _check_tar_end(opened)


def _tar_content(opened: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = opened.extractfile(info)
    assert content is not None  # it is a plain file
    return content


def _check_tar_end(opened: tarfile.TarFile) -> None:
    """A tar ends on a block of zeros: tarfile itself takes a cut one, or rubbish, for the end."""
    stream = opened.fileobj
    assert stream is not None
    stream.seek(opened.offset)
    if stream.read(tarfile.BLOCKSIZE) != bytes(tarfile.BLOCKSIZE):
        raise tarfile.ReadError("the end is missing")
    while stream.read(_CHUNK):  # to the checksum of the compressed stream
        pass


def _checked(
    archive: Path, members: Iterator[_Member], most_bytes: int, most_members: int
) -> dict[PurePosixPath, _Member]:
    """The files and folders to write, by their paths."""
    packed = archive.stat().st_size
    checked: dict[PurePosixPath, _Member] = {}
    total = count = 0
    with _broken(archive):
        for member in members:
            place = f"{archive}: member {member.name[:80]!r}"
            count += 1
            total += member.size
            fault = member.fault or _fault_of_name(member.name) or _fault_of_size(member)
            if fault is not None:
                raise BadArchiveError(f"{place} {fault}; do not use this archive")
            if count > most_members:
                raise BadArchiveError(f"{archive}: has more than {most_members} members")
            if total > most_bytes or (total > LARGE and total > LARGEST_RATIO * packed):
                raise BadArchiveError(
                    f"{place} brings the archive to {total} bytes unpacked, more than the "
                    f"{most_bytes} allowed or {LARGEST_RATIO} times its own {packed}"
                )
            path = PurePosixPath(member.name)
            if not path.parts or "__MACOSX" in path.parts or path.name == ".DS_Store":
                continue
            if path in checked and not (member.is_folder and checked[path].is_folder):
                raise BadArchiveError(f"{place} is there more than once; do not use this archive")
            checked[path] = member
    _check_parents(archive, checked)
    return checked


def _fault_of_name(name: str) -> str | None:
    parts = name.split("/")
    if "\0" in name or "\\" in name or re.match(r"[A-Za-z]:", name):
        return "has a name with a NUL, a backslash or a drive letter"
    if name.startswith("/") or ".." in parts:
        return "leads outside the folder"
    if max(len(part.encode("utf-8", "surrogateescape")) for part in parts) > LONGEST_PART:
        return f"has a name of more than {LONGEST_PART} bytes"
    return None


def _fault_of_size(member: _Member) -> str | None:
    if member.packed is None or member.size <= max(LARGE, LARGEST_RATIO * member.packed):
        return None
    return f"unpacks to {member.size} bytes, more than {LARGEST_RATIO} times its packed size"


def _check_parents(archive: Path, checked: dict[PurePosixPath, _Member]) -> None:
    for path in checked:
        for parent in path.parents:
            if parent in checked and not checked[parent].is_folder:
                raise BadArchiveError(
                    f"{archive}: member {str(path)[:80]!r} lies in {str(parent)[:80]!r}, which is "
                    "a file; do not use this archive"
                )


def _write(
    archive: Path, checked: dict[PurePosixPath, _Member], folder: Path, progress: bool
) -> None:
    total = sum(member.size for member in checked.values())
    bar = progress_bar(
        desc=archive.name, total=total, unit="B", unit_scale=True, disable=not progress
    )
    with bar:
        for path, member in checked.items():
            target = folder / path
            if member.is_folder:
                target.mkdir(parents=True, exist_ok=True)
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            with _broken(archive, f"member {member.name[:80]!r} "):
                _write_file(member, target, bar.update)


def _write_file(member: _Member, target: Path, advance: Callable[[int], object]) -> None:
    """Write one file; what it holds is counted, since headers may lie."""
    written = 0
    with member.open() as source, target.open("xb") as stream:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > member.size:
                break
            stream.write(chunk)
            advance(len(chunk))
    if written != member.size:
        raise EOFError(f"it does not hold the {member.size} bytes that it declares")


@contextmanager
def _broken(archive: Path, place: str = "") -> Iterator[None]:
    """Name the archive and the member in the errors of the readers; the disk's pass through."""
    try:
        yield
    except (*_BROKEN, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = str(error).partition("\n")[0].rstrip(":")
        raise BadArchiveError(
            f"{archive}: {place}is broken, cut short or no zip or tar ({reason}); get another copy"
        ) from None
