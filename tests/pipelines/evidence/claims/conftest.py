"""A small study with match records, and a way to ask it one claim."""

import json
import shutil
from dataclasses import replace

import pandas as pd
import pytest

from pipelines.evaluation.coco import match_records
from pipelines.evidence.claims.answers import Evidence
from pipelines.evidence.claims.ledger import answer, answer_all
from pipelines.evidence.claims.statements import Claim, Group
from pipelines.evidence.papers import read_papers
from pipelines.evidence.study import Study
from pipelines.runs.spec import RunSpec
from tests.pipelines.random_cases import random_case
from tests.pipelines.records import record_of

PAPERS = read_papers()


def is_a_run(folder, spec, seed, ap, step):
    """A run folder with random records, a validation curve that settles at `step`, and a record."""
    folder.mkdir(parents=True)
    match_records(*random_case(seed)).to_csv(folder / "matches.csv.gz", index=False)
    curve = pd.DataFrame({"step": [step // 2, step, 400], "validation_AP": [0.0, ap, ap]})
    curve.to_csv(folder / "history.csv", index=False)
    counts = {"images": 80, "boxes": 30, "boxes_per_class": {"class 1": 10, "class 2": 20}}
    record = record_of(spec, folder.name, data={"splits": {"train": counts}})
    (folder / "run.json").write_text(json.dumps(record))


RUNS = {"dns-s0": 30.0, "dns-s1": 34.0, "basic-s0": 20.0, "basic-s1": 22.0, "one-s0": 9.0}
"""Name to AP; `dns` settles at step 100, `basic` at 300 and 320, `one` saw fewer images."""
SETTLED = {"dns-s0": 100, "dns-s1": 100, "basic-s0": 300, "basic-s1": 320, "one-s0": 300}


@pytest.fixture(scope="package")
def study(tmp_path_factory):
    """To be looked at alone."""
    folder = tmp_path_factory.mktemp("study")
    specs, rows = {}, []
    for i, (name, ap) in enumerate(RUNS.items()):
        row, _, seed = name.rpartition("-s")
        specs[name] = RunSpec(seed=int(seed), iterations=100 if row == "one" else 400)
        is_a_run(folder / "runs" / name, specs[name], i, ap, SETTLED[name])
        rows.append({"run": name, "row": row, "seed": int(seed), "AP": ap, "AP50": ap})
    ledger = pd.DataFrame(rows).assign(dataset="scenes")
    return Study("quick", {"profile": "quick"}, specs, ledger, folder)


@pytest.fixture
def own_study(study, tmp_path):
    """To be changed."""
    shutil.copytree(study.folder, tmp_path, dirs_exist_ok=True)
    return replace(study, folder=tmp_path, ledger=study.ledger.copy())


@pytest.fixture(scope="package")
def table(study):
    return answer_all(PAPERS, study)


@pytest.fixture(scope="session")
def ask():
    """`ask(study, **check)`: the answer to a claim of the SSD's paper with this check."""

    def of(study, **check):
        paper = PAPERS["scale_aware_ssd"]
        claim = Claim(paper, "§1", "It is so", Group.STATEMENT, "claims/x", check)
        return answer(claim, Evidence(study, paper))

    return of
