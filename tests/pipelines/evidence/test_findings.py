"""The text's claims from made-up histories, worked out by hand."""

import json
from dataclasses import replace

import pandas as pd
import pytest

from pipelines.evidence.findings import (
    anchor_scores,
    balance,
    converged_at,
    convergence,
    correlation,
    equal_cost,
)
from pipelines.evidence.paper_tables import Row, Table
from pipelines.evidence.papers import read_papers
from pipelines.evidence.study import NO_RUN, Study
from pipelines.runs.spec import RunSpec
from tests.pipelines.records import COST, record_of

TABLES = read_papers()["scale_aware_ssd"].tables


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([5, 19.5, 25, 20.5, 20], 40),  # 25 is outside: only from step 40 on it stays
        ([20, 20, 20, 20, 20], 10),
        ([1, 2, 3, 4, 20], 50),
        ([19, 21, 20, 20, 20], 10),  # exactly one point away counts as within
    ],
)
def test_convergence_is_the_step_from_which_all_stay_within_a_point(values, expected):
    assert converged_at([10, 20, 30, 40, 50], values) == expected


@pytest.fixture
def study(tmp_path):
    folder = tmp_path / "runs" / "sampler-dns-s0"
    folder.mkdir(parents=True)
    steps = pd.DataFrame(
        {
            "step": [10, 20, 30, 40],
            "positives": [100.0, 100.0, 100.0, 100.0],
            "negatives": [900.0, 300.0, 100.0, 50.0],
        }
    )
    validated = pd.DataFrame({"step": [20, 40], "validation_AP": [8.0, 10.0]})
    pd.concat([steps, validated]).to_csv(folder / "history.csv", index=False)
    record = record_of(RunSpec(batch_size=8), data={"splits": {"train": {"images": 80}}})
    (folder / "run.json").write_text(json.dumps(record))
    ledger = pd.DataFrame([{"run": "sampler-dns-s0", "row": "sampler-dns", "seed": 0}])
    return Study("quick", {}, {"sampler-dns-s0": RunSpec()}, ledger, tmp_path)


def test_epochs_follow_from_the_size_of_the_training_set(study):
    table = convergence(TABLES["convergence"], study).set_index("sampler")
    # 80 images in batches of 8: ten steps an epoch.
    assert (table.loc["dns", "iterations"], table.loc["dns", "epochs"]) == ("40.0", "4.0")
    assert table.loc["basic (3:1)", "iterations"] == "no run"


def test_the_minibatch_is_averaged_over_each_stretch(study):
    dns = balance(TABLES["balance"], study, parts=(0.5, 1.0)).set_index("sampler").loc["dns"]
    # steps 10 and 20: 100 positives, 600 negatives; steps 30 and 40: 100 and 75
    assert (dns["length, 0%-50%"], dns["ratio, 0%-50%"]) == ("700", "6.00")
    assert dns["ratio, 50%-100%"] == "0.75"


@pytest.mark.parametrize(
    ("operations", "reached"),
    [(100, "9.0"), (199, "7.0"), (250, "4.0"), (500, "not yet validated")],
)
def test_a_dearer_row_is_stopped_at_the_cost_of_the_reference(operations, reached, tmp_path):
    """Which is 100 an image; both are validated after each quarter of their steps."""
    rows = {name: Row(name, {}, row=name) for name in "abc"}
    table = Table("t", "T", "t", "", rows=rows, factor="detector", reference="a")
    curve = pd.DataFrame({"step": [10, 20, 30, 40], "validation_AP50": [4.0, 7.0, 8.0, 9.0]})
    curve["validation_AP"] = 1.0
    for name, flops in (("a", 100), ("b", operations)):
        folder = tmp_path / "runs" / f"{name}-s0"
        folder.mkdir(parents=True)
        curve.to_csv(folder / "history.csv", index=False)
        record = record_of(RunSpec(), cost={**COST, "flops_an_image": flops})
        (folder / "run.json").write_text(json.dumps(record))
    ledger = pd.DataFrame([{"run": f"{name}-s0", "row": name, "seed": 0} for name in "ab"])
    study = Study("quick", {}, {}, ledger, tmp_path)
    made = equal_cost(table, study)
    assert made is not None
    assert made["validation AP50, at equal cost"].tolist() == ["9.0", reached, ""]
    assert made["validation AP50, at the end"].tolist() == ["9.0", "9.0", NO_RUN]
    assert equal_cost(replace(table, reference="c"), study) is None


def test_correlation_of_a_line_and_of_too_few():
    row = correlation([1.0, 2.0, 3.0, 4.0], [10.0, 20.0, 30.0, 41.0])
    assert row["Pearson's r [95 %]"].startswith("+1.00 [")
    assert row["Spearman's ρ"] == "+1.00"
    assert correlation([1.0, 2.0, 3.0], [1.0, 2.0, 3.0])["Spearman's ρ"] == "too few"


def test_the_paper_s_own_table_5_shows_no_reliable_correlation():
    # A-score against AP50 of Table 5: the interval of six points holds zero.
    text = correlation([1.9, 2.3, 1.9, 1.9, 2.2, 2.1], [74, 79, 79, 79, 75, 78])
    low, high = text["Pearson's r [95 %]"].split("[")[1].strip("]").split(",")
    assert float(low) < 0 < float(high)


def test_the_seeds_of_an_anchor_set_are_one_point(tmp_path):
    sets = {"a": (20.0, 41, 81, 164), "b": (25.0, 38, 58, 87), "c": (30.0, 45, 60, 80)}
    specs = {f"{name}-s0": RunSpec(input_size=512, anchors=sides) for name, sides in sets.items()}
    runs = [("a", 0, 10, 30), ("a", 1, 14, 40), ("b", 0, 9, 31)]
    ledger = pd.DataFrame(runs, columns=["row", "seed", "AP", "AP50"])
    found = anchor_scores(Study("quick", {}, specs, ledger, tmp_path), list(sets))
    assert found[["AP", "AP50"]].to_numpy().tolist() == [[12, 35], [9, 31]]
    assert found["A-score"].round(1).tolist() == [1.9, 2.3]  # as the paper's Table 5 has them


def test_a_set_of_anchors_that_saw_more_images_is_no_point_beside_the_others(tmp_path):
    sets = {"a": (20.0, 41, 81, 164), "b": (25.0, 38, 58, 87), "c": (30.0, 45, 60, 80)}
    specs = {f"{name}-s0": RunSpec(input_size=512, anchors=sides) for name, sides in sets.items()}
    specs["b-s0"] = replace(specs["b-s0"], iterations=300)
    runs = [("a", 0, 10, 30), ("b", 0, 9, 31), ("c", 0, 8, 32)]
    ledger = pd.DataFrame(runs, columns=["row", "seed", "AP", "AP50"])
    found = anchor_scores(Study("quick", {}, specs, ledger, tmp_path), ["b", "a", "c"])
    assert found["AP"].tolist() == [10, 8]
