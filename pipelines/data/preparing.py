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
from pipelines.data.preparation import Preparation
from pipelines.data.prepared import MANIFEST, prepare
from pipelines.data.registry import NAMES, DatasetSpec, open_dataset
from pipelines.data.sources import ImageSource
from pipelines.system.errors import UserError, note
from pipelines.system.files import write_whole
from pipelines.system.paths import DATA

Look = Callable[[Mapping[str, ImageSource], int], Iterable[str]]
"""Of the splits and an input size, sentences about what they hold."""


def prepared_folder(wanted: Preparation) -> Path:
    """Where a data set lies once it is prepared; a path gets a name that its text determines."""
    name = wanted.dataset
    if name not in NAMES:
        name = f"own-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
    part = "" if wanted.fold is Fold.PUBLISHED else f"-fold{wanted.fold}"
    tiles = ""
    if tiling := wanted.tiling:
        side = "" if tiling.size == wanted.input_size else f"{tiling.size}x"
        tiles = f"-tiles{side}{tiling.overlap:g}"
    return DATA / f"{name}{part}{tiles}-{wanted.input_size}"


def require_prepared(wanted: Preparation) -> Path:
    """The prepared folder, which must be there.

    Raises:
        UserError: it is not.
    """
    folder = prepared_folder(wanted)
    if not (folder / MANIFEST).exists():
        part = "" if wanted.fold is Fold.PUBLISHED else f" --fold {wanted.fold}"
        tiling = wanted.tiling
        tiles = f" --tiles {tiling.size} --overlap {tiling.overlap:g}" if tiling else ""
        data = f"{shlex.quote(wanted.dataset)} {wanted.input_size}"
        command = f"python -m pipelines.prepare {data}{part}{tiles}"
        raise UserError(f"data/{folder.name} is not prepared: run `{command}`")
    return folder


def ensure_prepared(
    wanted: Preparation, *, tolerance: Tolerance | None = None, look: Look | None = None
) -> Path:
    """The prepared folder, made now if it is not there; one process makes it, others wait.

    A folder of one's own is prepared anew if a file in it was added, removed or changed, and what
    was found in it is told first.

    Args:
        wanted: the images.
        tolerance: what to accept of a data set; of a folder of one's own this is remembered.
        look: what to say of a folder of one's own before it is prepared, a line each.

    Raises:
        UserError: the data set is not found or broken, or cannot be cut so.
    """
    dataset = wanted.dataset
    if wanted.tiling and dataset == "dota":
        raise UserError("dota is cut into tiles as published; leave tiles out")
    tolerance = tolerance or Tolerance()
    folder = prepared_folder(wanted)
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.wait")):
        spec = DatasetSpec(dataset, fold=wanted.fold, tolerance=tolerance)
        if dataset not in NAMES:
            _prepare_own(spec, wanted, look)
        elif not (folder / MANIFEST).exists():
            sources = open_dataset(spec)
            for found in neighbouring_photographs(sources):
                note(f"{dataset}: {found.sentence}")
            prepare(sources, folder, wanted.input_size, tiling=wanted.tiling)
    return folder


def _prepare_own(spec: DatasetSpec, wanted: Preparation, look: Look | None) -> None:
    folder = prepared_folder(wanted)
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
    for line in look(sources, wanted.input_size) if look else ():
        note(line)
    reading = {**asdict(tolerance), "said": [_without_place(line, own) for line in said]}
    prepare(sources, folder, wanted.input_size, tiling=wanted.tiling, reading=reading)
    write_whole(record, json.dumps(state))


def _without_place(line: str, folder: Path) -> str:
    """The line with paths relative to the data set's folder."""
    return line.replace(f"{folder}/", "").removeprefix(f"{folder}: ").replace(str(folder), ".")
