"""Committed results checked without training, level by level."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from pipelines.evidence.verify.rebuild import (
    Papers,
    compare_ledgers,
    compare_timings,
    open_study,
    rebuild,
    rebuild_ledger,
)
from pipelines.evidence.verify.records import check_runs
from pipelines.evidence.verify.rescore import check_sizes, score_anew
from pipelines.evidence.verify.seals import SUMS, check_sums, write_sums
from pipelines.runs.parameters import profile_settings, read_parameters, study
from pipelines.system.errors import UserError
from pipelines.system.paths import DATA, PAPERS, RESULTS

PROFILES = ("reference", "quick")


@dataclass(frozen=True)
class Level:
    """One level of the check."""

    name: str
    done: str
    """What was compared, or why nothing was."""
    findings: Sequence[str] = ()
    """One line each, beginning with the file."""


def verify(profile: str, committed: Path, papers: Papers, data: Path) -> Iterator[Level]:
    """Check a profile's results, level by level.

    Args:
        profile: its name in params.yaml.
        committed: its results.
        papers: papers.yaml.
        data: where prepared data sets lie.
    """
    count, findings = check_sums(committed)
    yield Level("files", f"{count} against {SUMS}", findings)
    declared = study(read_parameters(), profile)
    runs = committed / "runs"
    by_run = check_runs(runs, declared)
    sound = [name for name in declared if by_run.get(name) == []]
    yield Level(
        "runs",
        f"{len(by_run)} of the {len(declared)} that params.yaml declares",
        [finding for findings in by_run.values() for finding in findings],
    )
    with tempfile.TemporaryDirectory() as place:
        ledger = Path(place) / "ledger.csv"
        scored, findings = rebuild_ledger(runs, sound, ledger)
        findings += compare_ledgers(committed / "ledger.csv", ledger, by_run)
        yield Level("ledger", f"{len(scored)} runs computed from their match records", findings)
        if not scored:
            return
        own = open_study(profile, committed, Path(place))
        if len(scored) < len(by_run):
            yield Level("rebuilt", "left out until all runs are sound")
        else:
            built, findings = rebuild(own, committed, papers)
            findings += compare_timings(committed)
            yield Level("rebuilt", f"{built} files built from runs and timings", findings)
        done, findings = score_anew(runs, scored, data)
        findings += check_sizes(own, committed / "figures", data)
        yield Level("scored", done, findings)


def report(levels: Iterable[Level], profile: str) -> int:
    """Print the levels; how many findings there are."""
    total = 0
    for level in levels:
        print(f"{profile}  {level.name:8} {level.done}")
        for finding in level.findings:
            print(f"    FOUND {finding}")
        total += len(level.findings)
    return total


def verify_all(profiles: Sequence[str]) -> bool:
    """Check profiles side by side and print what is found; whether nothing is.

    Raises:
        UserError: one has no committed runs.
    """
    wanted = _committed(profiles)
    papers = yaml.safe_load(PAPERS.read_text(encoding="utf-8"))
    with ProcessPoolExecutor() as pool:
        levels = pool.map(partial(_verify_committed, papers=papers), wanted)
        found = {p: report(own, p) for p, own in zip(wanted, levels, strict=True)}
    for profile, count in found.items():
        print(f"{profile}: " + (f"{count} findings" if count else "all is as it was made"))
    return not any(found.values())


def seal_all(profiles: Sequence[str]) -> None:
    """Write the checksums of profiles that later checks hold them to.

    Raises:
        UserError: one has no committed runs.
    """
    for profile in _committed(profiles):
        print(f"{write_sums(RESULTS / profile)} files in results/{profile}/SHA256SUMS")


def _committed(profiles: Sequence[str]) -> list[str]:
    """The named profiles, each once, or `PROFILES`."""
    wanted = list(dict.fromkeys(profiles or PROFILES))
    for profile in wanted:
        profile_settings(read_parameters(), profile)
        if not (RESULTS / profile / "runs").is_dir():
            raise UserError(f"results/{profile}/runs: there are no committed runs")
    return wanted


def _verify_committed(profile: str, papers: Papers) -> list[Level]:
    return list(verify(profile, RESULTS / profile, papers, DATA))
