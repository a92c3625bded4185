"""What there is in a data set, and what looks wrong with it: `python -m pipelines.inspect DATASET`.

Prints a summary and writes `results/inspect/NAME/index.html`, one page that fetches nothing. It
shows the data set's images; git ignores it.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from method.scale import REFERENCE_SIZE
from pipelines.data.dataset_spec import TOLERANT
from pipelines.data.folder_swap import write_whole
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.errors import UserError, run_cli
from pipelines.inspect.kinds import Suspicion
from pipelines.inspect.objects import Objects, read_objects
from pipelines.inspect.page import adapt_command, build_page
from pipelines.inspect.summary import class_table, split_table
from pipelines.inspect.suspicions import suspicions
from pipelines.plan import RESULTS
from pipelines.prepare import prepared_folder

MOST_CLASSES = 20
"""Classes in the printed table."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dataset", help="a data set's name, or the folder of one of your own")
    parser.add_argument("--input-size", type=int, default=REFERENCE_SIZE, metavar="S",
                        help="side of the square network input, pixels (%(default)s)")  # fmt: skip
    parser.add_argument("--no-pixels", action="store_true",
                        help="do not hold images against each other")  # fmt: skip
    parser.add_argument("--out", type=Path, metavar="FOLDER",
                        help="where index.html is put (results/inspect/NAME)")  # fmt: skip
    arguments = parser.parse_args()
    dataset, size, pixels = arguments.dataset, arguments.input_size, not arguments.no_pixels
    sources = open_dataset(DatasetSpec(dataset, tolerance=TOLERANT))
    found = suspicions(sources, input_size=size, pixels=pixels)
    print(summary(read_objects(sources), found))
    print(f"\nWhat fits these objects: {adapt_command(dataset, size)}")
    path = (arguments.out or default_folder(dataset, size)) / "index.html"
    write_page(path, build_page(dataset, sources, found, size, pixels=pixels))
    print(f"The same with pictures: {path}")


def summary(splits: Mapping[str, Objects], found: Sequence[Suspicion]) -> str:
    """The tables and the suspicions as text for a terminal."""
    classes = class_table(splits)
    rest = len(classes) - MOST_CLASSES
    parts = [
        split_table(splits).to_markdown(tablefmt="simple", disable_numparse=True),
        classes[:MOST_CLASSES].to_markdown(tablefmt="simple")
        + (f"\nand {rest} more classes" if rest > 0 else ""),
        "\n".join(_lines(found)) or "Nothing suspicious.",
    ]
    return "\n\n".join(parts)


def default_folder(dataset: str, input_size: int) -> Path:
    """`results/inspect/NAME`, with the name that the prepared data set has."""
    prepared = prepared_folder(dataset, input_size).name
    return RESULTS / "inspect" / prepared.removesuffix(f"-{input_size}")


def write_page(path: Path, page: str) -> None:
    """Put the page at its place at once.

    Raises:
        UserError: it cannot be written there.
    """
    try:
        write_whole(path, page)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror or error}); give another --out"
        ) from None


def _lines(found: Sequence[Suspicion]) -> Iterator[str]:
    """A heading for each kind, and a line for each suspicion under it."""
    for kind, own in groupby(found, key=lambda suspicion: suspicion.kind):
        yield f"{'!!' if kind.serious else ' ?'} {kind}"
        yield from (f"   {suspicion.split}: {suspicion.sentence}" for suspicion in own)


if __name__ == "__main__":
    run_cli(main)
