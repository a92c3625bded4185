"""What a study cost, from two rows whose sums are done by hand."""

import json
from pathlib import Path

import pandas as pd
import pytest

from pipelines.evidence.costs import costs
from pipelines.evidence.study import Study
from pipelines.runs.spec import RunSpec
from tests.pipelines.records import COST, MACHINE, record_of

RUNS = {
    # seconds, images, images/s, MiB, threads, joules
    "small-s0": (600, 4800, 8.0, 2048, 1, 7200),
    "small-s1": (1200, 4800, 4.0, 3072, 2, 10800),
    "large-s0": (5400, 2400, 0.4, 512, 2, 36000),
}
COMMITS = {"small-s0": "0123456789", "small-s1": "0123456789", "large-s0": None}


def study_of(folder: Path, *, energy: bool) -> Study:
    for name, (seconds, images, rate, memory, threads, joules) in RUNS.items():
        (folder / "runs" / name).mkdir(parents=True)
        cost = COST | {
            "training_seconds": seconds,
            "training_images": images,
            "images_a_second": rate,
            "peak_memory_mib": memory,
            **({"joules": joules} if energy else {}),
        }
        machine = MACHINE | {"device": "chip", "threads": threads}
        code = {"commit": COMMITS[name], "changed": threads == 2, "code_hash": "abc"}
        record = record_of(RunSpec(), name, cost=cost, machine=machine, code=code)
        (folder / "runs" / name / "run.json").write_text(json.dumps(record))
    ledger = pd.DataFrame({"run": list(RUNS), "row": [name[:-3] for name in RUNS]})
    return Study("quick", {}, {}, ledger, folder)


@pytest.mark.parametrize("energy", [False, True])
def test_costs_by_hand(tmp_path, energy):
    table = costs(study_of(tmp_path, energy=energy)).set_index("row")
    assert list(table.index) == ["small", "large", "together"]
    small = table.loc["small"]
    assert small["hours"] == "0.50"
    assert small["images"] == "9,600"
    assert small["images/s"] == "6.0"
    assert small["peak memory, GiB"] == "3.0"
    assert small["one more seed, minutes"] == "15.0"
    assert small["device"] == "chip, threads: 1; chip, threads: 2"
    assert small["commits"] == "0123456 (runs: 1), 0123456+ (runs: 1)"
    assert table.loc["large", "commits"] == "none+"
    together = table.loc["together"]
    assert (together["runs"], together["hours"]) == ("3", "2.0")
    assert together["one more seed, minutes"] == "105"
    assert list(table["energy, Wh"]) == (["5.0", "10.0", "15.0"] if energy else ["", "", ""])
