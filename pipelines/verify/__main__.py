"""Check committed results without training: `python -m pipelines.verify [PROFILE ...]`.

Five levels, every finding named by its file:
  files    all of them against SHA256SUMS
  runs     the hashes inside each run, from params.yaml to its files
  ledger   computed anew from the match records
  rebuilt  tables, claims and plots built anew, and compared byte for byte
  scored   where the data set is prepared, detections matched anew with the truth

The runs are shared by all cores. `--fast` stops after the ledger, before any resampling.
The exit code is 0 if all is well, 1 if something was found, 2 for bad input.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

import yaml

from pipelines.errors import UserError, run_cli
from pipelines.ledger import write_ledger
from pipelines.plan import RESULTS, profile_settings, read_parameters, study
from pipelines.runtime import REPOSITORY
from pipelines.verify.rebuild import (
    BUILDS,
    Papers,
    build,
    compare_built,
    compare_ledgers,
    compare_timings,
    compute_run,
    open_study,
)
from pipelines.verify.records import check_runs
from pipelines.verify.rescore import check_sizes, start_scoring
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


def verify(
    profile: str, committed: Path, papers: Papers, data: Path, pool: Executor, fast: bool = False
) -> Iterator[Level]:
    """Check a profile's results, level by level.

    What the next level needs is begun before a level is given out, so that several profiles can
    keep one pool busy.

    Args:
        profile: its name in params.yaml.
        committed: its results.
        papers: papers.yaml.
        data: where prepared data sets lie.
        pool: where runs are computed and results are built.
        fast: files, runs and ledger alone.
    """
    count, findings = check_sums(committed)
    yield Level("files", f"{count} against {SUMS}", findings)
    declared = study(read_parameters(), profile)
    runs = committed / "runs"
    by_run = check_runs(runs, declared)
    sound = [name for name in declared if by_run.get(name) == []]
    computing = [pool.submit(compute_run, runs / name, fast) for name in sound]
    yield Level(
        "runs",
        f"{len(by_run)} of the {len(declared)} that params.yaml declares",
        [finding for findings in by_run.values() for finding in findings],
    )
    computed = {name: run.result() for name, run in zip(sound, computing, strict=True)}
    scored = {name: run for name, run in computed.items() if not isinstance(run, str)}
    with tempfile.TemporaryDirectory() as place:
        ledger = Path(place) / "ledger.csv"
        write_ledger([run.row for run in scored.values()], ledger)
        findings = [run for run in computed.values() if isinstance(run, str)]
        findings += compare_ledgers(committed / "ledger.csv", ledger, by_run)
        level = Level("ledger", f"{len(scored)} runs computed from their match records", findings)
        if fast or not scored:
            yield level
            return
        samples = {name: run.samples for name, run in scored.items() if run.samples}
        own = open_study(profile, committed, Path(place), samples)
        whole = len(scored) == len(by_run)
        building = [pool.submit(build, what, own, papers, committed) for what in BUILDS if whole]
        left_out, rescoring = start_scoring(runs, list(scored), data, pool)
        yield level
        if whole:
            failed = dict(zip(BUILDS, (job.result() for job in building), strict=True))
            built, findings = compare_built(Path(place), committed, failed)
            findings += compare_timings(committed)
            yield Level("rebuilt", f"{built} files built from runs and timings", findings)
        else:
            yield Level("rebuilt", "left out until all runs are sound")
        findings = [finding for job in rescoring if (finding := job.result())]
        findings += check_sizes(own, committed / "figures", data)
        yield Level("scored", f"{len(rescoring)} runs scored anew{left_out}", findings)


def report(levels: Iterable[Level], profile: str) -> Iterator[int]:
    """Print the levels as they come; how many findings each has."""
    for level in levels:
        print(f"{profile}  {level.name:8} {level.done}", flush=True)
        for finding in level.findings:
            print(f"    FOUND {finding}")
        yield len(level.findings)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("profiles", nargs="*", metavar="PROFILE", help=f"{' and '.join(PROFILES)}")
    parser.add_argument("--fast", action="store_true", help="checksums and ledger alone")
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
        reports = [
            report(verify(p, RESULTS / p, papers, REPOSITORY / "data", pool, arguments.fast), p)
            for p in profiles
        ]
        in_turn = list(zip_longest(*reports, fillvalue=0))
    found = dict(zip(profiles, map(sum, zip(*in_turn, strict=True)), strict=True))
    checked = "of files, runs and ledger all is" if arguments.fast else "all is"
    for profile, count in found.items():
        print(f"{profile}: " + (f"{count} findings" if count else f"{checked} as it was made"))
    sys.exit(1 if any(found.values()) else 0)


if __name__ == "__main__":
    run_cli(main)
