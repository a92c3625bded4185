"""Figure 3: which images, which detections from which score on, and of which runs."""

import json

import pandas as pd
import pytest

from pipelines.data.prepared import load_prepared
from pipelines.evidence.figures import found_boxes
from pipelines.evidence.figures.style import save, styled
from pipelines.system.errors import UserError
from tests.pipelines.evidence.figures.runs import found, write_run


def test_the_images_shown_are_those_with_the_median_number_of_objects(prepared):
    test = load_prepared(prepared, "test")
    assert found_boxes.choose_images(test, 2) == [2, 3]
    # One object and three are as far from the median; the earlier image is taken.
    assert found_boxes.choose_images(test, 3) == [0, 2, 3]


def record(score, true, ignored=0):
    return {"class": "fruit", "score": score, "true_all": true, "ignored_all": ignored}


@pytest.mark.parametrize(
    ("detections", "expected"),
    [
        # Three objects: F1 is 2·1/(1+3), 2·1/(2+3), 2·2/(3+3), 2·2/(4+3).
        ([record(0.9, 1), record(0.8, 0), record(0.7, 1), record(0.6, 0)], 0.7),
        # Right at 0.55 alone counts as wrong; what is ignored counts for nothing: 2/4, 2/4, 4/5.
        ([record(0.9, 1), record(0.4, 0, 1), record(0.3, 1), record(0.2, 0b10)], 0.3),
        ([record(0.5, 0), record(0.2, 1)], 0.2),
        ([], 1.0),
    ],
    ids=["plain", "ignored", "the best one is wrong", "nothing found"],
)
def test_the_score_of_the_best_f1_by_hand(detections, expected):
    objects = [{"class": "fruit", "objects_all": count} for count in (1, 2)]
    columns = ["class", "score", "true_all", "ignored_all", "objects_all"]
    records = pd.DataFrame([*reversed(detections), *objects], columns=columns)
    assert found_boxes.best_score_threshold(records) == expected


def test_detections_are_drawn_from_the_score_of_the_best_f1_on(prepared, tmp_path):
    folder = tmp_path / "runs" / "some-s0"
    right = found(0.31, category=2)  # the second object of every image with two or more
    wrong = [found(0.4, image=4, box=(1, 2, 3, 4)), found(0.3, box=(1, 2, 3, 4))]
    write_run(folder, prepared, [right, *wrong])
    column = found_boxes.detections(folder, "some", prepared)
    assert column.title == "some (score\xa0≥\xa00.31)"
    assert column.boxes == {
        3: [found_boxes.Marked((8, 4, 6, 8), 2)],
        4: [found_boxes.Marked((1, 2, 3, 4), 1)],
    }


def test_a_run_scored_on_other_images_is_refused(prepared, tmp_path):
    folder = tmp_path / "runs" / "some-s0"
    write_run(folder, prepared)
    record = json.loads((folder / "run.json").read_text())
    record["data"]["splits"]["test"]["annotations_sha256"] = "another"
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"some-s0 was scored on other test images"):
        found_boxes.detections(folder, "some", prepared)


def test_wanted_rows_come_with_their_first_finished_seed_else_the_first_runs(tmp_path):
    study = ["a-b-s0", "a-b-s1", "c-s0", "d-s0", "e-s0", "f-s0"]
    for name in ("a-b-s1", "c-s0", "e-s0", "f-s0", "gone-s0"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    assert found_boxes.choose_runs({"E": "e", "D": "d", "AB": "a-b"}, study, tmp_path) == {
        "E": "e-s0",
        "AB": "a-b-s1",
    }
    assert list(found_boxes.choose_runs({"D": "d"}, study, tmp_path)) == ["a-b", "c", "e"]
    assert found_boxes.choose_runs({}, study, tmp_path / "none") == {}


@pytest.mark.parametrize("dataset", ["laboro", "laboro-mosaics", "nwpu", "./scenes", "Scenes"])
def test_no_other_name_counts_as_built_in(dataset):
    assert found_boxes.picture_folder(dataset) == "gallery"


@pytest.mark.parametrize(("detectors", "bands"), [(1, 1), (3, 1), (7, 3)])
def test_figure_3_takes_any_number_of_detectors(prepared, tmp_path, detectors, bands):
    test = load_prepared(prepared, "test")
    truth = found_boxes.ground_truth(test)
    with styled():
        figure = found_boxes.draw(test, truth, [truth] * detectors)
        save(figure, tmp_path, "figure3", "png")
    # The objects stand in every band; two images with two objects each.
    assert sum(len(axes.images) for axes in figure.axes) == 2 * (detectors + bands)
    assert sum(len(axes.patches) for axes in figure.axes) == 4 * (detectors + bands)
