"""The commands around a run: the one that made it, and those that come next."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from pipelines.own_data.adaptation import without_auto
from pipelines.runs.parameters import read_parameters, workbench_spec
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError


def training_command(spec: RunSpec) -> str:
    """The line that trains this run on the workbench.

    It names what differs from the run's profile, and what the profile would search for again.
    """
    named = {"profile": spec.profile, "detector": spec.detector}
    plain = {**read_parameters(), **dict.fromkeys(f.name for f in fields(RunSpec)), **named}
    try:
        settings, searched = without_auto(plain)
        usual = workbench_spec(settings)
    except UserError:  # the profile is gone from params.yaml
        usual, searched = RunSpec(), []
    changes = {
        f.name: getattr(spec, f.name)
        for f in fields(RunSpec)
        if getattr(spec, f.name) != getattr(usual, f.name) or f.name in searched
    }
    words = [f"{name}={_value(value)}" for name, value in {**named, **changes}.items()]
    return shlex.join(
        ["dvc", "exp", "run", *(w for word in words for w in ("-S", word)), "workbench"]
    )


def export_command(run: str) -> str:
    """The line that makes one ONNX file of a run."""
    return shlex.join(["python", "-m", "pipelines.export", run, "--out", "mine.onnx"])


def predict_command(model: str, score: float) -> str:
    """The line that looks for objects in other photographs, from a score on."""
    words = ["python", "-m", "pipelines.predict", model, "path/to/photographs", "--out", "found"]
    return shlex.join([*words, "--score", f"{score:.2f}"])


def _value(value: Any) -> str:
    """As `-S NAME=VALUE` takes it; null would mean what the profile says."""
    if value is None:
        return "none"
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Sequence):
        return f"[{','.join(_value(part) for part in value)}]"
    return json.dumps(value)
