"""The papers as data: a file each in `papers/`, and what is said about all of them.

A paper's file names the paper, the conditions of its experiments, its tables and figures, and what
its text claims; a new file there is a new paper. `findings.yaml` has the main findings,
`choices.yaml` what is done here where the papers are silent. A key of a file is a field below.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.evidence.conditions import IMAGES, Condition, Relation, read_conditions
from pipelines.evidence.entries import make, mapping, read_yaml
from pipelines.evidence.paper_tables import PaperFigure, Table, read_figure, read_table
from pipelines.runs.registry import ENTRIES
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.paths import PAPERS

FINDINGS, CHOICES = "findings.yaml", "choices.yaml"
MOST_FINDINGS = 12
"""A reader keeps no more in mind."""


@dataclass(frozen=True)
class Statement:
    """What a paper's text says beside its tables."""

    id: str
    place: str
    text: str
    check: Mapping[str, Any]
    """The kind of check that answers it, with its parameters."""
    ours: bool = False
    """Whether it is a question of our own."""


@dataclass(frozen=True)
class Finding:
    """One of what matters most."""

    says: str
    """What the paper says, or what is asked here."""
    answers: Mapping[str, str]
    """What is measured, to the claim that answers it, as `paper/source`."""


@dataclass(frozen=True)
class Choice:
    """What is done in all runs where a paper is silent."""

    number: str
    subject: str
    paper: str
    here: str


@dataclass(frozen=True)
class Paper:
    """One paper."""

    file: str
    """The file's name."""
    name: str
    """With which the places of its claims begin."""
    short: str
    """By which tables and claims call it."""
    title: str
    year: int
    authors: tuple[str, ...] = ()
    venue: str = ""
    remark: str = ""
    """Said below its trained tables."""
    dataset: str = ""
    """Whose numbers it prints, by the name in params.yaml."""
    device: str = ""
    """That its speeds are measured on."""
    detectors: tuple[str, ...] = ()
    """Its own, whose runs are held to its conditions."""
    profiles: tuple[str, ...] = ()
    """Of params.yaml, with the paper's own experiments."""
    noise: str = ""
    """The table that prints how far runs lie apart."""
    conditions: tuple[Condition, ...] = ()
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, PaperFigure] = field(default_factory=dict)
    claims: tuple[Statement, ...] = ()

    @property
    def citation(self) -> str:
        """Authors, year, title and venue, as far as they are known."""
        parts = (", ".join(self.authors), self.title, self.venue, str(self.year))
        return ". ".join(part for part in parts if part)

    @property
    def images_seen(self) -> int | None:
        """The fewest that a training of the paper sees, where a condition says so."""
        rules = [rule for condition in self.conditions for rule in condition.alike]
        fewest = [r for r in rules if (r.quantity, r.relation) == (IMAGES, Relation.AT_LEAST)]
        return fewest[0].values[0] if fewest else None

    @property
    def noise_table(self) -> Table | None:
        """The table that prints how far runs lie apart."""
        return self.tables[self.noise] if self.noise else None

    @property
    def deviations(self) -> dict[str, float]:
        """Metric to the standard deviation of one run, by the reference row of that table."""
        table = self.noise_table
        row = table.reference_row if table else None
        cells = row.printed.items() if row else ()
        return {metric: cell[1] for metric, cell in cells if isinstance(cell, tuple)}

    def departures(self, spec: RunSpec) -> list[str]:
        """Number and name of each condition that a run does not share."""
        return [c.label for c in self.conditions if not c.is_shared(spec)]

    def part(self, name: str) -> Table | PaperFigure:
        """A table or figure by its name in the file.

        Raises:
            UserError: there is none.
        """
        found = self.tables.get(name) or self.figures.get(name)
        if found is None:
            known = ", ".join((*self.tables, *self.figures))
            raise UserError(f"{self.file}: there is no table or figure {name!r}; there are {known}")
        return found


@dataclass(frozen=True)
class Papers:
    """All papers, the newest first."""

    papers: tuple[Paper, ...]
    findings: tuple[Finding, ...] = ()
    choices: tuple[Choice, ...] = ()

    def __iter__(self) -> Iterator[Paper]:
        return iter(self.papers)

    def __getitem__(self, name: str) -> Paper:
        return {paper.name: paper for paper in self}[name]

    @property
    def tables(self) -> dict[str, tuple[Paper, Table]]:
        """File in `results/PROFILE/tables/`, without its ending, to its paper and table."""
        return {table.file: (paper, table) for paper in self for table in paper.tables.values()}

    @property
    def compared_tables(self) -> list[Table]:
        """Those whose rows are the detectors that figures and report set side by side."""
        return [table for _, table in self.tables.values() if table.compared]

    @property
    def compared(self) -> dict[str, str]:
        """Label to row of params.yaml of these detectors."""
        return {
            label: row for table in self.compared_tables for label, row in table.trained.items()
        }


