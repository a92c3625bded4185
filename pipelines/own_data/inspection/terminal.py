"""A data set's summary and suspicions, as text for a terminal and as a page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

from pipelines.data.dataset_spec import TOLERANT
from pipelines.data.preparation import Preparation
from pipelines.data.preparing import prepared_folder
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.tiling import Tiling
from pipelines.own_data.inspection.kinds import Suspicion
from pipelines.own_data.inspection.objects import Objects, read_objects
from pipelines.own_data.inspection.page import adapt_command, build_page
from pipelines.own_data.inspection.summary import class_table, split_table
from pipelines.own_data.inspection.suspicions import suspicions
from pipelines.system.errors import UserError
from pipelines.system.files import write_whole
from pipelines.system.paths import RESULTS

MOST_CLASSES = 20
"""Classes in the printed table."""


def inspect(
    dataset: str,
    input_size: int,
    out: Path | None = None,
    tiling: Tiling | None = None,
    *,
    pixels: bool,
) -> None:
    """Print a data set's summary, and write its page.

    Args:
        dataset: a name, or the folder of one of one's own.
        input_size: side of the square network input, pixels.
        out: where `index.html` goes; `default_folder` when None.
        tiling: how photographs are cut; None where they are squeezed to the input.
        pixels: hold images against each other, too.

    Raises:
        UserError: the data set is not found or broken, or the page cannot be written.
    """
    sources = open_dataset(DatasetSpec(dataset, tolerance=TOLERANT))
    found = suspicions(sources, input_size=input_size, tiling=tiling, pixels=pixels)
    print(summary(read_objects(sources), found))
    print(f"\nWhat fits these objects: {adapt_command(dataset, input_size, tiling)}")
    path = (out or default_folder(dataset, input_size)) / "index.html"
    write_page(path, build_page(dataset, sources, found, input_size, tiling, pixels=pixels))
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
    prepared = prepared_folder(Preparation(dataset, input_size)).name
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
