"""Everything that follows from runs and timings, built anew and compared byte for byte."""

from __future__ import annotations

import csv
import importlib.metadata
import io
import re
import zlib
from collections.abc import Callable, Collection, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from pipelines.evaluation.bootstrap import RunSamples
from pipelines.evaluation.timing import DIGITS, ROUNDS_FILE, read_rounds, summarise
from pipelines.evidence.claims.ledger import answer_all, write_claims
from pipelines.evidence.figures import object_sizes
from pipelines.evidence.figures.draw import (
    Plotted,
    draw_plots,
    picture_files,
    sizes_file,
    write_plots,
)
from pipelines.evidence.figures.style import styled
from pipelines.evidence.ledger import ledger_row
from pipelines.evidence.papers import Papers
from pipelines.evidence.study import Study, resampled
from pipelines.evidence.tables import write_tables
from pipelines.runs.folder import MATCHES, RunFolder
from pipelines.runs.record import Record
from pipelines.system.errors import UserError
from pipelines.system.paths import REPOSITORY

UNREADABLE = (OSError, EOFError, zlib.error, ValueError, KeyError, TypeError, csv.Error, UserError)
"""What a damaged file may raise where it is read."""
SHOWN = 100
"""Characters of a differing line that a message shows."""


@dataclass(frozen=True)
class ComputedRun:
    """What follows from one run's match records."""

    row: dict[str, Any]
    """Of the ledger."""
    samples: RunSamples | None
    """None where only the ledger was asked for."""


def compute_run(folder: Path, fast: bool) -> ComputedRun | str:
    """Score a run folder and, unless `fast`, resample its figures; else what is wrong with it."""
    try:
        return ComputedRun(ledger_row(folder), None if fast else resampled(folder))
    except UNREADABLE as error:
        return f"runs/{folder.name}/{MATCHES}: cannot be scored: {_describe(error)}"


def compare_ledgers(committed: Path, rebuilt: Path, runs: Collection[str]) -> list[str]:
    """Every cell that the runs do not give, and every row that is missing or surplus.

    Args:
        committed: the ledger as it is.
        rebuilt: the ledger of the runs that are sound.
        runs: all runs that are there.
    """
    if committed.is_file() and committed.read_bytes() == rebuilt.read_bytes():
        return []
    new = _read_ledger(rebuilt)
    try:
        old = _read_ledger(committed)
    except UNREADABLE as error:
        return [f"ledger.csv: cannot be read: {_describe(error)}"]
    findings = [f"ledger.csv: {run}: there is no such run" for run in old if run not in runs]
    findings += [f"ledger.csv: {run}: has no row" for run in new if run not in old]
    findings += [
        f"ledger.csv: {run}: {column} is {old[run].get(column)}, the run gives {value}"
        for run, row in new.items()
        if run in old
        for column, value in row.items()
        if old[run].get(column) != value
    ]
    if not findings and len(new) == len(runs):
        findings = [f"ledger.csv: {compare_files(committed, rebuilt)}"]
    return findings


def _read_ledger(path: Path) -> dict[str, dict[str, str]]:
    """Run to column to cell, as they are written."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["run"] for row in rows]
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"{twice[0]} has more than one row")
    return dict(zip(names, rows, strict=True))


def compare_timings(committed: Path) -> list[str]:
    """Where `speed.csv` is not what the single times give."""
    rounds, speed = committed / ROUNDS_FILE, committed / "speed.csv"
    if not rounds.exists() and not speed.exists():
        return []
    try:
        given = summarise(read_rounds(rounds))
        there = pd.read_csv(speed, dtype=str)[given.columns].to_csv(index=False)
    except UNREADABLE as error:
        return [f"speed.csv, {ROUNDS_FILE}: cannot be compared: {_describe(error)}"]
    expected = given.to_csv(index=False, float_format=DIGITS)
    return [] if there == expected else [f"speed.csv: {compare_texts(there, expected)}"]


def open_study(
    profile: str, committed: Path, place: Path, samples: Mapping[str, RunSamples]
) -> Study:
    """The study of the runs and timings committed, with the ledger that lies in `place`."""
    for name in ("runs", "speed.csv", ROUNDS_FILE):
        if (committed / name).exists():
            (place / name).symlink_to((committed / name).resolve())
    return replace(Study.open(profile, place), resampled=samples)


def build(what: str, study: Study, papers: Papers, committed: Path) -> str | None:
    """Build one of `BUILDS` in the study's folder; what is wrong where it cannot be built."""
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            BUILDS[what](study, papers, committed)
    except UNREADABLE as error:
        return f"{what}: cannot be built: {_describe(error)}"
    return None


