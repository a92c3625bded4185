"""`agreement.md`: how far a study that was made here agrees with the committed one."""

from __future__ import annotations

import pandas as pd

from pipelines.evidence.agreement.comparison import METRIC, Agreement, Pair, compare
from pipelines.evidence.agreement.places import Places
from pipelines.evidence.expected import Comparison, hold_against_ranges
from pipelines.system.files import write_whole

PAGE = "agreement.md"


def tell(places: Places) -> bool:
    """Write the page where there is something to compare with, and say its verdict.

    Returns:
        Whether every run lies in its row's expected range.

    Raises:
        UserError: there is no ledger yet, or a row without a range.
    """
    outside = hold_against_ranges(places.profile)
    if places.committed.exists():
        agreement = compare(places.committed, places.results)
        page = places.results / PAGE
        write_whole(page, text(places.profile, agreement, outside))
        print(f"{agreement.verdict} See {page.relative_to(places.repository)}")
    return not outside


def text(profile: str, agreement: Agreement, outside: list[Comparison]) -> str:
    """The page, as Markdown."""
    committed, here = agreement.machines
    parts = [
        f"# How far `{profile}` agrees with what was committed",
        f"**{agreement.verdict}**",
        f"Committed from: {'; '.join(sorted(committed)) or 'nothing that was compared'}. "
        f"Made here on: {'; '.join(sorted(here)) or 'nothing that was compared'}.",
        "Runs of the class *bitwise* repeat to the last bit on processors like the one they were "
        "committed from. Others add up in another order; a training makes of that what another "
        "seed does.",
    ]
    if agreement.differing:
        parts += ["## Runs that differ", _table(agreement)]
    if agreement.alone:
        parts.append(
            f"Not compared, as no committed run has their specification: "
            f"{', '.join(agreement.alone)}."
        )
    if agreement.left_out:
        parts.append(
            f"Not made here, so that the committed run stands in its place: "
            f"{', '.join(agreement.left_out)}."
        )
    parts += ["## Runs outside their expected range"]
    parts += [
        f"- {one.run}: {METRIC} {one.found:.1f}, expected {one.expected[0]:g} to "
        f"{one.expected[1]:g}"
        for one in outside
    ] or ["None."]
    return "\n\n".join(parts) + "\n"


def _table(agreement: Agreement) -> str:
    def row(pair: Pair) -> dict[str, str]:
        spread = agreement.spread
        return {
            "run": pair.run,
            "class": "bitwise" if pair.promised else "statistical",
            f"{METRIC} committed": f"{pair.committed:.1f}",
            "here": f"{pair.here:.1f}",
            "difference": f"{pair.difference:+.2f}",
            "in deviations of a seed": f"{pair.difference / spread.deviation:+.2f}"
            if spread and spread.deviation
            else "–",
        }

    rows = [row(pair) for pair in agreement.differing]
    return str(pd.DataFrame(rows).to_markdown(index=False, disable_numparse=True))
