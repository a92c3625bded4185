"""The study's main findings: what a paper says, what came out, one sentence each.

`papers/findings.yaml` fixes which they are and which claims answer them; nothing here is written
by hand.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipelines.evidence.claims.statements import read_claims
from pipelines.evidence.claims.verdicts import Verdict
from pipelines.evidence.papers import FINDINGS, Papers
from pipelines.runs.parameters import split_name
from pipelines.system.errors import UserError


@dataclass(frozen=True)
class Part:
    """One measured figure of a finding."""

    label: str
    ours: str
    """With its interval; empty where nothing could be measured."""
    verdict: Verdict
    why: str


@dataclass(frozen=True)
class MainFinding:
    """A finding with its answers."""

    says: str
    parts: Sequence[Part]
    runs: Sequence[str]
    """Names of all runs behind it, row by row."""

    @property
    def here(self) -> str:
        """`AP50 +33.6 [+29.1, +38.0]; AP: no run of …`."""
        return "; ".join(
            f"{p.label} {p.ours}" if p.ours else f"{p.label}: {p.why}" for p in self.parts
        )

    @property
    def verdict(self) -> str:
        """The verdict of all parts, or each one's where they differ."""
        if len({part.verdict for part in self.parts}) == 1:
            return self.parts[0].verdict.value
        return "; ".join(f"{part.label}: {part.verdict.value}" for part in self.parts)


def answer_findings(
    papers: Papers, claims: pd.DataFrame, runs: Mapping[str, Sequence[str]]
) -> list[MainFinding]:
    """Every finding with what the claims' table says of it.

    Args:
        papers: of `read_papers`.
        claims: what `answer_all` made, or `claims.csv` read as text.
        runs: row of params.yaml to its runs in the study.

    Raises:
        UserError: a finding names no claim.
    """
    lines = {str(line["source"]): line for line in claims.to_dict("records")}
    words = {claim.place_in_file: claim.words for claim in read_claims(papers)}
    answered = []
    for finding in papers.findings:
        for source in finding.answers.values():
            if source not in lines:
                raise UserError(f"{FINDINGS}: {finding.says}: there is no claim {source}")
        parts = [_part(label, lines[source]) for label, source in finding.answers.items()]
        rows = dict.fromkeys(row for source in finding.answers.values() for row in words[source])
        behind = [run for row in rows for run in runs.get(row, ())]
        answered.append(MainFinding(finding.says, parts, behind))
    return answered


def _part(label: str, line: Mapping[Hashable, Any]) -> Part:
    ours = " ".join(line[key] for key in ("ours", "interval") if line[key])
    return Part(label, ours, Verdict(line["verdict"]), line["why"])


def findings_table(findings: Sequence[MainFinding], folder: str = "") -> str:
    """The findings in Markdown, each linked to its first run of every row.

    Args:
        findings: of `answer_findings`.
        folder: from the page to the profile's results, with a slash at its end.
    """
    rows = [
        {
            "": number,
            "the paper says": finding.says,
            "here [95 %]": finding.here,
            "verdict": finding.verdict,
            "runs": ", ".join(_links(finding.runs, folder)),
        }
        for number, finding in enumerate(findings, start=1)
    ]
    return f"{pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)}\n"


def _links(runs: Sequence[str], folder: str) -> list[str]:
    """One link a row, to its first run, with the number of its seeds."""
    by_row: dict[str, list[str]] = {}
    for run in runs:
        by_row.setdefault(split_name(run)[0], []).append(run)
    return [f"[{row}]({folder}runs/{own[0]}) × {len(own)}" for row, own in by_row.items()]
