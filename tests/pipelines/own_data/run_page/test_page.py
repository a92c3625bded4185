"""The page: whole, harmless, and with every part, also where there is nothing to show."""

import json
import re

import pytest

from pipelines.evaluation.coco import match_records
from pipelines.own_data.run_page.page import Subject, build_page, confused, intervals
from pipelines.own_data.run_page.photographs import draw_photographs
from pipelines.own_data.run_page.scored import Scored
from pipelines.own_data.run_page.write import write_metrics
from pipelines.runs.folder import RunFolder
from pipelines.runs.spec import RunSpec
from pipelines.training.health.measures import LADDER
from tests.pipelines.own_data.inspection.test_page import HOSTILE, Elements
from tests.pipelines.own_data.run_page.two_photographs import (
    A1,
    FOUND,
    Drawn,
    make_split,
    results,
)
from tests.pipelines.records import record_of

SECTIONS = ["classes", "scores", "confusion", "errors", "calibration", "sizes", "photographs"]
HEALTH = {
    "start": None,
    "end": None,
    "training": None,
    "test": {
        "positives": 9,
        "iou": 0.4,
        "iou_of_anchors": 0.5,
        "box_loss": 1.0,
        "box_loss_of_anchors": 1.0,
        "class_loss": 0.5,
        "class_loss_of_shares": 0.9,
        "accuracy": 0.75,
        "commonest": 0.5,
    },
    "images": 2,
    "training_AP": 40.0,
    "training_AP50": 50.0,
    "test_AP": 20.0,
    "test_AP50": 33.7,
    "ladder": {f"{step:.2f}": 10.0 for step in LADDER},
    "max_detections": 100,
    "at_cap": 0.0,
    "lowest_kept": None,
    "late_gain": None,
    "late_drop": 0.01,
}


def write_run(folder, spec=None, **changes):
    """A run folder with the two photographs' detections."""
    history = [{"step": 1, "loss": 2.0}, {"step": 2, "loss": 1.0, "validation_AP": 12.5}]
    record = record_of(spec or RunSpec(input_size=64), "run", ("a", "b"), **changes)
    matches = match_records(make_split().to_coco(), results())
    RunFolder(folder).write(record, history, results(), matches, b"")
    return RunFolder(folder)


def make_page(found=FOUND, run=None, pictures=True, notes=(), said=(), **changes):
    split = make_split(**changes)
    scored = Scored(split, results(found), 64)
    subject = Subject("runs/mine", "photographs/own", "test", run, notes, said)
    return build_page(scored, subject, draw_photographs(scored, Drawn(split)) if pictures else None)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return write_run(tmp_path_factory.mktemp("runs") / "run", health=HEALTH)


@pytest.fixture(scope="module")
def page(run):
    return make_page(run=run)


def text(page):
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL))


def test_every_part_is_there_and_every_link_leads_somewhere(page):
    elements = Elements(page).found
    ids = [own["id"] for _, own in elements if "id" in own]
    assert [name for name in ids if name != "main"] == [*SECTIONS, "training", "next"]
    assert {own["href"][1:] for tag, own in elements if tag == "a"} == set(ids)
    assert all(own.get("alt") for tag, own in elements if tag == "img")
    assert sum(tag == "img" for tag, _ in elements) == 7


def test_the_page_fetches_nothing_and_runs_nothing(page):
    elements = Elements(page).found
    references = [own[n] for _, own in elements for n in ("src", "href", "srcset") if n in own]
    assert all(reference.startswith(("data:", "#")) for reference in references)
    assert not re.search(r"https?://|url\(|@import", page)
    assert not {tag for tag, _ in elements} & {"script", "iframe", "object", "embed", "form"}
    assert page.count("<!DOCTYPE html>") == 1
    assert page.endswith("</html>")


def test_the_page_says_what_is_known_by_hand(page):
    said = text(page)
    assert "it finds 2 of 5 objects, with 1 false detection." in said
    assert f"AP50 {100 * 34 / 101:.1f}" in said
    assert "a 0.90 1.00 0.50 0.67" in said
    assert "b 0.30 0.50 0.33 0.40" in said
    assert "class the place is right" in said
    assert "too few photographs for an interval" in said
    assert "1.png : 1 of 3 found, 1 false" in said.replace("1.png:", "1.png :")


