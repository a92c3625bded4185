"""What a bundle holds, and what comes home; read with Python's own library alone.

A bundle unpacks to a folder of its own:

| path | what |
|---|---|
| `run.sh` | checks the machine, or trains |
| `bundle.json` | a `Bundle` |
| `SHA256SUMS` | of every other file |
| `method/ baselines/ pipelines/` | the code, file by file as it was |
| `specs/RUN.json` | one specification a run |
| `data/NAME/` | prepared data: manifest, annotations, packed pixels or a recipe for them |
| `photographs/` | what the recipes name, each once |
| `weights/` | first weights |
| `packages/` | pure Python that the code imports |
| `wheels/` | compiled packages, where some were asked for |

Training adds `trained/RUN/`, a finished run that is not scored yet, and `home-N.tar`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.system.errors import UserError
from pipelines.system.hashing import file_sha256

FORMAT = 1
BUNDLE = "bundle.json"
SUMS = "SHA256SUMS"
SPECS = "specs"
DATA = "data"
PHOTOGRAPHS = "photographs"
WEIGHTS = "weights"
PACKAGES = "packages"
WHEELS = "wheels"
RECIPE = "-recipe.json"
"""After a split's name, in `data/NAME/`."""
TRAINED = "trained"
UNSCORED = "run.json"
CHECKED = "check.json"
HOME_BYTES = 16 * 2**20
"""Most that one file that comes home holds."""


@dataclass(frozen=True)
class PackedRun:
    """One run of a bundle."""

    name: str
    data: str
    """Folder of its prepared data, in `data/`."""
    weights: str | None
    """File of its first weights, in `weights/`, if they come from a file."""
    weights_sha256: str | None
    """Of the file that the specification names, of which the bundle may hold a part."""


@dataclass(frozen=True)
class Bundle:
    """What `bundle.json` says."""

    study: str
    code: dict[str, Any]
    """As in a run's `run.json`: commit, whether the code differs from it, hash."""
    runs: tuple[PackedRun, ...]
    """The most informative first: every row's first seed before any row's second."""

    def to_json(self) -> str:
        """The text of `bundle.json`."""
        return json.dumps({"format": FORMAT, **dataclasses.asdict(self)}, indent=1) + "\n"

    @classmethod
    def read(cls, folder: Path) -> Bundle:
        """Of an unpacked bundle.

        Raises:
            UserError: there is none.
        """
        path = folder / BUNDLE
        try:
            values = json.loads(path.read_text())
            if values.pop("format") != FORMAT:
                raise ValueError("of another format")
            runs = tuple(PackedRun(**run) for run in values.pop("runs"))
            return cls(runs=runs, **values)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: is not a bundle's ({error}); unpack it again") from None


def write_sums(folder: Path, paths: Iterable[Path]) -> None:
    """`SHA256SUMS` of some files of a folder, as `sha256sum -c` reads it."""
    lines = [f"{file_sha256(path)}  {path.relative_to(folder).as_posix()}" for path in paths]
    (folder / SUMS).write_text("\n".join(lines) + "\n")


def verify_sums(folder: Path) -> None:
    """Compare every file with `SHA256SUMS`.

    Raises:
        UserError: a file is missing or was changed, or the list itself cannot be read.
    """
    path = folder / SUMS
    try:
        lines = path.read_text().splitlines()
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); copy the folder again") from None
    if not lines:
        raise UserError(f"{path}: is empty; copy the folder again")
    for line in lines:
        expected, _, name = line.partition("  ")
        file = folder / name
        if not name or not file.is_file() or file_sha256(file) != expected:
            raise UserError(
                f"{file}: is missing or has another checksum than {SUMS} says; copy it again"
            )
