"""Check committed results without training: `python -m pipelines.verify [PROFILE ...]`.

Five levels, every finding named by its file:
  files    all of them against SHA256SUMS
  runs     the hashes inside each run, from params.yaml to its files
  ledger   computed anew from the match records
  rebuilt  tables, claims and plots built anew, and compared byte for byte
  scored   where the data set is prepared, detections matched anew with the truth

The exit code is 0 if all is well, 1 if something was found, 2 for bad input.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import yaml

from pipelines.errors import UserError, run_cli
from pipelines.plan import RESULTS, profile_settings, read_parameters, study
from pipelines.runtime import REPOSITORY
from pipelines.verify.rebuild import (
    Papers,
    compare_ledgers,
    compare_timings,
    open_study,
    rebuild,
    rebuild_ledger,
)
from pipelines.verify.records import check_runs
from pipelines.verify.rescore import check_sizes, score_anew
from pipelines.verify.seals import SUMS, check_sums, write_sums

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


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profiles", nargs="*", metavar="PROFILE", help=f"{' and '.join(PROFILES)}")
    parser.add_argument("--seal", action="store_true", help="write SHA256SUMS instead")
    arguments = parser.parse_args()
    profiles = list(dict.fromkeys(arguments.profiles or PROFILES))
    for profile in profiles:
        profile_settings(read_parameters(), profile)
        if not (RESULTS / profile / "runs").is_dir():
            raise UserError(f"results/{profile}/runs: there are no committed runs")
    if arguments.seal:
        for profile in profiles:
            print(f"{write_sums(RESULTS / profile)} files in results/{profile}/SHA256SUMS")
        return
    papers = yaml.safe_load((REPOSITORY / "papers.yaml").read_text(encoding="utf-8"))
    with ProcessPoolExecutor() as pool:
        levels = pool.map(partial(_verify_committed, papers=papers), profiles)
        found = {p: report(own, p) for p, own in zip(profiles, levels, strict=True)}
    for profile, count in found.items():
        print(f"{profile}: " + (f"{count} findings" if count else "all is as it was made"))
    sys.exit(1 if any(found.values()) else 0)


def _verify_committed(profile: str, papers: Papers) -> list[Level]:
    return list(verify(profile, RESULTS / profile, papers, REPOSITORY / "data"))


if __name__ == "__main__":
    run_cli(main)
