"""Tables 1 and 2 must come out as the papers print them; trained tables are exact queries."""

import pandas as pd
import pytest

from pipelines.evidence.papers import read_papers
from pipelines.evidence.tables import (
    alignment,
    not_timed,
    receptive_fields,
    speed_table,
    write_table,
)
from pipelines.runs.parameters import read_parameters

PAPERS = read_papers()
PAPER = PAPERS["scale_aware_ssd"]


def test_table_1_equals_the_paper():
    table = receptive_fields(PAPER.tables["table1"])
    assert len(table) == 18
    assert (table["receptive field"] == table["receptive field, paper"]).all()
    assert (table["output"] == table["output, paper"]).all()


def test_table_2_equals_the_paper_but_for_its_slip():
    table = alignment(PAPER.tables["table2"])
    assert list(table["custom, field"][:4]) == ["43", "107", "139", "203"]
    assert list(table["custom, field, paper"][:4]) == ["43", "107", "141", "207"]
    assert list(table["original, field"][:4]) == ["299", "491", "555", "683"]
    # 43/25 = 1.72, 107/38 = 2.82, 139/58 = 2.40, 203/87 = 2.33; their mean 2.32.
    assert list(table["custom, A-score"]) == ["1.7", "2.8", "2.4", "2.3", "2.3"]
    assert table["custom, A-score"].iloc[-1] == table["custom, A-score, paper"].iloc[-1]


def test_table_4_sets_each_detector_beside_the_paper():
    measured = pd.DataFrame(
        {
            "detector": ["scale-aware-ssd", "ssd-mobilenet-v2", "another"],
            "precision": ["bf16", "bf16", "bf16"],
            "postprocessing": [True, False, True],
            "median_ms": [25.0, 31.25, 1.0],
            "p95_ms": [30.0, 40.0, 1.0],
            "frames_a_second": [40.0, 32.0, 1.0],
            "ratio_to_original": [1.25, 1.0, 1.0],
            "ratio_low": [1.2, 1.0, 0.5],
            "ratio_high": [1.375, 1.0, 2.0],
            "parameters": [1_750_688, 3_524_768, 1],
            "flops_an_image": [2_128_609_280, 3_153_461_248, 1],
            "weights": ["a", "b", "c"],
            "device": ["CPU X", "CPU X", "CPU X"],
            "threads": [2, 2, 2],
        }
    )
    custom, original, other = speed_table(PAPER.tables["table4"], PAPER.device, measured).to_dict(
        "records"
    )
    assert (other["frames/s, paper (RTX 3090)"], other["× original, paper"]) == ("", "")
    assert (custom["frames/s, paper (RTX 3090)"], custom["frames/s"]) == ("200", "40.0")
    # 200/153 = 1.307
    assert custom["× original, paper"] == "1.31"
    assert custom["× original [95 %]"] == "1.25 [1.20, 1.38]"
    assert (custom["decoding and NMS"], original["decoding and NMS"]) == ("yes", "no")
    assert (original["frames/s, paper (RTX 3090)"], original["× original, paper"]) == (
        "153",
        "1.00",
    )
    assert (custom["GFLOPs"], custom["parameters, M"]) == ("2.13", "1.75")
    assert custom["device"] == "CPU X, threads: 2"


def test_a_detector_that_was_not_timed_says_what_it_needs(tmp_path):
    speed = pd.DataFrame({"detector": ["scale-aware-ssd", "ssd-mobilenet-v2-tf"]})
    speed.to_csv(tmp_path / "speed.csv")
    assert not_timed(PAPER.tables["table4"], tmp_path) == []
    speed[:1].to_csv(tmp_path / "speed.csv")
    assert not_timed(PAPER.tables["table4"], tmp_path) == [
        "ssd-mobilenet-v2-tf is not timed: it needs TensorFlow's environment, Python 3.11."
    ]


def test_a_table_is_written_in_three_forms(tmp_path):
    write_table(tmp_path, "t", pd.DataFrame({"a": ["x_1"], "b": [2]}), "Caption", "A remark.")
    assert (tmp_path / "t.csv").read_text() == "a,b\nx_1,2\n"
    assert "| x_1 | 2   |" in (tmp_path / "t.md").read_text()
    assert r"x\_1 & 2 \\" in (tmp_path / "t.tex").read_text()
    assert "A remark." in (tmp_path / "t.tex").read_text()


def test_every_row_of_a_table_is_declared():
    declared = set(read_parameters()["rows"])
    for _, table in PAPERS.tables.values():
        assert set(table.trained.values()) <= declared


def test_lapnet_s_per_class_values_average_to_its_table():
    table = PAPERS["lapnet"].tables["table1"]
    for label, mean in (
        ("LapNet512 (DarkNet-53 in the paper)", 81.7),
        ("LapNet512 Inception-ResNet-v2", 83.26),
    ):
        values = table.rows[label].per_class
        assert len(values) == len(table.classes) == 20
        half_a_digit = 0.0051 if mean == 83.26 else 0.051
        assert sum(values) / 20 == pytest.approx(mean, abs=half_a_digit)
