"""Which detectors can be had on this machine."""

from __future__ import annotations

from baselines.tf_od import environment as tensorflow
from pipelines.runs.registry import Trainer
from pipelines.runs.spec import RunSpec


def lacking(spec: RunSpec) -> str | None:
    """What a run's detector needs and this machine does not have; None if it has all."""
    return tensorflow.missing() if spec.entry.trainer is Trainer.TENSORFLOW else None