def test_of_a_run_it_tells_health_curves_cost_and_commands(page):
    said = text(page)
    assert "The boxes are no better than the anchors" in said
    assert "overlap of the predicted boxes with their objects 0.40 0.50 by the anchors" in said
    assert "50.0 on 2 of its training photographs" in said
    assert "Training 30 s 16 images, 10.5 a second" in said
    assert "dvc exp run -S profile=quick -S detector=scale-aware-ssd -S input_size=64" in said
    assert "python -m pipelines.export runs/mine --out mine.onnx" in said


def test_a_detector_without_an_onnx_file_says_why_and_how_to_use_it(tmp_path):
    run = write_run(tmp_path / "run", RunSpec(detector="faster-rcnn-r50", input_size=64))
    said = text(make_page(run=run, pictures=False))
    assert "faster-rcnn-r50 has no ONNX file:" in said
    assert "python -m pipelines.predict runs/mine path/to/photographs --out found" in said
    assert "trained before health was measured" in said


def test_an_exported_file_has_no_training(page):
    alone = make_page()
    assert 'id="training"' not in alone
    assert "--out found --score 0.30" in text(alone)


def test_a_model_that_finds_nothing_has_a_page_too():
    said = text(make_page([]))
    assert "It finds nothing: not one of 5 objects." in said
    assert "No detection has a score of 0.1 or more." in said
    assert "missed not seen at all" in said
    assert "nan" not in said
    assert "0 of 3 found, 0 false" in said


def test_without_photographs_it_says_so():
    assert "The photographs are not at hand" in text(make_page(pictures=False))


def test_names_from_a_data_set_are_text_and_nothing_else():
    page = make_page(names=HOSTILE[:2], notes=["<b>note</b>"], said=["\x1b[31m said"])
    elements = Elements(page).found
    assert not [name for _, own in elements for name in own if name.startswith("on")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<b>note</b>" not in page
    assert "\x1b" not in page
    page.encode()


def test_of_many_classes_the_commonest_are_in_the_matrix():
    names = [f"class {k}" for k in range(30)]
    objects = [(1, k, A1) for k in range(1, 31) for _ in range(1 + (k > 20))]
    page = make_page(objects=objects, names=names)
    matrix = page[page.index('id="confusion"') : page.index('id="errors"')]
    assert "The 12 commonest classes are shown." in matrix
    assert len(re.findall(r'<th scope="row">', matrix)) == 13


def test_confusions_are_named_with_their_share_of_the_class():
    found = [(1, 2, A1, 0.9), (2, 2, A1, 0.8)]
    own = Scored(make_split(objects=[(1, 1, A1), (2, 2, A1)]), results(found), 64)
    (pair,) = confused(own)
    assert (pair.truth, pair.taken_for, pair.count, pair.share) == ("a", "b", 1, 1.0)


def test_an_interval_needs_twenty_photographs_with_objects():
    few, many = (
        Scored(
            make_split(objects=[(i, 1, A1) for i in range(1, n + 1)], images=n),
            results([(i, 1, A1, 0.9) for i in range(1, n + 1, 2)]),
            64,
        )
        for n in (19, 20)
    )
    assert intervals(few) == {}
    ap = intervals(many)["AP50"]
    assert ap.low < ap.estimate < ap.high
    assert ap.estimate == pytest.approx(many.score.figures["AP50"])


def test_the_figures_are_written_as_json_without_nan(tmp_path):
    own = Scored(make_split(), results(), 64)
    write_metrics(tmp_path / "metrics.json", own, Subject("m", "d", "test", None, ["a note"]))
    found = json.loads((tmp_path / "metrics.json").read_text())
    assert found["figures"]["AP50"] == pytest.approx(100 * 34 / 101, abs=1e-4)
    assert found["figures"]["APl"] is None
    assert found["classes"]["b"]["score"] == 0.3
    assert found["confusion"]["counts"] == [[1, 0, 1], [0, 1, 2], [0, 1, 0]]
    assert found["errors"]["missed"] == {
        "count": 1,
        "AP50_lost": pytest.approx(425 / 101, abs=1e-4),
    }
    assert found["notes"] == ["a note"]
