"""What the splits train, val and test are called in the names of files and folders."""

import re
from pathlib import Path

from pipelines.system.errors import UserError

SPLIT_NAMES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
"""In small or capital letters."""


def split_in(name: str) -> str | None:
    """The split that one word of a name tells, as in `instances_Train2017`; None if none or two."""
    words = set(_words(name))
    told = [split for split, names in SPLIT_NAMES.items() if words & set(names)]
    return told[0] if len(told) == 1 else None


def split_called(name: str) -> str | None:
    """The split that a name means and nothing else, but for numbers, as in `Valid` or `val2017`."""
    words = _words(name)
    return split_in(name) if len(words) == 1 else None


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", name.casefold())


def named(folder: Path, *names: str) -> Path | None:
    """The folder or file in `folder` with one of the names, in small or capital letters."""
    for name in names:
        if (folder / name).exists():
            return folder / name
    if not folder.is_dir():
        return None
    wanted = {name.casefold() for name in names}
    return next((path for path in sorted(folder.iterdir()) if path.name.casefold() in wanted), None)


def split_folders(parent: Path) -> dict[str, Path]:
    """The folders of train, val and test under the parent, as far as there are any.

    Raises:
        UserError: a split has two, such as val/ and valid/.
    """
    return _one_a_split(parent, [path for path in sorted(parent.iterdir()) if path.is_dir()], "/")


def split_files(parent: Path, ending: str) -> dict[str, Path]:
    """The files `train.txt` and the like in a folder; for `ending` see Path.suffix.

    Raises:
        UserError: a split has two, such as val.txt and valid.txt.
    """
    alike = [path for path in sorted(parent.iterdir()) if path.suffix.lower() == ending]
    return _one_a_split(parent, [path for path in alike if path.is_file()], "")


def _one_a_split(parent: Path, paths: list[Path], mark: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for path in paths:
        split = split_called(path.name if mark else path.stem)
        if split in found:
            raise UserError(
                f"{parent}: has both {found[split].name}{mark} and {path.name}{mark}; "
                "keep one of them"
            )
        if split:
            found[split] = path
    return {split: found[split] for split in SPLIT_NAMES if split in found}
