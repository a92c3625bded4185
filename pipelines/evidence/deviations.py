"""The page of deviations: every way in which runs depart from their papers, numbered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pandas as pd

from pipelines.evaluation.intervals import describe_difference, widened_difference
from pipelines.evidence.conditions import Condition
from pipelines.evidence.paper_tables import Table
from pipelines.evidence.papers import Papers
from pipelines.evidence.study import Study
from pipelines.runs.spec import RunSpec


def deviations(study: Study, papers: Papers) -> pd.DataFrame:
    """One row a deviation: number, subject, the paper, this profile, runs, and measured effect.

    Args:
        study: the profile's study.
        papers: of `read_papers`.
    """
    specs = study.specs.values()
    rows = [
        _condition_row(condition, [s for s in specs if s.detector in paper.detectors])
        for paper in papers
        for condition in paper.conditions
    ]
    numbered = [t for paper in papers for t in paper.tables.values() if t.numbered]
    rows += [row for table in numbered for row in _released_rows(table, study)]
    rows += [
        {
            "number": choice.number,
            "subject": choice.subject,
            "paper": choice.paper,
            "here": choice.here,
            "runs": "",
            "effect on AP [95 %]": "not measured",
        }
        for choice in papers.choices
    ]
    return pd.DataFrame([row for row in rows if row["runs"] != "0"])


def _released_rows(table: Table, study: Study) -> list[dict[str, str]]:
    """What the released code does otherwise: the rows of a table but its reference."""
    own = [row for row in table.rows.values() if row.row not in (None, table.reference)]
    return [
        _released_row(
            f"{table.numbered}{number}",
            row.label,
            study,
            str(row.row),
            row.reference or table.reference,
        )
        for number, row in enumerate(own, start=1)
    ]


def _condition_row(condition: Condition, specs: Iterable[RunSpec]) -> dict[str, str]:
    here = Counter(condition.describe(s) for s in specs if not condition.is_shared(s))
    return {
        "number": condition.number,
        "subject": condition.name,
        "paper": condition.paper,
        "here": "; ".join(f"{value} (runs: {count})" for value, count in here.most_common()),
        "runs": str(here.total()),
        "effect on AP [95 %]": "not measured",
    }


def _released_row(
    number: str, label: str, study: Study, row: str, reference: str
) -> dict[str, str]:
    """What the released code does otherwise, with its effect where its row is trained."""
    effect = widened_difference(
        study.samples(row), study.samples(reference), "AP", study.seed_spread("AP")
    )
    return {
        "number": number,
        "subject": "released code",
        "paper": "its text says otherwise",
        "here": f"{label} (row {row} alone)",
        "runs": str(len(study.runs(row))),
        "effect on AP [95 %]": describe_difference(effect) if effect else "not measured",
    }
