"""Get a published data set: `python -m pipelines.fetch NAME [--from PATH ...] [--into ROOT]`.

Nothing is done if its folder is there. Else its archives are downloaded, or taken from --from,
checked and unpacked; the folder appears when it is whole.
"""

import filecmp
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from pipelines.data.published.archives import BadArchiveError, check_space, disk_errors, unpack
from pipelines.data.published.catalogue import PUBLISHED, Published
from pipelines.data.published.download import (
    DownloadError,
    Report,
    discard,
    download,
    file_digest,
    waiting_lock,
)
from pipelines.system.bars import progress_bar
from pipelines.system.errors import UserError, note
from pipelines.system.files import replaced_folder

DOWNLOADS = ".downloads"
"""Under the data root, until the data set is whole."""


def fetch(
    name: str,
    root: Path,
    *,
    source: Sequence[Path] = (),
    report: Report = note,
    progress: bool = True,
) -> Path:
    """The folder of a published data set under `root`, made now if it is not there.

    source: archives that the user has, or one folder with the archives or the unpacked data set;
        nothing is downloaded then.
    One process makes the folder, others wait. A failure leaves no folder; what was downloaded
    stays for the next try, unless it was broken.

    Raises UserError if the name is unknown, or the data set cannot be had or is not whole.
    """
    if name not in PUBLISHED:
        raise UserError(f"no data set {name!r} to fetch; there are {', '.join(PUBLISHED)}")
    published = PUBLISHED[name]
    folder = root / published.folder
    if folder.is_dir():
        return folder
    with waiting_lock(root / f".{published.folder}.lock", report), disk_errors(root):
        if folder.is_dir():
            return folder
        if source:
            _make_from(name, published, folder, source, progress)
        elif published.archives:
            _make_from_downloads(name, published, folder, report, progress)
        else:
            raise UserError(f"{name}: {published.by_hand}; then {_way_in(name, 'FOLDER')}")
    return folder


def _make_from_downloads(
    name: str, published: Published, folder: Path, report: Report, progress: bool
) -> None:
    report(
        f"{name}: downloading about {published.gigabytes:g} GB to {folder}: "
        f"{', '.join(archive.url for archive in published.archives)}; licence: "
        f"{published.licence}; checksums: {published.checksums}; see {published.homepage}"
    )
    files = [folder.parent / DOWNLOADS / archive.name for archive in published.archives]
    try:
        for archive, file in zip(published.archives, files, strict=True):
            download(archive.url, file, md5=archive.md5, report=report, progress=progress)
    except DownloadError as error:
        raise UserError(
            f"{error}; or get the archives another way, then {_way_in(name, 'FOLDER_OR_ARCHIVE')}"
        ) from None
    try:
        _unpack_all(name, published, files, folder, progress)
    except BadArchiveError:
        for archive, file in zip(published.archives, files, strict=True):
            if archive.md5 is None:
                discard(archive.url, file)
        raise
    for file in files:
        file.unlink()


def _make_from(
    name: str, published: Published, folder: Path, source: Sequence[Path], progress: bool
) -> None:
    for path in source:
        if not path.exists():
            raise UserError(f"{path}: no such file or folder; correct the path after --from")
    for path in source:
        for unpacked in (path, path / published.folder):
            if unpacked.is_dir() and not published.missing(unpacked):
                return _copy(name, published, unpacked, folder, progress)
    if not published.archives:
        missing = ", ".join(published.missing(source[0]))
        raise UserError(f"{source[0]}: has no {missing}; {published.by_hand}")
    files = _given_archives(name, published, source)
    return _unpack_all(name, published, files, folder, progress)


def _given_archives(name: str, published: Published, source: Sequence[Path]) -> list[Path]:
    """The user's files in the order of the archives: by name, by md5, then as they were given."""
    archives = published.archives
    named = [path for path in source if path.is_file()]
    inside = [path / archive.name for path in source for archive in archives]
    files = named + [path for path in inside if path.is_file()]
    chosen = {a: file for a in archives for file in files if file.name == a.name}
    others = [file for file in named if file not in chosen.values()]
    digests = {file_digest(file, "md5"): file for file in others}
    for archive in archives:
        if archive not in chosen and archive.md5 in digests:
            chosen[archive] = digests.pop(archive.md5)
    unknown = iter(digests.values())
    for archive in archives:
        if archive not in chosen and (file := next(unknown, None)) is not None:
            chosen[archive] = file
    if missing := [archive.name for archive in archives if archive not in chosen]:
        raise UserError(
            f"{name}: --from gives neither the unpacked data set nor all of its archives; add "
            f"{', '.join(missing)}"
        )
    for archive, file in chosen.items():
        if archive.md5 and (found := file_digest(file, "md5")) != archive.md5:
            raise UserError(
                f"{file}: the md5 is {found}, that of {archive.name} is {archive.md5}; "
                "get another copy"
            )
    return [chosen[archive] for archive in archives]


def _unpack_all(
    name: str, published: Published, files: Sequence[Path], folder: Path, progress: bool
) -> None:
    with replaced_folder(folder) as partial:
        for archive, file in zip(published.archives, files, strict=True):
            unpacked = partial / ".unpacked"
            unpacked.mkdir()
            unpack(
                file,
                unpacked,
                most_bytes=published.most_bytes,
                most_members=published.most_members,
                progress=progress,
            )
            _merge(_without_common_top(unpacked), partial / archive.into)
            shutil.rmtree(unpacked, ignore_errors=True)
        _check_whole(name, published, partial)


def _check_whole(name: str, published: Published, folder: Path) -> None:
    if missing := published.missing(folder):
        raise BadArchiveError(
            f"{name}: what was given or downloaded does not hold {', '.join(missing)}; see "
            f"{published.homepage}"
        )


def _without_common_top(folder: Path) -> Path:
    entries = list(folder.iterdir())
    return entries[0] if len(entries) == 1 and entries[0].is_dir() else folder


def _merge(source: Path, target: Path) -> None:
    """Move what is in `source` into `target`; a file that is there already must be the same."""
    if not target.exists():
        source.rename(target)
    elif source.is_dir() and target.is_dir():
        for entry in list(source.iterdir()):
            _merge(entry, target / entry.name)
    elif source.is_dir() or target.is_dir() or not filecmp.cmp(source, target, shallow=False):
        raise BadArchiveError(f"{target.name}: two of the archives hold it, and not the same")


def _copy(name: str, published: Published, source: Path, folder: Path, progress: bool) -> None:
    """Copy the parts of the layout; on the same file system they are hard links."""
    files = [file for top in published.top_level(source) for file in _files(source / top)]
    if source.stat().st_dev != folder.parent.stat().st_dev:
        check_space(folder.parent, sum(path.stat().st_size for path in files))
    with replaced_folder(folder) as partial:
        for path in progress_bar(files, desc=folder.name, unit="file", disable=not progress):
            target = partial / path.relative_to(source)
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                os.link(path.resolve(), target)
            except OSError:
                shutil.copyfile(path, target)
        _check_whole(name, published, partial)


def _files(path: Path) -> list[Path]:
    """The file itself, or all files under the folder, through links too."""
    walk = os.walk(path, followlinks=True)
    inside = [Path(folder, file) for folder, _, files in walk for file in files]
    return inside if path.is_dir() else [path]


def _way_in(name: str, source: str) -> str:
    return f"`python -m pipelines.fetch {name} --from {source}`"
