"""What the papers' own experiments would cost, worked out from the runs that were trained here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from pipelines.data.published.catalogue import PUBLISHED
from pipelines.evidence.study import Study
from pipelines.runs.parameters import declared_runs
from pipelines.runs.spec import DetectorName, RunSpec

SPEEDUP = 200
"""Of a GPU over the machine here: assumed, until a run on one is in the ledger."""
DOLLARS = 3.0
"""A GPU's hour."""
FLEETS = (1, 8, 64)
DAY, GIGA = 24 * 3600, 1e9

REMARK = (
    f"One GPU is taken for {SPEEDUP} times the machine of this study, at ${DOLLARS:g} an hour; "
    "both are assumptions. A detector that was not trained here is reckoned by its floating-point "
    "operations, and by those of LapNet or the SSD for its kind. Runs are independent: N GPUs take "
    "an Nth of the time, but never less than the longest run takes alone, which is what breaks "
    "first; beyond it, only several processes on one run help (`torchrun`). Every worker needs the "
    "prepared data once, which it can make itself from the data set; what it sends back is its "
    "weights and some megabytes of records."
)


def forecast(
    study: Study, parameters: Mapping[str, Any], timed: pd.DataFrame, profiles: Sequence[str]
) -> pd.DataFrame:
    """Time, price and storage of each profile of the papers' own experiments.

    Args:
        study: of the runs whose speed is known.
        parameters: params.yaml.
        timed: what `speed.csv` holds, for the operations of detectors that were not trained.
        profiles: of params.yaml, with the papers' own experiments.
    """
    return pd.DataFrame(
        [_profile(name, declared_runs(parameters, name), study, timed) for name in profiles]
    )


def seconds_here(spec: RunSpec, study: Study, timed: pd.DataFrame) -> float:
    """Of one training on the machine of the study, by operations where it was not trained."""
    ledger = study.ledger
    alike = ledger[ledger["detector"] == spec.detector]
    if alike.empty:
        alike = ledger[ledger["detector"] == DetectorName.SCALE_AWARE_SSD]
    rate = float((alike["images_a_second"] * alike["flops_an_image"]).median())
    return spec.images_seen * _operations(spec, study, timed) / rate


def _operations(spec: RunSpec, study: Study, timed: pd.DataFrame) -> float:
    """Of one image at the run's size."""
    flops = dict(zip(timed["detector"], timed["flops_an_image"], strict=True))
    return float(flops[_timed_name(spec, timed)]) * (spec.input_size / study.spec.input_size) ** 2


def _timed_name(spec: RunSpec, timed: pd.DataFrame) -> str:
    """A detector's in `speed.csv`, where LapNet on a heavy backbone has a name of its own."""
    heavy = f"{spec.detector}-{spec.backbone}"
    return heavy if heavy in set(timed["detector"]) else str(spec.detector)


def _profile(
    name: str, specs: Mapping[str, RunSpec], study: Study, timed: pd.DataFrame
) -> dict[str, str]:
    runs = [seconds_here(spec, study, timed) for spec in specs.values()]
    hours = [seconds / SPEEDUP / 3600 for seconds in runs]
    spans = {n: max(sum(hours) / n, max(hours)) for n in FLEETS}
    parameters = dict(zip(timed["detector"], timed["parameters"], strict=True))
    names = [_timed_name(spec, timed) for spec in specs.values()]
    weights = 4 * sum(parameters[detector] for detector in names)
    prepared = {
        (s.dataset, s.input_size): 3 * s.input_size**2 * _images(s.dataset) for s in specs.values()
    }
    return {
        "profile": name,
        "runs": str(len(specs)),
        "images seen": f"{sum(s.images_seen for s in specs.values()):,}",
        "days here": f"{sum(runs) / DAY:,.0f}",
        **{f"{n} GPU{'s' if n > 1 else ''}, hours": f"{span:,.0f}" for n, span in spans.items()},
        "longest run, hours": f"{max(hours):,.0f}",
        "price, $": f"{sum(hours) * DOLLARS:,.0f}",
        "prepared data, GB": f"{sum(prepared.values()) / GIGA:.1f}",
        "weights, GB": f"{weights / GIGA:.1f}",
    }


def _images(dataset: str) -> int:
    return sum(counts.images for counts in PUBLISHED[dataset].counts.values())
