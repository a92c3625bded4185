"""LapNet's Figures 1 and 6 show what its runs, the clock and its learned weights say."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import same_color

from pipelines.evidence.figures import learned_weights, speed_accuracy
from pipelines.evidence.study import Study
from pipelines.runs.record import Record
from pipelines.runs.spec import DetectorName, RunSpec
from tests.pipelines.records import record_of

# Figure 1


def study_of(tmp_path, rows):
    columns = ["row", "seed", "detector", "AP", "input_size", "parameters"]
    return Study("quick", {}, {}, pd.DataFrame(rows, columns=columns), tmp_path)


@pytest.fixture
def study(tmp_path):
    return study_of(
        tmp_path,
        [
            ("plain", 0, "scale-aware-ssd", 30.0, 256, 2),
            ("plain", 1, "scale-aware-ssd", 34.0, 256, 2),
            ("tf", 0, "ssd-mobilenet-v2-tf", 10.0, 256, 4),
            ("lapnet", 0, "lapnet", 40.0, 256, 5),
            ("lapnet-large", 0, "lapnet", 50.0, 256, 99),
            ("retina", 0, "retinanet-r50", 20.0, 256, 7),
        ],
    )


def speed_of(*rows):
    columns = ["detector", "precision", "postprocessing", "median_ms", "parameters"]
    return pd.DataFrame(rows, columns=columns).assign(input_size=512)


SPEED = speed_of(
    ("scale-aware-ssd", "fp32", True, 9.0, 2),
    ("scale-aware-ssd", "bf16", True, 10.0, 2),
    ("scale-aware-ssd", "bf16", False, 8.0, 2),
    ("ssd-mobilenet-v2-tf", "fp32", True, 60.0, 4),
    ("lapnet", "bf16", True, 20.0, 5),
    ("retinanet-r50", "bf16", False, 70.0, 7),
)
ROWS = {"Ours": "plain", "TF": "tf", "LapNet": "lapnet", "large": "lapnet-large"}


def test_each_trained_row_stands_at_the_time_of_its_own_network_with_suppression(study):
    rows = ROWS | {"never trained": "none", "timed without suppression alone": "retina"}
    points = {p.label: p for p in speed_accuracy.trade_off(rows, study, SPEED)}
    # The large LapNet is another network than the one timed.
    assert list(points) == ["Ours", "TF", "LapNet"]
    # bf16 even where fp32 is faster.
    assert [p.milliseconds for p in points.values()] == [10, 60, 20]
    assert [p.precision for p in points.values()] == ["bf16", "fp32", "bf16"]
    assert points["Ours"].ap == (30, 34)


def test_the_drawn_mark_is_the_mean_and_its_line_reaches_from_the_worst_run_to_the_best(study):
    figure = speed_accuracy.draw(speed_accuracy.trade_off(ROWS, study, SPEED), "scenes")
    (axes,) = figure.axes
    line, mark = axes.lines[:2]
    assert np.array(line.get_xydata()).tolist() == [[10, 30], [10, 34]]
    assert np.array(mark.get_xydata()).tolist() == [[10, 32]]
    marks = {line.get_label(): line for line in axes.lines[1::2]}
    assert [
        label for label, m in marks.items() if same_color(m.get_markerfacecolor(), "white")
    ] == ["TF"]
    assert [label for label, m in marks.items() if m.get_marker() == "*"] == ["LapNet"]
    assert "512×512" in axes.get_xlabel()
    assert axes.get_ylabel() == "AP on scenes at 256×256, %"


@pytest.mark.parametrize(("slowest", "scale"), [(49.0, "linear"), (51.0, "log")])
def test_the_time_is_logarithmic_where_the_slowest_takes_five_times_the_fastest(
    study, slowest, scale
):
    speed = SPEED.replace({"median_ms": {60.0: slowest}})
    points = speed_accuracy.trade_off(ROWS, study, speed)
    assert speed_accuracy.draw(points, "scenes").axes[0].get_xscale() == scale


def test_without_a_timed_row_figure_1_is_left_out(study, capsys):
    assert speed_accuracy.trade_off(ROWS, study, SPEED.iloc[:0]) == []
    assert "speed against accuracy is left out" in capsys.readouterr().err


# Figure 6

ANCHORS = [[[9, 9]] * 3, [[8, 8]] * 3, [[4, 5], [1, 2], [3, 3]], [[2, 2], [3, 4], [1, 1]]]
OF_LOSSES = {"localisation": 1.5, "classification": 0.5}
OF_ANCHORS = {
    "grid_localisation": [[1, 1, 1], [1, 1, 1], [0.1, 0.3, 0.2], [5, 6, 4]],
    "grid_classification": [[1, 1, 1], [1, 1, 1], [0.7, 0.7, 0.7], [2, 1, 3]],
}


def learned(weights, *boxes):
    """The record of a LapNet with these weights and training boxes a class."""
    counts = dict(zip("abcd", boxes, strict=True))
    values = record_of(
        RunSpec(detector=DetectorName.LAPNET),
        "lapnet-s0",
        data={"splits": {"train": {"boxes_per_class": counts}}},
        learned={"anchors": ANCHORS, "weights": weights},
    )
    return Record.parse(values, "lapnet-s0")


RECORD = learned(OF_LOSSES | OF_ANCHORS, 5, 0, 9, 2)


def test_figure_6_shows_the_most_and_the_least_frequent_class_by_area():
    most, least = learned_weights.by_class(RECORD)
    # No object, no weight learned: b is not the least frequent.
    assert ((most.name, most.boxes), (least.name, least.boxes)) == (("c", 9), ("d", 2))
    assert most.areas.tolist() == [2, 9, 20]
    assert most.weights["localisation"].tolist() == [0.3, 0.2, 0.1]
    assert least.areas.tolist() == [1, 4, 12]
    assert least.weights["classification"].tolist() == [3, 2, 1]


def test_spearman_s_rho_stands_in_the_legend():
    classes = learned_weights.by_class(RECORD)
    panels = learned_weights.draw(classes).axes
    assert all(axes.get_legend() for axes in panels)
    texts = [axes.get_legend_handles_labels()[1] for axes in panels]
    assert texts == [
        ["c, 9 boxes: Spearman's ρ −1.00", "d, 2 boxes: Spearman's ρ +1.00"],
        ["c, 9 boxes: Spearman's ρ undefined", "d, 2 boxes: Spearman's ρ −1.00"],
    ]


def test_a_single_class_is_drawn_once():
    record = learned(OF_LOSSES | OF_ANCHORS, 0, 0, 9, 0)
    assert [c.name for c in learned_weights.by_class(record)] == ["c"]


def test_a_run_without_learned_anchor_weights_has_no_figure_6(capsys):
    assert learned_weights.by_class(learned(OF_LOSSES, 5, 0, 9, 2)) == []
    assert "lapnet-s0 has learned no anchor weights" in capsys.readouterr().err
