"""Figures, sizes and the choice of photographs, by hand and against pycocotools."""

import math

import pytest

from pipelines.data.records import CocoSplit
from pipelines.data.tiling import Tiling
from pipelines.evaluation.coco import FIGURES
from pipelines.own_data.run_page.photographs import choose, draw_photographs
from pipelines.own_data.run_page.scored import Scored, SizeRange
from tests.pipelines.own_data.run_page.two_photographs import (
    A1,
    B1,
    FOUND,
    Drawn,
    make_split,
    results,
)
from tests.pipelines.random_cases import pycocotools_figures, random_case


def scored(found=FOUND, **changes):
    """At an input of 64 pixels, where an object's side is 6.4."""
    return Scored(make_split(**changes), results(found), 64)


@pytest.mark.parametrize("seed", range(4))
def test_figures_of_all_and_of_each_class_are_pycocotools(seed):
    dataset, detections = random_case(seed)
    named = [{**image, "file_name": "x"} for image in dataset["images"]]
    whole = Scored(CocoSplit.from_coco({**dataset, "images": named}), detections, 512)
    assert [own.objects for own in whole.classes] == sorted(
        (own.objects for own in whole.classes), reverse=True
    )
    for name, figures in [(None, whole.score.figures)] + [
        (own.name, own.figures) for own in whole.classes
    ]:
        kept = [c for c in dataset["categories"] if name in (None, c["name"])]
        expected = pycocotools_figures({**dataset, "categories": kept}, detections)
        for figure, value in zip(FIGURES, expected, strict=True):
            if value == -1:
                assert math.isnan(figures[figure])
            else:
                assert figures[figure] == pytest.approx(100 * value, abs=1e-9)


def test_the_ladder_holds_coco_ap_and_starts_below_a_half():
    steps = scored().ladder
    assert list(steps) == [f"{0.05 * k:.2f}" for k in range(2, 20)]
    # From 0.10 to 0.30 LOCATION, whose overlap is 1/3, is true: 51 + 50 · 2/3 of 101, and 17.
    assert steps["0.30"] == pytest.approx(100 * (51 + 100 / 3 + 17) / 2 / 101, abs=1e-3)
    assert steps["0.50"] == pytest.approx(scored().score.figures["AP50"], abs=1e-3)
    upper = [steps[f"{0.05 * k:.2f}"] for k in range(10, 20)]
    assert sum(upper) / 10 == pytest.approx(scored().score.figures["AP"], abs=1e-3)


def test_in_tiles_objects_keep_their_size_and_as_many_detections_count_as_in_all_tiles():
    # Objects of 10 px on photographs of 100 px, whose tiles of 64 px start at 0 and 36.
    whole = Scored(make_split(), results(FOUND), 64, Tiling(64))
    assert whole.sizes == [SizeRange(8, 16, 5, 2, 2)]
    assert whole.most == 100 * 4
    # Of which a tile of 32 px is seen at twice its size.
    assert Scored(make_split(), results(FOUND), 64, Tiling(32)).sizes == [
        SizeRange(16, 32, 5, 2, 2)
    ]
    assert scored().most == 100
    more = [{**results(FOUND)[0], "score": 0.5 - k / 1000} for k in range(150)]
    assert len(Scored(make_split(), more, 64, Tiling(64)).records.dropna(subset="score")) == 150
    assert len(Scored(make_split(), more, 64).records.dropna(subset="score")) == 100


def test_recall_by_size_by_hand():
    # Five objects of side 6.4; A1 and B2 are found, both at their class's threshold.
    assert scored().sizes == [SizeRange(4, 8, 5, 2, 2)]
    # One of 32·16 pixels of the input is 22.6 a side. a's best F1 is at 0.9, which leaves it out.
    wide = (2, 1, (0.0, 40.0, 50.0, 25.0))
    found = [
        (1, 1, A1, 0.9),
        *((1, 1, (60.0, 10.0 * k, 5.0, 5.0), 0.5) for k in range(3)),
        (2, 1, wide[2], 0.1),
    ]
    two = scored(found, objects=[(1, 1, A1), wide])
    assert two.thresholds.tolist() == [0.9, math.inf]
    assert two.sizes == [SizeRange(4, 8, 1, 1, 1), SizeRange(16, 32, 1, 1, 0)]


def test_photographs_are_ranked_by_f1_at_the_thresholds():
    # First: A1 found, BACKGROUND false, A2 and B1 missed: 2/5. Second: B2 found, B3 missed: 2/3.
    page = scored()
    assert page.thresholds.tolist() == [0.9, 0.3]
    assert choose(page.in_use) == ([0], [1])
    assert choose(page.in_use, 0) == ([], [])


def test_a_photograph_with_nothing_on_it_is_neither_good_nor_bad():
    empty = scored([(2, 1, A1, 0.9)], objects=[(2, 1, A1), (3, 2, B1)], images=3)
    assert choose(empty.in_use) == ([2], [1])


def test_what_is_drawn_on_a_photograph():
    drawn = draw_photographs(scored(), Drawn())
    (worst,), (best,) = drawn.worst, drawn.best
    assert (worst.objects, worst.found, worst.false) == (3, 1, 1)
    assert [(mark.kind, mark.words) for mark in worst.marks] == [
        ("object", "a"),
        ("missed", "a, missed"),
        ("missed", "b, missed"),
        ("true", "a, 0.90"),
        ("false", "b, 0.40, false"),
    ]
    assert worst.marks[0].box == A1
    assert (best.name, best.objects, best.found, best.false) == ("2.png", 2, 1, 0)
    assert list(drawn.classes) == ["a", "b"]
    assert best.picture.startswith("data:image/webp;base64,")