def read_papers(folder: Path = PAPERS) -> Papers:
    """All that stands in a folder of papers.

    Raises:
        UserError: there is no paper, or a file that is not as it must be.
    """
    files = [path for path in sorted(folder.glob("*.yaml")) if path.name not in (FINDINGS, CHOICES)]
    if not files:
        raise UserError(f"{folder.name}/: there is no paper; write one, such as lapnet.yaml")
    papers = sorted(map(read_paper, files), key=lambda paper: (-paper.year, paper.name))
    for what in ("name", "short"):
        _check_single([getattr(p, what) for p in papers], f"{folder.name}/: papers' {what}")
    _check_single([t.file for p in papers for t in p.tables.values()], f"{folder.name}/: tables")
    _check_single([f.file for p in papers for f in p.figures.values()], f"{folder.name}/: figures")
    return Papers(tuple(papers), _read_findings(folder / FINDINGS), _read_choices(folder / CHOICES))


def read_paper(path: Path) -> Paper:
    """One paper's file.

    Raises:
        UserError: it lacks something, or names what is not there.
    """
    where = f"{path.parent.name}/{path.name}"
    entry = dict(mapping(read_yaml(path), where))
    tables, figures = (
        mapping(entry.pop(part, {}), f"{where}: {part}") for part in ("tables", "figures")
    )
    conditions, claims = (
        _list(entry.pop(part, []), f"{where}: {part}") for part in ("conditions", "claims")
    )
    detector = next(iter(_list(entry.get("detectors", []), where)), RunSpec.detector)
    paper = make(
        Paper,
        entry,
        where,
        file=where,
        conditions=read_conditions(conditions, detector, f"{where}: conditions"),
        tables={name: read_table(name, own, f"{where}: {name}") for name, own in tables.items()},
        figures={name: read_figure(name, own, f"{where}: {name}") for name, own in figures.items()},
        claims=tuple(_read_statement(own, where) for own in claims),
    )
    _check_references(paper)
    return paper


def _read_statement(entry: Any, where: str) -> Statement:
    name = entry.get("id", entry) if isinstance(entry, dict) else entry
    return make(Statement, entry, f"{where}: claim {name}")


def _check_references(paper: Paper) -> None:
    """Detectors that the file speaks of are known, its tables are in it, and nothing is twice."""
    _check_single([claim.id for claim in paper.claims], f"{paper.file}: claims")
    _check_single([c.number for c in paper.conditions], f"{paper.file}: conditions")
    for name in (*paper.detectors, *(n for c in paper.conditions for n in c.detectors)):
        if name not in ENTRIES:
            known = ", ".join(ENTRIES)
            raise UserError(f"{paper.file}: there is no detector {name!r}; there are {known}")
    about = [table.of for table in paper.tables.values()]
    about += [figure.of for figure in paper.figures.values()]
    for name in (paper.noise, *about):
        if name and name not in paper.tables:
            known = ", ".join(paper.tables) or "none"
            raise UserError(f"{paper.file}: there is no table {name!r}; there are {known}")
    if paper.noise and not paper.deviations:
        raise UserError(
            f"{paper.file}: {paper.noise}: its reference row must print [mean, deviation, best]"
        )


def _read_findings(path: Path) -> tuple[Finding, ...]:
    entries = _list(read_yaml(path), path.name) if path.exists() else []
    if len(entries) > MOST_FINDINGS:
        raise UserError(
            f"{path.name}: {len(entries)} findings; a reader keeps {MOST_FINDINGS} in mind"
        )
    return tuple(make(Finding, entry, f"{path.name}: {n}") for n, entry in enumerate(entries, 1))


def _read_choices(path: Path) -> tuple[Choice, ...]:
    entries = mapping(read_yaml(path), path.name) if path.exists() else {}
    return tuple(make(Choice, own, f"{path.name}: {n}", number=n) for n, own in entries.items())


def _list(value: Any, where: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise UserError(f"{where} must be a list, not {str(value)[:60]!r}")
    return value


def _check_single(names: Sequence[str], where: str) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise UserError(f"{where}: {twice[0]} stands there twice; give one of them another name")
