"""Make a data set ready for training: `python -m pipelines.prepare NAME SIZE`.

Every image is checked, decoded and resized once; what is there already is left as it is.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from pathlib import Path

from filelock import FileLock

from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.errors import run_cli
from pipelines.runtime import REPOSITORY


def prepared_folder(dataset: str, input_size: int) -> Path:
    """Where a data set lies once it is prepared; a path gets a name that its text determines."""
    if re.fullmatch(r"[a-z0-9-]+", dataset):
        name = dataset
    else:
        name = f"own-{hashlib.sha256(dataset.encode()).hexdigest()[:8]}"
    return REPOSITORY / "data" / f"{name}-{input_size}"


def ensure_prepared(dataset: str, input_size: int) -> Path:
    """The prepared folder, made now if it is not there; one process makes it, others wait.

    Raises:
        UserError: the data set is not found or broken.
    """
    folder = prepared_folder(dataset, input_size)
    folder.parent.mkdir(exist_ok=True)
    with FileLock(folder.with_name(f".{folder.name}.wait")):
        if not (folder / "manifest.json").exists():
            prepare(open_dataset(DatasetSpec(dataset)), folder, input_size)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a data set's name, or the folder of one in COCO form")
    parser.add_argument("size", type=int, help="side of the square network input, pixels")
    arguments = parser.parse_args()
    print(ensure_prepared(arguments.dataset, arguments.size).relative_to(REPOSITORY))


if __name__ == "__main__":
    run_cli(main)
