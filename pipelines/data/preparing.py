"""Data sets made ready for training, once, and again when a file of one's own has changed."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from filelock import FileLock

from pipelines.data.dataset_spec import Fold, Tolerance
from pipelines.data.fingerprint import state_digest
from pipelines.data.neighbours import neighbouring_photographs
from pipelines.data.prepared import MANIFEST, prepare
from pipelines.data.registry import NAMES, DatasetSpec, open_dataset
from pipelines.data.sources import ImageSource
from pipelines.data.tiling import Tiling
from pipelines.system.errors import UserError, note
from pipelines.system.files import write_whole
from pipelines.system.paths import DATA

Look = Callable[[Mapping[str, ImageSource], int], Iterable[str]]
"""Of the splits and an input size, sentences about what they hold."""


def prepared_folder(
    dataset: str, input_size: int, fold: Fold = Fold.PUBLISHED, tiling: Tiling | None = None
) -> Path:
    """Where a data set lies once it is prepared; a path gets a name that its text determines."""
    if dataset in NAMES:
        name = dataset
    else:
        name = f"own-{hashlib.sha256(dataset.encode()).hexdigest()[:8]}"
    part = "" if fold is Fold.PUBLISHED else f"-fold{fold}"
    tiles = ""
    if tiling:
        side = "" if tiling.size == input_size else f"{tiling.size}x"
        tiles = f"-tiles{side}{tiling.overlap:g}"
    return DATA / f"{name}{part}{tiles}-{input_size}"


def require_prepared(
    dataset: str, input_size: int, fold: Fold = Fold.PUBLISHED, tiling: Tiling | None = None
) -> Path:
    """The prepared folder, which must be there.

    Raises:
        UserError: it is not.
    """
    folder = prepared_folder(dataset, input_size, fold, tiling)
    if not (folder / MANIFEST).exists():
        part = "" if fold is Fold.PUBLISHED else f" --fold {fold}"
        tiles = f" --tiles {tiling.size} --overlap {tiling.overlap:g}" if tiling else ""
        command = f"python -m pipelines.prepare {shlex.quote(dataset)} {input_size}{part}{tiles}"
        raise UserError(f"data/{folder.name} is not prepared: run `{command}`")
    return folder


def ensure_prepared(
    dataset: str,
    input_size: int,
    fold: Fold = Fold.PUBLISHED,
    tiling: Tiling | None = None,
    *,
    tolerance: Tolerance | None = None,
    look: Look | None = None,
) -> Path:
    """The prepared folder, made now if it is not there; one process makes it, others wait.

    A folder of one's own is prepared anew if a file in it was added, removed or changed, and what
    was found in it is told first.

    Args:
        dataset: a name, or the path of a folder.
        input_size: side of the square images, pixels.
        fold: which of its photographs are tested.
        tiling: how photographs are cut; None to squeeze them to the input size.
        tolerance: what to accept of a data set; of a folder of one's own this is remembered.
        look: what to say of a folder of one's own before it is prepared, a line each.

    Raises:
        UserError: the data set is not found or broken, or cannot be cut so.
    """
    if tiling and dataset == "dota":
        raise UserError("dota is cut into tiles as published; leave tiles out")
    tolerance = tolerance or Tolerance()
    folder = prepared_folder(dataset, input_size, fold, tiling)
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.wait")):
        spec = DatasetSpec(dataset, fold=fold, tolerance=tolerance)
        if dataset not in NAMES:
            _prepare_own(spec, folder, input_size, tiling, look)
        elif not (folder / MANIFEST).exists():
            sources = open_dataset(spec)
            for found in neighbouring_photographs(sources):
                note(f"{dataset}: {found.sentence}")
            prepare(sources, folder, input_size, tiling=tiling)
    return folder


def _prepare_own(
    spec: DatasetSpec, folder: Path, input_size: int, tiling: Tiling | None, look: Look | None
) -> None:
    record = folder.with_name(f".{folder.name}.json")
    before = json.loads(record.read_text()) if record.exists() else {}
    tolerance = Tolerance(
        **{name: asked or before.get(name, False) for name, asked in asdict(spec.tolerance).items()}
    )
    dataset = spec.name
    own = Path(dataset).expanduser()
    state = {"files": state_digest(own), **asdict(tolerance)}
    ready = (folder / MANIFEST).exists()
    if ready and before == state:
        return
    if ready:
        note(f"{dataset}: its files have changed; preparing it anew")
    said: list[str] = []

    def report(line: str) -> None:
        note(line)
        said.append(line)

    sources = open_dataset(replace(spec, tolerance=tolerance), report=report)
    for line in look(sources, input_size) if look else ():
        note(line)
    reading = {**asdict(tolerance), "said": [_without_place(line, own) for line in said]}
    prepare(sources, folder, input_size, tiling=tiling, reading=reading)
    write_whole(record, json.dumps(state))


def _without_place(line: str, folder: Path) -> str:
    """The line with paths relative to the data set's folder."""
    return line.replace(f"{folder}/", "").removeprefix(f"{folder}: ").replace(str(folder), ".")
