"""Committed results checked without training, level by level, on all cores."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from pipelines.evidence.figures.draw import sizes_file
from pipelines.evidence.ledger import write_ledger
from pipelines.evidence.papers import Papers, read_papers
from pipelines.evidence.trained_code import changed_since
from pipelines.evidence.verify.rebuild import (
    BUILDS,
    build,
    compare_built,
    compare_ledgers,
    compare_timings,
    compute_run,
    open_study,
)
from pipelines.evidence.verify.records import check_runs
from pipelines.evidence.verify.rescore import check_sizes, start_scoring
from pipelines.evidence.verify.seals import SUMS, check_sums, write_sums
from pipelines.runs.folder import RunFolder
from pipelines.runs.parameters import declared_runs, profile_settings, read_parameters
from pipelines.system.errors import UserError
from pipelines.system.paths import DATA, RESULTS

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
        papers: of `read_papers`.
        data: where prepared data sets lie.
        pool: where runs are computed and results are built.
        fast: files, runs and ledger alone.
    """
    count, findings = check_sums(committed)
    yield Level("files", f"{count} against {SUMS}", findings)
    declared = declared_runs(read_parameters(), profile)
    runs = committed / "runs"
    by_run = check_runs(runs, declared)
    sound = [name for name in declared if by_run.get(name) == []]
    computing = [pool.submit(compute_run, runs / name, fast) for name in sound]
    changes = changed_since([RunFolder(runs / name).record().code for name in sound])
    yield Level(
        "runs",
        f"{len(by_run)} of the {len(declared)} that params.yaml declares"
        + (f"; {changes}" if changes else ""),
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
            built, findings = compare_built(Path(place), committed, failed, papers)
            findings += compare_timings(committed)
            yield Level("rebuilt", f"{built} files built from runs and timings", findings)
        else:
            yield Level("rebuilt", "left out until all runs are sound")
        findings = [finding for job in rescoring if (finding := job.result())]
        if name := sizes_file(papers):
            findings += check_sizes(own, committed / "figures" / name, data)
        yield Level("scored", f"{len(rescoring)} runs scored anew{left_out}", findings)


def report(levels: Iterable[Level], profile: str) -> Iterator[int]:
    """Print the levels as they come; how many findings each has."""
    for level in levels:
        print(f"{profile}  {level.name:8} {level.done}", flush=True)
        for finding in level.findings:
            print(f"    FOUND {finding}")
        yield len(level.findings)


def verify_all(profiles: Sequence[str], *, fast: bool) -> bool:
    """Check profiles side by side and print what is found, as it is found; whether nothing is.

    Args:
        profiles: names in params.yaml; `PROFILES` if there are none.
        fast: stop after the ledger, before any resampling.

    Raises:
        UserError: one has no committed runs.
    """
    wanted = _committed(profiles)
    papers = read_papers()
    with ProcessPoolExecutor() as pool:
        reports = [report(verify(p, RESULTS / p, papers, DATA, pool, fast), p) for p in wanted]
        in_turn = list(zip_longest(*reports, fillvalue=0))
    found = dict(zip(wanted, map(sum, zip(*in_turn, strict=True)), strict=True))
    checked = "of files, runs and ledger all is" if fast else "all is"
    for profile, count in found.items():
        print(f"{profile}: " + (f"{count} findings" if count else f"{checked} as it was made"))
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