def compare_built(
    place: Path, committed: Path, builds: Mapping[str, str | None], papers: Papers
) -> tuple[int, list[str]]:
    """Hold what was built against what is committed.

    Args:
        place: where it was built.
        committed: the profile's results.
        builds: what was built to what `build` found wrong. Committed files in a folder that could
            be built are surplus if nothing built them.
        papers: whose pictures are not built.

    Returns:
        How many files were compared, and the findings.
    """
    built = _files(place)
    findings = [finding for finding in builds.values() if finding]
    drawn_elsewhere = other_versions(committed / "runs")
    for name in built:
        if not (committed / name).is_file():
            findings.append(f"{name}: is missing, the runs give one")
        elif difference := compare_files(committed / name, place / name):
            why = drawn_elsewhere if name.startswith("figures/") else ""
            findings.append(f"{name}: {difference}{why}")
    folders = [what for what, finding in builds.items() if not finding]
    there = [f"{what}/{name}" for what in folders for name in _files(committed / what)]
    pictures = picture_files(papers)
    surplus = [n for n in there if n not in built and Path(n).name not in pictures]
    findings += [f"{name}: is surplus, nothing builds it" for name in surplus]
    return len(built), findings


def _files(folder: Path) -> list[str]:
    """Files below a folder but the ledger and what is linked from elsewhere."""
    names = [
        p.relative_to(folder).as_posix()
        for p in folder.rglob("*")
        if p.is_file() and not p.is_symlink()
    ]
    return sorted(name for name in names if name != "ledger.csv")


def build_tables(study: Study, papers: Papers, committed: Path) -> None:
    """The tables of the papers, and that of deviations."""
    folder = study.folder / "tables"
    folder.mkdir()
    write_tables(folder, papers, study)


def build_claims(study: Study, papers: Papers, committed: Path) -> None:
    """The ledger of claims, as table, as text and as one page."""
    write_claims(answer_all(papers, study), study, papers)


def build_figures(study: Study, papers: Papers, committed: Path) -> None:
    """Figures without images; the sizes of objects as they are committed.

    Raises:
        UserError: the sizes cannot be those of the runs' training split.
    """
    manifest = profile_record(study).data
    sizes = np.zeros(0, np.int64)
    if name := sizes_file(papers):
        sizes = object_sizes.read_counts(committed / "figures" / name)
        boxes = manifest["splits"]["train"]["boxes"]
        if sizes.sum() != boxes:
            raise UserError(f"figures/{name}: {sizes.sum()} boxes, the training split has {boxes}")
    folder = study.folder / "figures"
    folder.mkdir()
    with styled():
        plots = draw_plots(Plotted(study.spec, sizes, manifest, papers, study))
        write_plots(folder, plots, sizes, papers)


BUILDS: Mapping[str, Callable[[Study, Papers, Path], None]] = {
    "tables": build_tables,
    "claims": build_claims,
    "figures": build_figures,
}
"""What is built; each writes into the study's folder as its stage does into the profile's."""


def profile_record(study: Study) -> Record:
    """The record of a run on the images of the profile's own settings.

    Raises:
        UserError: there is none.
    """
    spec = study.spec
    for name in study.ledger["run"]:
        if name in study.specs and study.specs[name].preparation == spec.preparation:
            return study.run(name).record()
    raise UserError(f"no run on {spec.dataset} at {spec.input_size}, whose data it would show")


def other_versions(runs: Path) -> str:
    """What draws figures here in another version than where the runs were made; else nothing.

    matplotlib, which no run needs, is held against the requirements.
    """
    locked = (REPOSITORY / "requirements" / "main.txt").read_text()
    found = re.search(r"^matplotlib==([\w.]+)", locked, re.MULTILINE)
    expected = {"matplotlib": found[1] if found else None}
    for folder in sorted(runs.glob("*/")):
        packages = RunFolder(folder).record().machine.packages
        expected |= {name: packages.get(name) for name in ("numpy", "pillow", "scipy")}
    here = {name: importlib.metadata.version(name) for name in expected}
    apart = [f"{n} {here[n]}, not {v}" for n, v in expected.items() if here[n] != v]
    return f" (installed here: {'; '.join(apart)})" if apart else ""


def compare_files(committed: Path, rebuilt: Path) -> str | None:
    """How they differ; None where their bytes are equal."""
    old, new = committed.read_bytes(), rebuilt.read_bytes()
    if old == new:
        return None
    if committed.suffix == ".png":
        return "another picture than the runs give"
    return compare_texts(old.decode(errors="replace"), new.decode())


def compare_texts(old: str, new: str) -> str:
    """The first line in which two texts differ, in both versions."""
    pairs = zip_longest(old.splitlines(), new.splitlines())
    for number, (one, other) in enumerate(pairs, start=1):
        if one is None:
            return f"ends before line {number}, the runs give {str(other)[:SHOWN]!r}"
        if other is None:
            return f"line {number} is {one[:SHOWN]!r}, the runs give no such line"
        if one != other:
            place = next(i for i, (a, b) in enumerate(zip_longest(one, other)) if a != b)
            start = max(0, place - SHOWN // 2)
            here, there = one[start : start + SHOWN], other[start : start + SHOWN]
            return f"line {number} is {here!r}, the runs give {there!r}"
    return "line ends differ"


def _describe(error: BaseException) -> str:
    return str(error) if isinstance(error, UserError) else repr(error)
