"""The papers' claims and what became of them, from `claims.csv`, as the page shows them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from pipelines.evidence.claims.statements import Claim, Group
from pipelines.evidence.claims.verdicts import Verdict
from pipelines.system.errors import UserError

SIGNS = {
    Verdict.REPRODUCED: "✓",
    Verdict.PARTLY: "≈",
    Verdict.CONTRADICTED: "✗",
    Verdict.INCONCLUSIVE: "?",
    Verdict.NOT_TESTABLE: "–",
}
"""Beside colour and word, for whoever sees no colours or is in a hurry."""
_SAID = ("published", "ours", "interval", "n", "data", "difference", "why")


@dataclass(frozen=True)
class Judged:
    """A claim and its answer, as the ledger of claims prints them."""

    claim: Claim
    published: str
    ours: str
    interval: str
    n: str
    data: str
    difference: str
    verdict: Verdict
    why: str


@dataclass(frozen=True)
class Share:
    """How many claims have a verdict."""

    verdict: Verdict
    count: int

    @property
    def sign(self) -> str:
        return SIGNS[self.verdict]

    @property
    def style(self) -> str:
        """Its class in the style sheet."""
        return self.verdict.name.lower().replace("_", "-")


@dataclass(frozen=True)
class Verdicts:
    """Claims that belong together, and the parts that they fall into."""

    name: str
    judged: Sequence[Judged]
    parts: Sequence[Verdicts] = ()

    @property
    def compared(self) -> Verdicts:
        """Those that a reader means by "does the paper hold": no arithmetic, no absolute value."""
        own = [one for one in self.judged if one.claim.group is Group.STATEMENT]
        return Verdicts(self.name, own)

    @property
    def shares(self) -> list[Share]:
        """Every verdict that occurs, from reproduced to not testable."""
        counts = Counter(one.verdict for one in self.judged)
        return [Share(verdict, counts[verdict]) for verdict in Verdict if counts[verdict]]


def read_verdicts(path: Path, claims: Sequence[Claim]) -> Verdicts:
    """The claims of `claims.csv` by paper, then by kind, then by place, which are in order.

    Args:
        path: the file.
        claims: of `read_claims`.

    Raises:
        UserError: the file was made from other claims.
    """
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    known = {claim.place_in_file: claim for claim in claims}
    judged = []
    for line in table.to_dict("records"):
        claim = known.get(line["source"])
        if claim is None:
            raise UserError(
                f"{path.name}: papers/ has no claim {line['claim']!r}; "
                "run `python -m pipelines.claims` again"
            )
        said = {name: line[name] for name in _SAID}
        judged.append(Judged(claim, verdict=Verdict(line["verdict"]), **said))
    papers = list(dict.fromkeys(claim.paper.name for claim in claims))
    return _divide(
        "all claims",
        sorted(judged, key=lambda one: _order(one.claim, papers)),
        lambda one: one.claim.paper.short,
        lambda one: one.claim.group.value,
        lambda one: one.claim.place,
    )


def _divide(name: str, judged: Sequence[Judged], *by: Callable[[Judged], str]) -> Verdicts:
    if not by:
        return Verdicts(name, judged)
    names = dict.fromkeys(by[0](one) for one in judged)
    parts = [_divide(n, [one for one in judged if by[0](one) == n], *by[1:]) for n in names]
    return Verdicts(name, judged, parts)


def _order(claim: Claim, papers: Sequence[str]) -> tuple[int, int, list[str | int]]:
    """Of paper, kind and place, where §5.10 comes after §5.2."""
    parts = [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", claim.place)]
    return papers.index(claim.paper.name), list(Group).index(claim.group), parts
