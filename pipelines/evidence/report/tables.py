"""The tables of `tables/*.csv` for the page: paper beside ours, and the runs behind each row."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from pipelines.evidence.paper_tables import Builder, Table
from pipelines.evidence.papers import Paper, Papers
from pipelines.evidence.report.runs import RunEntry

ALL_PAPERS = "All papers"
"""Heads what is said about all of them."""
DEPARTURES = "differs from the paper in"
_PRINTED = re.compile(r"(?P<what>.*), paper(?P<note> \(.*\))?")
_KINDS = {"paper": "paper", "here": "ours"}
_WIDE = 24
"""Letters from which on a cell is a sentence, which may take several lines."""
_SHORT = 8
"""Letters to which a row's name is short."""


@dataclass(frozen=True)
class Column:
    """A column: what it holds, and whether the paper printed it or we measured it."""

    name: str
    """As in the CSV."""
    kind: str
    """`label`, `paper`, `ours` (beside the paper's) or `plain`."""
    shape: str = ""
    """`wide` where it holds sentences, `words` where it holds no number."""


@dataclass(frozen=True)
class Heading:
    """A cell over one column, or over the paper's and ours."""

    text: str
    columns: Sequence[Column]
    note: str = ""
    """What the paper measured it on."""


@dataclass(frozen=True)
class Row:
    """A line of a table; `cells` are in the order of the columns."""

    cells: Sequence[str]
    runs: Sequence[RunEntry]

    @property
    def same_row(self) -> bool:
        """Whether its runs differ in their seeds alone."""
        return len({run.row for run in self.runs}) == 1

    @property
    def seconds(self) -> float:
        """Training behind it."""
        return sum(run.seconds for run in self.runs)


@dataclass(frozen=True)
class TableView:
    """A table as the page shows it."""

    name: str
    title: str
    caption: str
    remark: str
    departures: str
    """In what all of its rows differ from the paper."""
    stage: str
    """The stage that makes its numbers, besides its runs."""
    headings: Sequence[Heading]
    rows: Sequence[Row]

    @property
    def short(self) -> bool:
        """Whether the names of its rows take little room."""
        return max((len(row.cells[0]) for row in self.rows), default=0) <= _SHORT

    @property
    def columns(self) -> list[Column]:
        return [column for heading in self.headings for column in heading.columns]


@dataclass(frozen=True)
class Tables:
    """The tables of one paper, or those about all."""

    title: str
    citation: str
    remark: str
    """What is said below more than one of them."""
    views: Sequence[TableView]


def read_tables(folder: Path, papers: Papers, entries: Mapping[str, RunEntry]) -> list[Tables]:
    """All tables that are written: each paper's in the order of its file, then those about all."""
    written = {path.stem: path for path in sorted(folder.glob("*.csv"))}
    found = []
    for paper in papers:
        own = [table for table in paper.tables.values() if table.file in written]
        views = [_read_own(written.pop(table.file), paper, table, entries) for table in own]
        found.append(_share_remark(paper.short, paper.citation, views))
    rest = [_read(path, path.stem.capitalize(), {}, entries) for path in written.values()]
    found.append(_share_remark(ALL_PAPERS, "", rest))
    return [tables for tables in found if tables.views]


def _read_own(path: Path, paper: Paper, table: Table, entries: Mapping[str, RunEntry]) -> TableView:
    """A paper's table; one about another table has that one's runs, line by line or behind each
    line with our values."""
    stage = "speed" if table.builder is Builder.SPEED else "tables"
    rows = paper.tables[table.of].trained if table.of else table.trained
    about = list(rows.values()) if table.builder is Builder.CORRELATION else []
    view = _read(path, table.title, rows, entries, stage, about)
    return replace(view, caption=view.caption.removesuffix(f" ({paper.short}, {table.title})"))


def _read(
    path: Path,
    title: str,
    rows: Mapping[str, str],
    entries: Mapping[str, RunEntry],
    stage: str = "tables",
    about: Sequence[str] = (),
) -> TableView:
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    lines = [dict(zip(map(str, table), cells, strict=True)) for cells in table.to_numpy().tolist()]
    runs = [_runs_behind(line, rows, entries, about) for line in lines]
    table, shared = _shared_departures(table)
    caption, remark = _words_around(path.with_suffix(".md"))
    return TableView(
        name=path.stem,
        title=title,
        caption=caption,
        remark=remark,
        departures=shared,
        stage=stage,
        headings=_headings(table),
        rows=[Row(cells, own) for cells, own in zip(table.to_numpy().tolist(), runs, strict=True)],
    )


def _share_remark(title: str, citation: str, views: Sequence[TableView]) -> Tables:
    counts = Counter(view.remark for view in views)
    shared = next((text for text, count in counts.most_common(1) if text and count > 1), "")
    own = [replace(view, remark="") if view.remark == shared else view for view in views]
    return Tables(title, citation, shared, own)


def _shared_departures(table: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """The table with only what is not true of all its rows in that column, and what is."""
    if DEPARTURES not in table:
        return table, ""
    each = [cell.split(", ") for cell in table[DEPARTURES]]
    said = [own for own in each if own != [""]]
    shared = [name for name in said[0] if all(name in own for own in said)] if said else []
    rest = [", ".join(name for name in own if name not in shared) for own in each]
    without = table.drop(columns=DEPARTURES)
    return without.assign(**{"differs also in": rest}) if any(rest) else without, ", ".join(shared)


def _words_around(markdown: Path) -> tuple[str, str]:
    """What stands above and below the table in its Markdown."""
    if not markdown.exists():
        return "", ""
    lines = [line.strip() for line in markdown.read_text().splitlines() if line.strip()]
    around = [line for line in lines if not line.startswith("|")]
    return around[0].strip("*"), " ".join(around[1:])


def _headings(table: pd.DataFrame) -> list[Heading]:
    """The paper's column and ours under one heading, where ours comes next."""
    shapes = {str(name): _shape(table[name]) for name in table}
    headings: list[Heading] = []
    left = [str(name) for name in table]
    while left:
        name = left.pop(0)
        printed = _PRINTED.fullmatch(name)
        if printed and left and left[0] == printed["what"]:
            ours = left.pop(0)
            pair = [Column(name, "paper", shapes[name]), Column(ours, "ours", shapes[ours])]
            headings.append(Heading(printed["what"], pair, (printed["note"] or "").strip(" ()")))
        elif printed:
            headings.append(Heading(printed["what"], [Column(name, "paper", shapes[name])]))
        else:
            kind = _KINDS.get(name, "plain") if headings else "label"
            headings.append(Heading(name, [Column(name, kind, shapes[name])]))
    return headings


def _shape(cells: pd.Series[str]) -> str:
    if cells.str.len().max() > _WIDE:
        return "wide"
    return "" if cells.str.contains(r"\d").any() else "words"


def _runs_behind(
    cells: Mapping[str, str],
    rows: Mapping[str, str],
    entries: Mapping[str, RunEntry],
    about: Sequence[str],
) -> list[RunEntry]:
    if "weights" in cells:
        return [entries[cells["weights"]]] if cells["weights"] in entries else []
    if about:
        own = about if cells["values"] == "ours" else ()
    else:
        own = [rows.get(next(iter(cells.values())), "")]
    return [entry for entry in entries.values() if entry.row in own]
