"""A small study with match records."""

import pandas as pd
import pytest

from pipelines.evaluation.coco import match_records
from pipelines.evidence.study import Study
from pipelines.runs.spec import RunSpec
from tests.pipelines.random_cases import random_case


@pytest.fixture
def study(tmp_path):
    runs = {
        "plain-s0": (20.0, 50.0),
        "plain-s1": (22.0, 52.0),
        "dns-s0": (30.0, 70.0),
        "dns-s1": (34.0, 71.0),
        "dns-more-s0": (99.0, 99.0),
    }
    rows = []
    for i, (name, (ap, ap50)) in enumerate(runs.items()):
        row, _, seed = name.rpartition("-s")
        rows.append({"run": name, "row": row, "seed": int(seed), "AP": ap, "AP50": ap50})
        (tmp_path / "runs" / name).mkdir(parents=True)
        records = match_records(*random_case(i))
        records.to_csv(tmp_path / "runs" / name / "matches.csv.gz", index=False)
    specs = {name: RunSpec(seed=int(name[-1])) for name in runs}
    return Study("quick", {"profile": "quick"}, specs, pd.DataFrame(rows), tmp_path)
