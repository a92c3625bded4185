"""A table's cells come from the runs of its rows and from nothing else."""

from dataclasses import replace

import pytest

from pipelines.data.dataset_spec import Fold
from pipelines.evaluation.voc import Definition, voc_ap
from pipelines.evidence.paper_tables import read_table
from pipelines.evidence.papers import Paper
from pipelines.evidence.trained_tables import (
    COULD_TELL,
    POOLED,
    class_columns,
    mean_a_score,
    trained_table,
)
from pipelines.runs.spec import RunSpec
from tests.pipelines.random_cases import pycocotools_figures, random_case

PAPER = Paper("a.yaml", "a", "A", "A paper", 2020)
ENTRY = {
    "title": "Table 1",
    "file": "table1",
    "caption": "Samplers",
    "factor": "sampler",
    "reference": "plain",
    "rows": {
        "basic": {"row": "plain", "AP": 36, "AP50": 82},
        "dns": {"row": "dns", "AP": [33.2, 1.9, 37.3], "AP50": 86},
        "1:1": {"row": "absent", "AP": 34, "AP50": 79},
    },
}
TABLE = read_table("table1", ENTRY, "a test")


def test_a_row_is_the_mean_spread_and_best_of_its_own_runs(study):
    table = trained_table(PAPER, TABLE, study).set_index("sampler")
    # mean 32; deviation sqrt((4 + 4) / 1) = 2.83
    assert table.loc["dns", "AP"] == "32.0 ± 2.8, best 34.0"
    assert table.loc["dns", "AP, paper"] == "33.2 ± 1.9, best 37.3"
    assert (table.loc["dns", "n"], table.loc["1:1", "n"]) == ("2", "0")
    assert table.loc["1:1", "AP50"] == "no run"


def test_a_row_without_runs_says_what_its_detector_needs(study):
    rival = RunSpec.parse({"detector": "ssd-mobilenet-v2-tf", "precision": "fp32"}, "a test")
    own = replace(study, specs={**study.specs, "absent-s0": rival})
    table = trained_table(PAPER, TABLE, own).set_index("sampler")
    assert table.loc["1:1", "AP"] == "no run: it needs TensorFlow's environment, Python 3.11"
    assert table.loc["1:1", "AP50"] == "no run"
    assert table.loc["dns", "AP"] == "32.0 ± 2.8, best 34.0"


def test_rows_over_parts_have_the_ap_of_all_their_detections_beside_the_mean(study):
    assert POOLED not in trained_table(PAPER, TABLE, study)
    folded = {
        n: replace(s, fold=Fold(str(s.seed)))
        for n, s in study.specs.items()
        if n.startswith("dns-s")
    }
    own = replace(study, specs={**study.specs, **folded})
    table = trained_table(PAPER, TABLE, own).set_index("sampler")
    (truth, found), (more_truth, more_found) = random_case(2), random_case(3)
    shift = 1 + max(image["id"] for image in truth["images"])
    both = {
        "images": truth["images"] + [{**i, "id": i["id"] + shift} for i in more_truth["images"]],
        "categories": truth["categories"],
        "annotations": truth["annotations"]
        + [
            {**a, "id": a["id"] + 10_000, "image_id": a["image_id"] + shift}
            for a in more_truth["annotations"]
        ],
    }
    found = found + [{**d, "image_id": d["image_id"] + shift} for d in more_found]
    assert table.loc["dns", POOLED] == f"{100 * pycocotools_figures(both, found)[0]:.1f}"
    assert table.loc["basic", POOLED] == ""
    assert table.loc["basic", "ΔAP [95 %]"] == "reference"
    assert "photographs tested (each part against one part)" in str(table.loc["dns", "ΔAP [95 %]"])


def test_differences_are_to_the_reference_row(study):
    table = trained_table(PAPER, TABLE, study).set_index("sampler")
    assert table.loc["basic", "ΔAP [95 %]"] == "reference"
    assert table.loc["1:1", "ΔAP [95 %]"] == "—"
    point = {row: study.samples(row) for row in ("dns", "plain")}
    mean = sum(point["dns"][s].point["AP"] - point["plain"][s].point["AP"] for s in (0, 1)) / 2
    assert str(table.loc["dns", "ΔAP [95 %]"]).startswith(f"{mean:+.1f} [")


def test_an_unfair_pair_has_no_difference_but_a_reason(study):
    longer = {n: replace(s, iterations=700) if "dns" in n else s for n, s in study.specs.items()}
    table = trained_table(PAPER, TABLE, replace(study, specs=longer)).set_index("sampler")
    assert table.loc["dns", "ΔAP [95 %]"] == (
        "no fair pair here: unequal images seen (5,600 against 4,800)"
    )
    assert table.loc["dns", "ΔAP50 [95 %]"] == "no fair pair"
    assert table.loc["dns", "AP"] == "32.0 ± 2.8, best 34.0"


def test_the_paper_s_own_noise_says_which_differences_it_could_tell(study):
    repeated = {"row": "plain", "AP": [36, 1.9, 39], "AP50": [82, 2.7, 86]}
    printed = read_table("n", {**ENTRY, "rows": {"basic": repeated}}, "a test")
    noisy = replace(PAPER, noise="n", tables={"n": printed})
    table = trained_table(noisy, TABLE, study).set_index("sampler")
    assert table.loc["basic", COULD_TELL] == "reference"
    assert "z" in str(table.loc["dns", COULD_TELL])
    assert COULD_TELL not in trained_table(PAPER, TABLE, study)


def test_the_a_score_is_in_pixels_of_the_run_s_own_input():
    # Table 2 of the paper at 512; at 256 the anchors are half as large, the fields are not.
    assert mean_a_score(RunSpec(input_size=512)) == pytest.approx(2.32, abs=0.01)
    assert mean_a_score(RunSpec(input_size=256)) == pytest.approx(4.63, abs=0.01)


def test_a_row_that_the_paper_only_cites_has_its_value_and_no_run(study):
    cited = {"YOLO": {"AP": 30}, "ours": {"row": "plain"}}
    table = trained_table(
        PAPER, read_table("t", {**ENTRY, "rows": cited}, "a test"), study
    ).set_index("sampler")
    assert table.loc["YOLO", "AP, paper"] == "30"
    assert (
        list(table.loc["YOLO", ["AP", "n", "ΔAP [95 %]", "differs from the paper in"]]) == [""] * 4
    )
    assert table.loc["ours", "n"] == "2"


def test_class_columns_are_voc_s_ap_of_each_class_over_the_runs(study):
    rows = {"a": {"row": "dns", "per_class": [71.5]}, "b": {}}
    entry = {**ENTRY, "reference": "dns", "classes": ["class 2"], "rows": rows}
    columns = class_columns(read_table("t", entry, "a test"), study)
    assert list(columns) == ["class 1", "class 2, paper", "class 2", "class 3"]
    values = [voc_ap(study.matches(f"dns-s{i}"), "class 1", Definition.VOC07) for i in (0, 1)]
    assert str(columns.loc[0, "class 1"]).startswith(f"{sum(values) / 2:.1f} ±")
    assert columns.loc[0, "class 2, paper"] == "71.5"
    assert list(columns.loc[1]) == ["", "", "", ""]
