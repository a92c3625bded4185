"""Find the photograph that an annotation names, wherever in the data set's folder it lies."""

from collections import defaultdict
from collections.abc import Callable
from functools import cached_property
from pathlib import Path, PureWindowsPath

from pipelines.data.formats.image_files import ENDINGS, inside, is_file, list_files


class Photographs:
    """The image files below a folder, by their names.

    Paths in annotations are often those of another machine. `find` takes the end of such a path
    that is there, or else the only file of its name; how often it had to is reported by `tell`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._guessed: dict[str, Path] = {}

    def find(self, told: str) -> Path | None:
        """The file that is meant, below the folder; None if there is none, or several.

        Args:
            told: a name or a path, of any system, with or without an ending.
        """
        if not told or "\0" in told:
            return None
        parts = [part for part in PureWindowsPath(told).parts if not _leads_up(part)]
        for start in range(len(parts)):
            path = self.folder.joinpath(*parts[start:])
            if path.suffix.lower() in ENDINGS and is_file(path):
                return self._remember(told, path, guessed=path != self.folder / told)
        alike = self.alike(parts[-1]) if parts else []
        return self._remember(told, alike[0], guessed=True) if len(alike) == 1 else None

    def alike(self, name: str) -> list[Path]:
        """The files of this name, or of this name before their ending, in any case of letters."""
        name = name.casefold()
        return self._by_name.get(name) or self._by_stem.get(name, [])

    def tell(self, label: str, report: Callable[[str], None]) -> None:
        """Report how many photographs were found elsewhere than said, since the last time."""
        if self._guessed:
            told, path = next(iter(self._guessed.items()))
            report(
                f"{label}: {len(self._guessed)} photographs do not lie where it is said and were "
                f"found by name (first: {told[:80]!r} is {str(path.relative_to(self.folder))!r})"
            )
        self._guessed = {}

    def _remember(self, told: str, path: Path, *, guessed: bool) -> Path:
        path = inside(self.folder, path, str(self.folder))
        if guessed:
            self._guessed[told] = path
        return path

    @cached_property
    def _files(self) -> list[Path]:
        return list_files(self.folder, ENDINGS, "**/*")

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        found = defaultdict(list)
        for path in self._files:
            found[path.name.casefold()].append(path)
        return dict(found)

    @cached_property
    def _by_stem(self) -> dict[str, list[Path]]:
        found = defaultdict(list)
        for path in self._files:
            found[path.stem.casefold()].append(path)
        return dict(found)


def _leads_up(part: str) -> bool:
    return part in ("..", ".") or part.endswith(("\\", "/", ":"))
