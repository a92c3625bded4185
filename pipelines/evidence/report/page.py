"""The page: every part of the report put together and set in its template."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment
from markupsafe import Markup, escape

from pipelines.evidence.claims.main_findings import MainFinding, answer_findings
from pipelines.evidence.claims.statements import read_claims
from pipelines.evidence.figures.found_boxes import BUILT_IN
from pipelines.evidence.paper_tables import Builder, Section
from pipelines.evidence.papers import Papers
from pipelines.evidence.report.embed import file_uri
from pipelines.evidence.report.gallery import Gallery, study_gallery
from pipelines.evidence.report.health import health_section
from pipelines.evidence.report.plots import (
    learning_curves,
    precision_recall,
    speed_against_accuracy,
    trained_detectors,
)
from pipelines.evidence.report.runs import (
    costs_by_device,
    describe_seconds,
    run_entries,
    stage_command,
)
from pipelines.evidence.report.tables import read_tables
from pipelines.evidence.report.templating import page_environment
from pipelines.evidence.report.verdicts import Share, Verdicts, read_verdicts
from pipelines.evidence.study import Study
from pipelines.evidence.trained_code import study_changes


@dataclass(frozen=True)
class StoredFigure:
    """A figure of the figures stage."""

    name: str
    title: str
    picture: str
    """Data URI."""


def build_page(
    study: Study, parameters: Mapping[str, Any], papers: Papers, photographs: bool
) -> str:
    """The whole page as HTML that refers to nothing but the run folders beside it.

    Args:
        study: what is trained.
        parameters: params.yaml.
        papers: whose claims and tables it shows.
        photographs: show test images that are not drawn here; the page is then meant for
            `results/PROFILE/gallery/`.
    """
    chosen = trained_detectors(study, papers)
    shown = photographs or study.spec.dataset in BUILT_IN
    own = study.spec.preparation
    alike = {k: v for k, v in chosen.items() if study.specs[v].preparation == own}
    gallery = study_gallery(study, alike) if shown and alike else None
    return render(study, parameters, papers, gallery, "../" if photographs else "")


def render(
    study: Study,
    parameters: Mapping[str, Any],
    papers: Papers,
    gallery: Gallery | None,
    base: str = "",
) -> str:
    """The page with this gallery, or with a line that says why there is none.

    `base` leads from the page's folder to the profile's.
    """
    entries = run_entries(study, parameters)
    chosen = trained_detectors(study, papers)
    folders = [study.folder / "figures", *([study.folder / "gallery"] if gallery else [])]
    by_row: dict[str, list[str]] = {}
    for entry in entries.values():
        by_row.setdefault(entry.row, []).append(entry.name)
    return (
        _environment(study.profile)
        .get_template("page.html")
        .render(
            profile=study.profile,
            base=base,
            spec=study.spec,
            seen=sorted(s.images_seen for s in study.specs.values() if s.iterations),
            built_in=study.spec.dataset in BUILT_IN,
            planned=len(study.specs),
            papers=papers,
            entries=entries,
            runs_by_row=by_row,
            costs=costs_by_device(list(entries.values())),
            verdicts=_verdicts(study, papers),
            findings=_findings(study, papers),
            tables=read_tables(study.folder / "tables", papers, entries),
            numbered=(study.folder / "tables" / "deviations.csv").exists(),
            curves=learning_curves(study, papers),
            precision=precision_recall(study, chosen),
            health=health_section(study, chosen),
            notice=study.notice,
            changes=study_changes(study),
            speed=speed_against_accuracy(study, papers.compared),
            timed=[t for _, t in papers.tables.values() if t.builder is Builder.SPEED],
            sizes=_stored(folders, papers, Section.SIZES),
            mechanisms=_stored(folders, papers, Section.MECHANISMS),
            gallery=gallery,
        )
    )


def _verdicts(study: Study, papers: Papers) -> Verdicts | None:
    path = study.folder / "claims.csv"
    return read_verdicts(path, read_claims(papers)) if path.exists() else None


def _findings(study: Study, papers: Papers) -> list[MainFinding]:
    path = study.folder / "claims.csv"
    if not path.exists():
        return []
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    return answer_findings(papers, table, study.runs_by_row)


def _stored(folders: Sequence[Path], papers: Papers, section: Section) -> list[StoredFigure]:
    """The figures of a section that are there, as SVG where they have it."""
    found = []
    for figure in (f for paper in papers for f in paper.figures.values() if f.section is section):
        places = [folder / f"{figure.file}.{kind}" for kind in ("svg", "png") for folder in folders]
        if path := next((place for place in places if place.exists()), None):
            found.append(StoredFigure(figure.file, figure.caption, file_uri(path)))
    return found


def _environment(profile: str) -> Environment:
    environment = page_environment()
    environment.globals["remake"] = lambda stage: stage_command(profile, stage)
    environment.globals["share_of"] = lambda verdict: Share(verdict, 1)
    environment.filters["duration"] = describe_seconds
    environment.filters["grouped"] = lambda number: f"{number:,.0f}".replace(",", "\u202f")
    environment.filters["ticks"] = _ticks_to_code
    environment.filters["slug"] = lambda text: re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return environment


def _ticks_to_code(text: str) -> Markup:
    """Markdown's `code` as HTML's."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
