"""What code trained the runs of a study, and what of it has changed since."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

from pipelines.evidence.study import Study
from pipelines.runs.record import Code
from pipelines.system.machine import code_state
from pipelines.system.paths import REPOSITORY

TRAINING_CODE = (
    "method",
    "baselines",
    "pipelines/system",
    "pipelines/data",
    "pipelines/runs",
    "pipelines/detectors",
    "pipelines/training",
    "pipelines/evaluation",
)
"""Folders with the code that a training runs."""


def commit_name(code: Code) -> str:
    """The commit in seven digits, with a `+` where the code differed from it."""
    return f"{(code.commit or 'none')[:7]}{'+' if code.changed else ''}"


def changed_since(codes: Sequence[Code], repository: Path = REPOSITORY) -> str:
    """How many runs other code has trained than lies here, and where it differs.

    That is no fault: figures follow from the records. Only `audit` can tell what it would change.

    Args:
        codes: what trained each run.
        repository: whose history is asked for their commits.

    Returns:
        A sentence without its full stop; empty where all are of the code that lies here.
    """
    here = code_state()["code_hash"]
    others = [code for code in codes if code.code_hash != here]
    if not others:
        return ""
    commits = dict.fromkeys(None if code.changed else code.commit for code in others)
    found = {commit: _changed_files(commit, repository) for commit in commits}
    files = [file for own in found.values() for file in own or ()]
    folders = [f for f in TRAINING_CODE if any(file.startswith(f"{f}/") for file in files)]
    unknown = sum(found[None if code.changed else code.commit] is None for code in others)
    since = [f"changed since: {', '.join(folders)}"] if folders else []
    if unknown:
        since += [f"of {unknown} it cannot be told what, as their commits are not known here"]
    since = since or ["nothing that a training runs has changed since"]
    return f"{len(others)} runs were trained by other code than lies here; {'; '.join(since)}"


def study_changes(study: Study) -> str:
    """`changed_since` of all runs in the ledger."""
    return changed_since([study.run(name).record().code for name in study.ledger["run"]])


def _changed_files(commit: str | None, repository: Path) -> list[str] | None:
    """Files of `TRAINING_CODE` that differ from a commit; None where it is not known here."""
    if commit is None:
        return None
    command = ["git", "-C", str(repository), "diff", "--name-only", "--relative", commit, "--"]
    try:
        done = subprocess.run(
            [*command, *TRAINING_CODE], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return None
    return done.stdout.splitlines() if done.returncode == 0 else None
