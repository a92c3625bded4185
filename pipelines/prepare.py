"""Make a data set ready for training: `python -m pipelines.prepare DATASET SIZE`.

Every image is checked, decoded and resized once; what is there already is left as it is, unless a
file of one's own data set has changed since.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shlex
from dataclasses import asdict, replace
from pathlib import Path

from filelock import FileLock

from pipelines.data.dataset_spec import Fold, Tolerance
from pipelines.data.fingerprint import state_digest
from pipelines.data.folder_swap import write_whole
from pipelines.data.prepared import prepare
from pipelines.data.registry import NAMES, DatasetSpec, open_dataset
from pipelines.errors import note, run_cli
from pipelines.inspect.shot_rules import neighbouring_shots
from pipelines.runtime import REPOSITORY


def prepared_folder(dataset: str, input_size: int, fold: Fold = Fold.PUBLISHED) -> Path:
    """Where a data set lies once it is prepared; a path gets a name that its text determines."""
    if dataset in NAMES:
        name = dataset
    else:
        name = f"own-{hashlib.sha256(dataset.encode()).hexdigest()[:8]}"
    part = "" if fold is Fold.PUBLISHED else f"-fold{fold}"
    return REPOSITORY / "data" / f"{name}{part}-{input_size}"


def ensure_prepared(
    dataset: str,
    input_size: int,
    fold: Fold = Fold.PUBLISHED,
    tolerance: Tolerance | None = None,
) -> Path:
    """The prepared folder, made now if it is not there; one process makes it, others wait.

    A folder of one's own is prepared anew if a file in it was added, removed or changed, and what
    was found in it is told first.

    Args:
        dataset: a name, or the path of a folder.
        input_size: side of the square images, pixels.
        fold: which of its photographs are tested.
        tolerance: what to accept of a data set; of a folder of one's own this is remembered.

    Raises:
        UserError: the data set is not found or broken.
    """
    tolerance = tolerance or Tolerance()
    folder = prepared_folder(dataset, input_size, fold)
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.wait")):
        spec = DatasetSpec(dataset, fold=fold, tolerance=tolerance)
        if dataset not in NAMES:
            _prepare_own(spec, folder, input_size)
        elif not (folder / "manifest.json").exists():
            sources = open_dataset(spec)
            for found in neighbouring_shots(sources):
                note(f"{dataset}: {found.sentence}")
            prepare(sources, folder, input_size)
    return folder


def _prepare_own(spec: DatasetSpec, folder: Path, input_size: int) -> None:
    record = folder.with_name(f".{folder.name}.json")
    before = json.loads(record.read_text()) if record.exists() else {}
    tolerance = Tolerance(
        **{name: asked or before.get(name, False) for name, asked in asdict(spec.tolerance).items()}
    )
    dataset = spec.name
    state = {"files": state_digest(Path(dataset).expanduser()), **asdict(tolerance)}
    ready = (folder / "manifest.json").exists()
    if ready and before == state:
        return
    if ready:
        note(f"{dataset}: its files have changed; preparing it anew")
    from pipelines.inspect.suspicions import summary_lines  # its statistics take a second to import

    said: list[str] = []

    def report(line: str) -> None:
        note(line)
        said.append(line)

    sources = open_dataset(replace(spec, tolerance=tolerance), report=report)
    for line in summary_lines(sources, input_size):
        note(line)
    note(f"to look at it: python -m pipelines.inspect {shlex.quote(dataset)}")
    own = Path(dataset).expanduser()
    reading = {**asdict(tolerance), "said": [_without_place(line, own) for line in said]}
    prepare(sources, folder, input_size, reading=reading)
    write_whole(record, json.dumps(state))


def _without_place(line: str, folder: Path) -> str:
    """The line with paths relative to the data set's folder."""
    return line.replace(f"{folder}/", "").removeprefix(f"{folder}: ").replace(str(folder), ".")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a data set's name, or the folder of one's own")
    parser.add_argument("size", type=int, help="side of the square network input, pixels")
    parser.add_argument(
        "--drop-broken", action="store_true", help="leave out broken boxes, and say how many"
    )
    parser.add_argument(
        "--skip-broken-images", action="store_true",
        help="leave out photographs that cannot be read, with their boxes, and say how many",
    )  # fmt: skip
    parser.add_argument(
        "--scale-16bit", action="store_true",
        help="take the upper byte of grey photographs of 16 bits, and say of how many",
    )  # fmt: skip
    parser.add_argument(
        "--fold", choices=[str(fold) for fold in Fold], default=str(Fold.PUBLISHED),
        help="which of five parts over whole bursts is tested (%(default)s: its own split)",
    )  # fmt: skip
    arguments = parser.parse_args()
    tolerance = Tolerance(
        arguments.drop_broken, arguments.skip_broken_images, arguments.scale_16bit
    )
    folder = ensure_prepared(arguments.dataset, arguments.size, Fold(arguments.fold), tolerance)
    print(folder.relative_to(REPOSITORY))


if __name__ == "__main__":
    run_cli(main)
