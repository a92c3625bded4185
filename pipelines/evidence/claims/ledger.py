"""The ledger of claims: every claim with its answer, as a table and as a text to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from pipelines.evidence.claims import detections, findings, noise, timed, trained, untrained
from pipelines.evidence.claims.answers import Answer, Check, Evidence
from pipelines.evidence.claims.main_findings import MainFinding, answer_findings, findings_table
from pipelines.evidence.claims.statements import Claim, Group, read_claims
from pipelines.evidence.claims.summary import write_summary
from pipelines.evidence.claims.verdicts import EQUAL_MARGIN, SAME_SPEED, SPEED_MARGIN, Verdict
from pipelines.evidence.papers import Paper, Papers, read_papers
from pipelines.evidence.study import Study
from pipelines.system.errors import UserError
from pipelines.system.files import write_whole

CHECKS: Mapping[str, Check] = {
    "value": trained.check_value,
    "compare": trained.check_comparison,
    "interaction": trained.check_interaction,
    "repeats": trained.check_repeats,
    "protocol": trained.check_protocol,
    "converge": findings.check_convergence,
    "sooner": findings.check_sooner,
    "spread": findings.check_spread,
    "weights": findings.check_anchor_weights,
    "correlate": findings.check_correlation,
    "duplicates": detections.check_duplicates,
    "localisation": detections.check_localisation,
    "frames": timed.check_frames,
    "speed": timed.check_speed,
    "derived": untrained.check_derived,
    "printed": untrained.check_printed,
    "significant": untrained.check_significance,
    "told": noise.check_told,
    "told-size": noise.check_told_size,
    "told-apart": noise.check_told_apart,
    "sizes": untrained.check_sizes,
    "dataset": untrained.check_dataset,
    "missing": untrained.check_missing,
}
"""Kind of check to the function that answers it; a claim names one of them."""

COLUMNS = (
    "paper",
    "place",
    "claim",
    "published",
    "ours",
    "interval",
    "n",
    "data",
    "difference",
    "verdict",
    "why",
    "group",
    "source",
)
RULES = f"""How a verdict comes about:

- What a paper prints stands for all that rounds to it.
- **A difference** is paired over seeds and test images, with a 95 % interval that Student's t
  widens for how few seeds there are. Fewer than five take the spread of all rows that have several;
  where none has, one seed knows nothing of it. It excludes zero on the paper's
  side: *reproduced* if it holds the published size and is narrower than it, else *partly*. It
  excludes zero on the other side: *contradicted*. It includes zero: *inconclusive*, with the seeds
  it would take (power 0.8, α 0.05) where the spread between seeds is known.
- **Equal** or **no lower** allows {EQUAL_MARGIN:g} point: the interval within it is *reproduced*,
  wholly beyond it *contradicted*, else *inconclusive*.
- **An absolute value** is judged only where the run shares all of the paper's conditions: the
  interval meets it or not. Elsewhere it is *not testable here*, and what differs is named.
- **A ratio of speeds** is the median over rounds that timed both, its interval between two of these
  rounds (binomial, 95 %). It excludes 1 on the paper's side: *reproduced* if it comes within
  {SPEED_MARGIN:.0%} of the published ratio, else *partly*; on the other side: *contradicted*. It
  includes 1: *inconclusive*. Equally fast is what lies within {SAME_SPEED:.0%}.
- Rows that were tested on other photographs or did not see as many images, and detectors of which
  one alone starts from random weights, are **no fair pair**: their difference is *not testable
  here*.
- What **a paper's own noise** lets it tell: a difference of its printed figures is *reproduced* if
  luck alone gives as much in fewer than one comparison of twenty, by the standard deviation of a
  run that its {{noise}} prints, else *inconclusive*.
- **Arithmetic** and what follows from the network must come out as printed.

A verdict is about these data and this budget, each claim for itself: among many intervals of 95 %
some miss by chance.
"""


def _rules(papers: Papers) -> str:
    """`RULES`, with the table that prints how far a paper's runs lie apart."""
    tables = (paper.noise_table for paper in papers)
    return RULES.format(noise=next((table.title for table in tables if table), "own table"))


def answer(claim: Claim, evidence: Evidence) -> Answer:
    """The answer of the one check that the claim names.

    Raises:
        UserError: it names none, or several, or what the paper's file does not have.
    """
    kinds = [kind for kind in CHECKS if kind in claim.check]
    if len(kinds) != 1:
        raise UserError(
            f"{claim.paper.file}: {claim.source}: a claim names one check of {', '.join(CHECKS)}, "
            f"not {', '.join(kinds) or 'none'}"
        )
    try:
        return CHECKS[kinds[0]](claim.check, evidence)
    except KeyError as error:
        raise UserError(
            f"{claim.paper.file}: {claim.source}: there is no {error}; name a table, a row or a "
            "parameter of the check that is there"
        ) from error


