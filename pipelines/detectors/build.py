"""From a specification to the detector it names, built and initialised."""

from __future__ import annotations

from dataclasses import fields
from pkgutil import resolve_name
from urllib.error import URLError

import torch
from torch import Tensor

from method.detector import Detector
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError


def build_detector(spec: RunSpec, classes: int, calibration: Tensor) -> Detector:
    """The detector of a run with its first weights.

    Args:
        spec: the run.
        classes: foreground classes of the data set.
        calibration: B×3×S×S `uint8` training images, for weights whose batch norms were folded.

    Raises:
        UserError: the specification does not fit the detector or the data, or the weights cannot
            be had.
    """
    try:
        _refuse_unheeded(spec)
        _refuse_untrainable(spec)
        detector: Detector = resolve_name(spec.entry.builder)(spec, classes, calibration)
    except ValueError as error:
        raise UserError(f"run with {spec.detector}: {error}") from None
    except URLError as error:
        raise UserError(
            f"init: {spec.init} cannot be downloaded ({error.reason}); give a file of weights, "
            "or none"
        ) from None
    return detector


def network_cost(detector: Detector, image: Tensor) -> dict[str, int]:
    """Parameters, and floating-point operations of the network in one 1×3×S×S image."""
    parameters = sum(p.numel() for p in detector.parameters())
    with torch.compiler.set_stance("force_eager"):
        return {"parameters": parameters, "flops_an_image": detector.flops(image)}


def _refuse_unheeded(spec: RunSpec) -> None:
    """Settings that would change nothing are an error."""
    changed = spec.changes()
    for own in fields(spec):
        others = own.metadata["of"]
        if others and own.name in changed and own.name not in spec.entry.settings:
            raise ValueError(f"{own.name} belongs to {others}; leave it out")


def _refuse_untrainable(spec: RunSpec) -> None:
    """So is what the detector's trainer does not have."""
    entry = spec.entry
    for name, allowed in (("precision", entry.precisions), ("schedule", entry.schedules)):
        value = getattr(spec, name)
        if value not in allowed:
            raise ValueError(f"it trains with {name} {' or '.join(allowed)} alone, not {value}")
