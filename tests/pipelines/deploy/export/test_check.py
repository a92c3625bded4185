"""The check: a graph's candidates and detections are held against PyTorch's."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from method.detection import Selection
from pipelines.deploy.export.check import Agreement, compare, compare_candidates, compare_detections
from pipelines.deploy.export.graph import add_metadata, export_graph
from tests.pipelines.deploy.export.graphs import (
    CATEGORIES,
    IMAGES,
    SPECS,
    calibrated,
    detections,
    tampered,
    without_detections,
)


@pytest.mark.parametrize("kind", SPECS)
def test_the_file_detects_what_pytorch_detects(exported, kind):
    detector, model = exported(kind)
    comparison = compare(detector, model, IMAGES)
    assert comparison.fault is None
    assert comparison.detections.pairs > 20
    for agreement in (comparison.candidates, comparison.detections):
        assert agreement.box_pixels < 0.01
        assert agreement.score < 1e-4


@pytest.mark.parametrize("kind", ["custom", "lapnet"])
def test_all_candidates_are_compared(exported, kind):
    detector, model = exported(kind)
    (scores,) = [v for v in model.graph.value_info if v.name == "candidate_scores"]
    count = scores.type.tensor_type.shape.dim[0].dim_value
    assert compare(detector, model, IMAGES).candidates.pairs == count * len(IMAGES)


@pytest.mark.parametrize("factor", [2, np.nan])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("custom", "detector.class_heads.0.weight"),
        ("custom", "detector.box_heads.0.weight"),
        ("lapnet", "detector.network.scores.4.bias"),
        ("lapnet", "detector.network.offsets.4.weight"),
    ],
)
def test_a_file_with_other_weights_is_told_though_neither_finds_anything(
    exported, kind, name, factor
):
    detector, model = copy.copy(exported(kind)[0]), without_detections(exported(kind)[1])
    selection = replace(detector.config.selection, score_floor=1)
    detector.config = replace(detector.config, selection=selection)
    right, wrong = (compare(detector, m, IMAGES) for m in (model, tampered(model, name, factor)))
    assert right.detections == wrong.detections == Agreement(0, 0.0, 0.0, 0)
    assert right.fault is None
    assert wrong.fault is not None
    assert "differs from PyTorch" in wrong.fault


@pytest.mark.parametrize(
    ("other", "alone"),
    [
        (detections((5.4, 0.9, 1), (30, 0.5, 2)), 0),
        (detections((30, 0.5005, 2), (5, 0.9, 1)), 0),
        (detections((5.6, 0.9, 1), (30, 0.5, 2)), 2),
        (detections((5, 0.902, 1), (30, 0.5, 2)), 2),
        (detections((5, 0.9, 2), (30, 0.5, 2)), 2),
        (detections((5, 0.9, 1), (5, 0.9, 1), (30, 0.5, 2)), 1),
        (detections((5, 0.9, 1)), 1),
        (detections(), 2),
    ],
)
def test_detections_apart_by_more_than_the_tolerance_stand_alone(other, alone):
    one = detections((5, 0.9, 1), (30, 0.5, 2))
    assert compare_detections(one, other, Selection()).alone == alone
    assert compare_detections(other, one, Selection()).alone == alone


def test_a_detection_on_the_verge_of_a_limit_may_be_missing():
    one, other = detections((5, 0.9, 1), (30, 0.5, 2)), detections((5, 0.9, 1), (70, 0.4995, 1))
    assert compare_detections(one, other, Selection()).alone == 2
    assert compare_detections(one, other, Selection(most=2)).alone == 0
    assert compare_detections(one, other, Selection(score_floor=0.4995)).alone == 0


def every(*rows):
    """All candidates of PyTorch, of `x, score, label`, best first."""
    return detections(*sorted(rows, key=lambda row: -row[1]))


KNOWN = every((5, 0.9, 1), (30, 0.5, 2), (50, 0.01, 1), (60, 0.01, 2), (70, 0.0, 1))


@pytest.mark.parametrize(
    ("found", "pairs", "alone"),
    [
        (detections((5, 0.9, 1), (30, 0.5, 2), (60, 0.01, 2)), 3, 0),
        (detections((5, 0.9, 1), (30, 0.5, 2), (50, 0.01, 1), (60, 0.01, 2), (9, 0.0, 1)), 4, 0),
        (detections((5.6, 0.9, 1), (30, 0.5, 2)), 1, 1),
        (detections((5, 0.9, 2), (30, 0.5, 2)), 1, 1),
        (detections((5, 0.9, 1), (30, 0.501, 2)), 1, 1),
        (detections((5, 0.9, 1), (30, 0.5, 2), (50, 0.0101, 1)), 2, 1),
        (detections((5, 0.9, 1), (50, 0.01, 1)), 1, 1),
        (detections((5, 0.9, 1), (30, 0.5, 2), (50, 0.01, 1), (60, 0.01, 2), (70, 0.1, 1)), 4, 1),
        (detections((5, 0.9, 1), (30, float("nan"), 2)), 1, 1),
        (detections((5, 0.9, 1), (float("nan"), 0.5, 2)), 1, 1),
    ],
)
def test_candidates_are_looked_up_with_box_score_class_and_order(found, pairs, alone):
    agreement = compare_candidates(found, KNOWN, Selection())
    assert (agreement.pairs, agreement.alone) == (pairs, alone)


def test_a_check_that_compared_nothing_is_a_failure():
    blind = calibrated(SPECS["original"])
    with torch.no_grad():
        for head in blind.class_heads:
            head.weight.zero_()
            head.bias.copy_(torch.tensor([200.0, 0, 0, 0]).repeat(len(head.bias) // 4))
    model = export_graph(blind)
    add_metadata(model, blind, CATEGORIES, {})
    fault = compare(blind, model, IMAGES).fault
    assert fault is not None
    assert "no image has a candidate to compare" in fault