def answer_all(papers: Papers, study: Study, claims: Sequence[Claim] | None = None) -> pd.DataFrame:
    """One row a claim: `COLUMNS`."""
    rows = []
    for claim in read_claims(papers) if claims is None else claims:
        given = answer(claim, Evidence(study, claim.paper))
        said = {name: getattr(given, name) for name in COLUMNS if hasattr(given, name)}
        rows.append(
            {
                "paper": claim.paper.name,
                "place": claim.place,
                "claim": claim.text,
                **said,
                "group": claim.group.value,
                "source": claim.place_in_file,
            }
        )
    return pd.DataFrame(rows, columns=list(COLUMNS)).fillna("")


def write_claims(table: pd.DataFrame, study: Study, papers: Papers) -> None:
    """`claims.csv`, `claims.md` and `summary.md` in the study's folder."""
    findings = answer_findings(papers, table, study.runs_by_row)
    write_whole(study.folder / "claims.csv", table.to_csv(index=False))
    write_whole(study.folder / "claims.md", write_text(table, study, papers, findings))
    write_whole(study.folder / "summary.md", write_summary(table, study, papers, findings))


def write_text(
    table: pd.DataFrame, study: Study, papers: Papers, findings: Sequence[MainFinding]
) -> str:
    """The ledger in Markdown: main findings, verdicts counted, the rules, then every claim."""
    parts = [
        f"# The papers' claims, answered by `{study.profile}`\n",
        *([f"**{study.notice}**\n"] if study.notice else []),
        "## Main findings\n",
        findings_table(findings),
        "## All claims, counted\n",
        _count(table, papers),
        _warn(table),
        _rules(papers),
    ]
    for paper in papers:
        parts += [f"## {paper.short}\n", _conditions(study, paper)]
        for group in Group:
            own = table[(table["paper"] == paper.name) & (table["group"] == group)]
            if len(own):
                parts.append(f"### {paper.short}: {group.value}\n")
                parts += [
                    _place(str(place), of_place)
                    for place, of_place in own.groupby("place", sort=False)
                ]
    return "\n".join(parts)


def _count(table: pd.DataFrame, papers: Papers) -> str:
    """Verdicts by paper and group."""
    counts = (
        table.groupby(["paper", "group", "verdict"])
        .size()
        .unstack(fill_value=0)
        .reindex(columns=[v.value for v in Verdict], fill_value=0)
    )
    order = [(p.name, g.value) for p in papers for g in Group if (p.name, g.value) in counts.index]
    shown = counts.loc[order].reset_index()
    shown["paper"] = shown["paper"].map({p.name: p.short for p in papers})
    return f"{shown.rename(columns={'group': 'claims'}).to_markdown(index=False)}\n"


def _warn(table: pd.DataFrame) -> str:
    """How many judged differences rest on one seed."""
    judged = table[(table["interval"] != "") & (table["verdict"] != Verdict.NOT_TESTABLE.value)]
    compared = judged[judged["group"] == Group.STATEMENT.value]
    alone = (compared["n"] == "1").sum()
    return f"Of {len(compared)} differences judged by an interval, {alone} rest on a single seed.\n"


def _conditions(study: Study, paper: Paper) -> str:
    """The paper's experiments beside the profile's settings, before any row's change."""
    rows = [
        {"condition": c.label, "paper": c.paper, "here": c.describe(study.spec)}
        for c in paper.conditions
    ]
    if not rows:
        return ""
    return f"{pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True)}\n"


def _place(place: str, own: pd.DataFrame) -> str:
    shown = own[[c for c in COLUMNS if c not in ("paper", "place", "group", "source")]]
    shown = shown.loc[:, [c for c in shown if c in ("claim", "verdict") or (shown[c] != "").any()]]
    return f"**{place}**\n\n{shown.to_markdown(index=False, disable_numparse=True)}\n"


def make_claims(profile: str) -> None:
    """Every claim held against a profile's study, and written beside its ledger.

    Raises:
        UserError: there is no such profile, or no ledger yet.
    """
    study = Study.open(profile)
    papers = read_papers()
    table = answer_all(papers, study)
    write_claims(table, study, papers)
    counts = table["verdict"].value_counts()
    print(f"{len(table)} claims: " + ", ".join(f"{n} {verdict}" for verdict, n in counts.items()))
