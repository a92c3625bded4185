"""Committed runs trained again and compared with what they were."""

from __future__ import annotations

import random
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path

import pandas as pd
import torch

from pipelines.data.prepared import load_prepared
from pipelines.data.preparing import ensure_prepared
from pipelines.detectors.build import build_detector
from pipelines.detectors.weights import weights_fingerprint
from pipelines.evaluation.run import run
from pipelines.evidence.audit.comparison import (
    check_run,
    differences,
    explain,
    figures,
    within_intervals,
)
from pipelines.runs.folder import RECORD, RunFolder
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.machine import choose_device
from pipelines.system.paths import RESULTS
from pipelines.training.step import to_batch
from pipelines.training.tensorflow import tensorflow_errors


class Verdict(StrEnum):
    """What an audit says of a run."""

    AGREES = "agrees"
    DISAGREES = "disagrees"
    NOT_HERE = "cannot be audited here"


@dataclass(frozen=True)
class Finding:
    """One run's line in the report; AP in percent, NaN where there is none."""

    run: str
    promise: str
    """`bitwise` or `statistical`."""
    verdict: Verdict
    reason: str = ""
    committed_ap: float = float("nan")
    new_ap: float = float("nan")


@dataclass(frozen=True)
class Choice:
    """Which runs of a study are trained again."""

    names: Sequence[str] = ()
    """These; at random if there are none."""
    count: int = 3
    """How many at random."""
    seed: int = 0
    """Of the random order."""


def audit_study(profile: str, choice: Choice, keep: Path | None = None) -> bool:
    """Train chosen runs again and print how they compare; whether as many agree as were asked for.

    Args:
        profile: of params.yaml.
        choice: which runs.
        keep: leave the new runs there.

    Raises:
        UserError: there are no such runs, or not as many.
    """
    runs = RESULTS / profile / "runs"
    order = committed_runs(runs, choice.names)
    wanted = len(order) if choice.names else choice.count
    if not 1 <= wanted <= len(order):
        raise UserError(f"--runs must be 1 to {len(order)}, not {wanted}")
    if not choice.names:
        random.Random(choice.seed).shuffle(order)
    with nullcontext(keep) if keep else tempfile.TemporaryDirectory() as place:
        findings = list(audit(runs, order, wanted, Path(place)))
    print(report(findings))
    return sum(f.verdict is Verdict.AGREES for f in findings) == wanted


def committed_runs(runs: Path, names: Sequence[str] = ()) -> list[str]:
    """The named runs in a study's `runs` folder, each once; all of them, in order, without names.

    Raises:
        UserError: one is not there, or none at all.
    """
    there = sorted(path.parent.name for path in runs.glob(f"*/{RECORD}"))
    if not there:
        studies = ", ".join(sorted({p.parts[-4] for p in RESULTS.glob(f"*/runs/*/{RECORD}")}))
        raise UserError(f"{runs.parent.name}: no committed runs; there are those of {studies}")
    if unknown := [name for name in names if name not in there]:
        raise UserError(f"no run {unknown[0]!r}; there are {', '.join(there)}")
    return list(dict.fromkeys(names or there))


def audit(runs: Path, order: Iterable[str], wanted: int, place: Path) -> Iterator[Finding]:
    """Train runs again, one after another, until `wanted` of them are compared.

    Args:
        runs: the study's committed runs.
        order: their names, those beyond `wanted` to be taken where one cannot be audited here.
        wanted: how many.
        place: where the new run folders go, as `audit-NAME`.
    """
    compared = 0
    for name in order:
        if compared == wanted:
            return
        finding = _audit_named(runs, name, place, f"run {compared + 1} of {wanted}: {name}")
        print(f"{name}: {finding.verdict}", file=sys.stderr, flush=True)
        compared += finding.verdict is not Verdict.NOT_HERE
        yield finding


def _audit_named(runs: Path, name: str, place: Path, title: str) -> Finding:
    committed = RunFolder(runs / name)
    try:
        check_run(committed)
    except UserError as error:
        return Finding(name, "", Verdict.DISAGREES, str(error))
    record, ap = committed.record(), figures(committed)["AP"]
    duration = timedelta(seconds=round(record.cost.training_seconds))
    print(f"{title}, trained in {duration} then", file=sys.stderr, flush=True)
    promise = record.spec.entry.agreement(record.machine.device_type, choose_device().type)
    try:
        check_at_hand(record.spec)
    except UserError as error:
        return Finding(name, promise, Verdict.NOT_HERE, str(error), ap)
    new = RunFolder(place / f"audit-{name}")
    try:
        train_again(record.spec, new.path)
    except UserError as error:
        return Finding(name, promise, Verdict.DISAGREES, f"now it does not train: {error}", ap)
    if promise == "bitwise":
        differing = differences(committed, new)
        agrees, reason = not differing, ", ".join(differing)
    else:
        agrees, reason = within_intervals(committed, new)
    new_ap = figures(new)["AP"]
    if agrees:
        return Finding(name, promise, Verdict.AGREES, reason, ap, new_ap)
    reason += f": {explain(committed, new)}"
    return Finding(name, promise, Verdict.DISAGREES, reason, ap, new_ap)


def check_at_hand(spec: RunSpec) -> None:
    """Make the data ready and build the detector once.

    Raises:
        UserError: the data set, the first weights or the detector's library is not here.
    """
    with tensorflow_errors():
        training = load_prepared(ensure_prepared(spec.preparation), "train")
        weights_fingerprint(spec.init)
        calibration = to_batch(training.images[:1], torch.device("cpu"))
        build_detector(spec, len(training.class_names), calibration)


def train_again(spec: RunSpec, folder: Path) -> None:
    """Train a run from its specification.

    The checkpoint bears the folder's name: of another name than the run's, an interrupted audit is
    taken up again, and the study's own training is left alone.
    """
    threads = torch.get_num_threads()
    try:
        run(spec, folder)
    finally:
        torch.set_num_threads(threads)


def report(findings: Sequence[Finding]) -> str:
    """The findings as a table in Markdown, and the number of each verdict."""
    columns = ["run", "class", "verdict", "AP, committed", "AP, new", "reason"]
    rows = [
        (f.run, f.promise, f.verdict, *(f"{ap:.2f}" for ap in (f.committed_ap, f.new_ap)), f.reason)
        for f in findings
    ]
    table = pd.DataFrame(rows, columns=columns).replace("nan", "—")
    counts = ", ".join(f"{sum(f.verdict is v for f in findings)} {v}" for v in Verdict)
    return (
        f"{table.to_markdown(index=False, disable_numparse=True)}\n\nRuns by verdict: {counts}.\n"
    )
