"""The page: suspicions, tables, plots and samples in one file that fetches nothing."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd
from jinja2 import Environment

from pipelines.data.sources import ImageSource
from pipelines.data.tiling import Tiling
from pipelines.evidence.report.templating import page_environment
from pipelines.own_data.inspection.kinds import Suspicion
from pipelines.own_data.inspection.objects import read_objects
from pipelines.own_data.inspection.pictures import Picture, picture_examples, picture_sample
from pipelines.own_data.inspection.plots import draw_plots
from pipelines.own_data.inspection.summary import class_table, split_table
from pipelines.own_data.inspection.wording import percent, shown


@dataclass(frozen=True)
class Exhibit:
    """A suspicion, and pictures of its examples."""

    suspicion: Suspicion
    pictures: Sequence[Picture]


@dataclass(frozen=True)
class ClassRow:
    """Objects of a class in each split, and their share of the split's objects from 0 to 1."""

    name: str
    counts: Sequence[int]
    shares: Sequence[float]


def build_page(
    dataset: str,
    sources: Mapping[str, ImageSource],
    found: Sequence[Suspicion],
    input_size: int,
    tiling: Tiling | None = None,
    *,
    pixels: bool = True,
) -> str:
    """The page as HTML.

    Args:
        dataset: its name, or the folder that was given.
        sources: split to source.
        found: its suspicions, in the order of the page.
        input_size: side of the network's input, pixels.
        tiling: how photographs are cut; None where they are squeezed to the input.
        pixels: whether images were held against each other.

    Raises:
        UserError: an image cannot be had.
    """
    splits = read_objects(sources)
    return (
        _environment()
        .get_template("inspection.html")
        .render(
            dataset=shown(dataset),
            input_size=input_size,
            tiling=tiling,
            pixels=pixels,
            splits=splits,
            facts=split_table(splits),
            classes=_class_rows(class_table(splits)),
            exhibits=[Exhibit(one, picture_examples(sources, one.examples)) for one in found],
            serious=sum(one.kind.serious for one in found),
            plots=draw_plots(splits),
            samples={name: picture_sample(source) for name, source in sources.items()},
            adapt=adapt_command(dataset, input_size, tiling),
        )
    )


def adapt_command(dataset: str, input_size: int, tiling: Tiling | None = None) -> str:
    """The line that says which anchors, blocks and weights fit the data set."""
    words = ["python", "-m", "pipelines.adapt", dataset]
    if tiling:
        words += ["--tiles", str(tiling.size), "--overlap", f"{tiling.overlap:g}"]
    else:
        words += ["--input-size", str(input_size)]
    return shown(shlex.join(words))


def _class_rows(table: pd.DataFrame) -> list[ClassRow]:
    totals = table.sum().clip(lower=1)
    return [
        ClassRow(str(name), counts.tolist(), (counts / totals).tolist())
        for name, counts in table.iterrows()
    ]


def _environment() -> Environment:
    environment = page_environment("pipelines.own_data.inspection")
    environment.filters["percent"] = percent
    return environment
