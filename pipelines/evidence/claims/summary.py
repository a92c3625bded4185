"""The reproducibility summary: one page in the form that reproducibility tracks ask for.

Scope, methodology, results, what was easy, what was difficult, communication with the authors; all
of it counted from the claims and the runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import pandas as pd

from pipelines.evidence.claims.main_findings import MainFinding
from pipelines.evidence.claims.statements import Group
from pipelines.evidence.claims.verdicts import Verdict
from pipelines.evidence.costs import costs
from pipelines.evidence.papers import Papers
from pipelines.evidence.study import Study

NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
REASONS_SHOWN = 5
"""Most frequent reasons why a claim could not be tested."""


def write_summary(
    table: pd.DataFrame, study: Study, papers: Papers, findings: Sequence[MainFinding]
) -> str:
    """The page in Markdown.

    Args:
        table: of `answer_all`.
        study: what the claims were held against.
        papers: whose claims they are.
        findings: the main ones, answered.
    """
    parts = [
        f"# Reproducibility summary: `{study.profile}`\n",
        *([f"**{study.notice}**\n"] if study.notice else []),
        "## Scope of reproducibility\n",
        _scope(papers, findings),
        "## Methodology\n",
        _methodology(study),
        "## Results\n",
        _results(table, findings),
        "## What was easy\n",
        _easy(table),
        "## What was difficult\n",
        _difficult(table),
        "## Communication with the authors\n",
        "None.\n",
    ]
    return "\n".join(parts)


def _scope(papers: Papers, findings: Sequence[MainFinding]) -> str:
    said = "".join(f"{n}. {finding.says}.\n" for n, finding in enumerate(findings, start=1))
    names = [paper.short for paper in papers]
    count = f"{NUMBERS.get(len(names), len(names))} papers" if len(names) > 1 else "paper"
    return f"The statements that matter most in the {count}, {' and '.join(names)}:\n\n{said}"


def _methodology(study: Study) -> str:
    ledger, spec = study.ledger, study.spec
    total = costs(study).iloc[-1]
    rows = ledger["row"].nunique()
    devices = _devices(study)
    return (
        f"Both methods are implemented anew from the papers' text, and where it is silent from the "
        f"authors' released code. {len(ledger)} trainings of {rows} rows, on {spec.dataset} at "
        f"{spec.input_size} pixels, {len(study.specs)} declared; {total['hours']} hours of "
        f"training on {devices}. Differences are paired by seed and test photographs; intervals "
        "are of 95 % and hold what test photographs and seeds make uncertain. What departs from "
        "the papers stands in `tables/deviations.md`.\n"
    )


def _devices(study: Study) -> str:
    names = Counter(study.run(run).record().machine.device for run in study.ledger["run"])
    return " and ".join(name for name, _ in names.most_common())


def _results(table: pd.DataFrame, findings: Sequence[MainFinding]) -> str:
    stated = table[table["group"] == Group.STATEMENT.value]
    lines = "".join(
        f"{n}. {finding.here}: {finding.verdict}.\n" for n, finding in enumerate(findings, start=1)
    )
    return (
        f"{lines}\nOf {len(stated)} comparisons and statements of the papers: {_count(stated)}. "
        "Each stands in `claims.md`.\n"
    )


def _count(table: pd.DataFrame) -> str:
    counts = Counter(table["verdict"])
    return ", ".join(f"{counts[v.value]} {v.value}" for v in Verdict if counts[v.value])


def _easy(table: pd.DataFrame) -> str:
    derived = table[table["group"] == Group.DERIVED.value]
    right = (derived["verdict"] == Verdict.REPRODUCED.value).sum()
    wrong = derived[derived["verdict"] == Verdict.CONTRADICTED.value]
    slips = "".join(f"- {one.place}: {one.claim} ({one.why}).\n" for one in wrong.itertuples())
    return (
        f"What follows from the papers by arithmetic: {right} of {len(derived)} such claims come "
        f"out as printed.{' Those that do not:' if len(wrong) else ''}\n\n{slips}"
    )


def _difficult(table: pd.DataFrame) -> str:
    stated = table[table["group"] == Group.STATEMENT.value]
    untested = stated[stated["verdict"] == Verdict.NOT_TESTABLE.value]
    undecided = stated[stated["verdict"] == Verdict.INCONCLUSIVE.value]
    shown = "".join(f"- {count} of them: {reason}.\n" for reason, count in _common(untested["why"]))
    return (
        f"Of these statements {len(untested)} cannot be tested here, and {len(undecided)} stay "
        "inconclusive. "
        f"The most frequent reasons for the first:\n\n{shown}"
    )


def _common(reasons: Iterable[str]) -> list[tuple[str, int]]:
    return Counter(reasons).most_common(REASONS_SHOWN)
