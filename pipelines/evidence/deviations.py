"""The page of deviations: every way in which runs depart from their papers, numbered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from pipelines.detectors.registry import DETECTRON2
from pipelines.evaluation.bootstrap import describe_difference, widened_difference
from pipelines.evidence.conditions import CONDITIONS, Condition, Paper
from pipelines.evidence.study import Study
from pipelines.runs.spec import DetectorName, RunSpec

RIVALS = {
    *DETECTRON2,
    DetectorName.SSD_MOBILENET_V2_TF,
    DetectorName.SSDLITE,
    DetectorName.RETINANET_TORCHVISION,
}


def deviations(study: Study, papers: Mapping[str, Any]) -> pd.DataFrame:
    """One row a deviation: number, subject, the paper, this profile, runs, and measured effect.

    Args:
        study: the profile's study.
        papers: papers.yaml.
    """
    of_paper = {
        Paper.SSD: [s for s in study.specs.values() if _is_own_ssd(s)],
        Paper.LAPNET: [s for s in study.specs.values() if s.detector is DetectorName.LAPNET],
    }
    rows = [
        _condition_row(condition, specs)
        for paper, specs in of_paper.items()
        for condition in CONDITIONS[paper]
    ]
    released = papers[Paper.SSD]["released"]
    own = [item for item in released["rows"].items() if item[1]["row"] != released["reference"]]
    for number, (label, row) in enumerate(own, start=1):
        reference = row.get("reference", released["reference"])
        rows.append(_released_row(f"R{number}", label, study, row["row"], reference))
    rows += [
        {"number": number, "subject": choice["subject"], "paper": choice["paper"],
         "here": choice["here"], "runs": "", "effect on AP [95 %]": "not measured"}
        for number, choice in papers["choices"].items()
    ]  # fmt: skip
    return pd.DataFrame([row for row in rows if row["runs"] != "0"])


def _is_own_ssd(spec: RunSpec) -> bool:
    return spec.detector is not DetectorName.LAPNET and spec.detector not in RIVALS


def _condition_row(condition: Condition, specs: Iterable[RunSpec]) -> dict[str, str]:
    here = Counter(str(condition.here(s)) for s in specs if not condition.alike(s))
    return {
        "number": condition.number,
        "subject": condition.name,
        "paper": condition.paper,
        "here": "; ".join(f"{value} (runs: {count})" for value, count in here.most_common()),
        "runs": str(here.total()),
        "effect on AP [95 %]": "not measured",
    }


def _released_row(
    number: str, label: str, study: Study, row: str, reference: str
) -> dict[str, str]:
    """What the released code does otherwise, with its effect where its row is trained."""
    effect = widened_difference(
        study.samples(row), study.samples(reference), "AP", study.seed_spread("AP")
    )
    return {
        "number": number,
        "subject": "released code",
        "paper": "its text says otherwise",
        "here": f"{label} (row {row} alone)",
        "runs": str(len(study.runs(row))),
        "effect on AP [95 %]": describe_difference(effect) if effect else "not measured",
    }
