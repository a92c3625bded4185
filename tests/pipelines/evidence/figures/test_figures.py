"""The figures show what data, network and runs hold; others' photographs stay in `gallery`."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from method.ssd import SSD, SSDConfig
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.evaluation.coco import match_records
from pipelines.evidence.figures import attachment, class_counts, found_boxes, object_sizes
from pipelines.evidence.figures.draw import draw_figures
from pipelines.evidence.figures.style import save, styled
from pipelines.evidence.papers import read_papers
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from tests.pipelines.records import record_of

PAPERS = read_papers()
PAPER = PAPERS["scale_aware_ssd"]
SIZES, COUNTS = PAPER.figures["figure1"], PAPER.figures["figure4"]
OBJECTS = (3, 1, 2, 2, 9)
"""Objects of the test images: the median is 2, which images 3 and 4 have."""


def split_of(boxes, width=300, height=400):
    """Boxes in one image, whose diagonal is 500 pixels; the last box is a crowd region."""
    annotations = [
        Annotation(i, 1, 1, box, int(i == len(boxes)), box[2] * box[3])
        for i, box in enumerate(boxes, start=1)
    ]
    image = ImageRecord(1, "a.png", width, height)
    return CocoSplit((image,), (Category(1, "ripe"),), tuple(annotations))


def test_boxes_are_counted_by_their_diagonal_over_the_image_s():
    # Diagonals 25, 30, 50 and 100 of 500 pixels: 5, 6, 10 and 20 percent; the crowd region is not
    # an object.
    boxes = [(9, 9, 15, 20), (0, 0, 18, 24), (5, 0, 30, 40), (0, 0, 60, 80), (0, 0, 3, 4)]
    counts = object_sizes.size_counts(split_of(boxes))
    assert {size: count for size, count in enumerate(counts) if count} == {5: 1, 6: 1, 10: 1, 20: 1}


def test_shares_by_hand():
    assert object_sizes.shares(np.array([0, 3, 1])).tolist() == [0, 75, 25]


@given(st.lists(st.integers(1, 10**6), min_size=1))
def test_shares_add_up_to_a_hundred(counts):
    assert object_sizes.shares(np.array(counts)).sum() == pytest.approx(100)


def test_a_training_split_without_a_box_is_refused():
    with pytest.raises(UserError, match="no box"):
        object_sizes.size_counts(split_of([(0, 0, 30, 40)]))


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_sizes_come_back_from_their_file_as_they_were(tmp_path_factory, counts):
    path = tmp_path_factory.mktemp("sizes") / "figure1.csv"
    object_sizes.write_counts(path, np.array(counts))
    assert object_sizes.read_counts(path).tolist() == counts


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", '"relative size from, %",boxes\n0,x\n'])
def test_a_file_without_sizes_is_refused(tmp_path, text):
    (tmp_path / "figure1.csv").write_text(text)
    with pytest.raises(UserError, match=r"figure1\.csv: cannot be read"):
        object_sizes.read_counts(tmp_path / "figure1.csv")


def test_figure_4_counts_the_boxes_of_all_splits():
    splits = {"train": {"a": 5, "b": 0, "c": 2}, "test": {"a": 1, "b": 0, "c": 4}}
    manifest = {"splits": {name: {"boxes_per_class": boxes} for name, boxes in splits.items()}}
    assert class_counts.boxes_by_class(manifest) == {"a": 6, "b": 0, "c": 6}


def test_the_published_histogram_has_the_published_boxes():
    bins = SIZES.bins
    assert list(SIZES.classes) == list(COUNTS.boxes)
    # The class counts of TomatOD's training list.
    assert np.sum(list(bins.values()), axis=0).tolist() == [1301, 320, 332]
    counts = object_sizes.published_counts(SIZES)
    assert (counts.sum(), counts[4], counts[15], counts[22]) == (1953, 348 + 72 + 98, 0, 1)


def heads_of(layers):
    return {layer: layer.head for layer in layers if layer.head}


def test_figure_2_shows_table_1_and_table_2_of_the_paper():
    layers = attachment.network_layers(SSD(SSDConfig(classes=3)))
    sides = [side for side, _ in PAPER.tables["table1"].blocks.values()]
    assert [layer.side for layer in layers] == [*sides[:9], 16, 8]
    heads = heads_of(layers)
    assert [layer.name for layer in heads] == ["5", "8", "extra", "extra"]
    assert [head.stride for head in heads.values()] == [8, 16, 32, 64]
    scores = [head.a_score for head in heads.values()]
    assert scores == pytest.approx([43 / 25, 107 / 38, 139 / 58, 203 / 87])


def test_figure_2_follows_another_attachment_width_and_input_size():
    config = SSDConfig(classes=3, attach=(6, 10), width=0.5, input_size=256)
    heads = heads_of(attachment.network_layers(SSD(config)))
    assert [layer.name for layer in heads] == ["6", "10", "extra", "extra"]
    # Blocks 6 and 10 see 59 and 171 pixels in Table 1; the extra layers add 2·16 and 2·32 to it.
    assert [head.field for head in heads.values()] == [59, 171, 203, 267]
    assert [layer.side for layer in heads] == [32, 16, 8, 4]
    # Of 32, 64, 512 and 256 channels, half.
    assert [layer.channels for layer in heads] == [16, 32, 256, 128]
    # Anchors shrink with the input, fields do not.
    assert next(iter(heads.values())).a_score == pytest.approx(59 / (25 / 2))


def test_figure_2_draws_the_numbers_of_the_network_that_it_is_given():
    texts = [
        {text.get_text() for axes in attachment.draw(config).axes for text in axes.texts}
        for config in (SSDConfig(classes=3), SSDConfig(classes=3, attach=(6, 10)))
    ]
    assert any("receptive field 43 px" in text for text in texts[0])
    assert not any("receptive field 43 px" in text for text in texts[1])
    assert any("receptive field 171 px" in text for text in texts[1])
    assert all(any("receptive field 299 px" in text for text in drawn) for drawn in texts)


def test_the_paper_s_boxes_give_the_paper_s_class_weights():
    weights = class_counts.balance_weights(COUNTS.boxes)
    assert [round(weight, 1) for weight in weights.values()] == [1.0, 4.0, 3.7]
    assert class_counts.balance_weights({"a": 6, "b": 0, "c": 3}) == {"a": 1, "c": 2}


@pytest.fixture
def prepared(tmp_path):
    """A small data set of plain images, prepared at 64×64."""
    source = tmp_path / "own"
    (source / "images").mkdir(parents=True)
    (source / "annotations").mkdir()
    for split in ("train", "test"):
        images, annotations = [], []
        for number, objects in enumerate(OBJECTS, start=1):
            name = f"{split}{number}.png"
            Image.new("RGB", (80, 60), (30 * number, 90, 60)).save(source / "images" / name)
            images.append({"id": number, "file_name": name, "width": 80, "height": 60})
            annotations += [
                {
                    "id": 100 * number + k,
                    "image_id": number,
                    "category_id": 1 + k % 2,
                    "bbox": [8 * k, 4, 6, 8],
                    "iscrowd": 0,
                    "area": 48,
                }
                for k in range(objects)
            ]
        categories = [{"id": 1, "name": "green"}, {"id": 2, "name": "red"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (source / "annotations" / f"{split}.json").write_text(json.dumps(content))
    folder = tmp_path / "prepared"
    prepare(open_dataset(DatasetSpec(str(source))), folder, 64, progress=False)
    return folder


def write_run(folder, prepared, detections=()):
    folder.mkdir(parents=True)
    data = json.loads((prepared / "manifest.json").read_text())
    (folder / "run.json").write_text(json.dumps(record_of(RunSpec(), folder.name, data=data)))
    (folder / "detections.json.gz").write_bytes(gzip.compress(json.dumps(detections).encode()))
    records = match_records(load_prepared(prepared, "test").coco.to_coco(), detections)
    records.to_csv(folder / "matches.csv.gz", index=False)


def found(score, image=3, category=1, box=(8, 4, 6, 8)):
    return {"image_id": image, "category_id": category, "bbox": list(box), "score": score}


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


def parameters(dataset):
    return {
        "rows": {row: {} for row in PAPERS.compared.values()} | {"sampler-dns": {"sampler": "dns"}},
        "profiles": {
            "small": {
                "settings": {"dataset": dataset, "input_size": 64, "width": 0.25},
                "overrides": {},
                "runs": {"train": ["anchors-25-38-58-87-s0", "sampler-dns-s0"]},
            }
        },
    }


@pytest.fixture
def results(prepared, tmp_path, monkeypatch):
    """Results with a run, of a profile whose data set, whatever its name, is the small one."""
    monkeypatch.setattr("pipelines.evidence.figures.draw.ensure_prepared", lambda *_: prepared)
    results = tmp_path / "results"
    write_run(results / "runs" / "sampler-dns-s0", prepared, [found(0.9)])
    return results


NUMBERS = [f"figures/figure{n}.{kind}" for n in (1, 2, 4) for kind in ("png", "svg")]
NUMBERS.append("figures/figure1.csv")


def drawn(results, values):
    paths = draw_figures("small", values, PAPERS, results)
    return {str(path.relative_to(results)): path.read_bytes() for path in paths}


def test_other_data_s_pictures_go_to_the_gallery_and_the_same_figure_is_the_same_bytes(results):
    built_in = drawn(results, parameters("scenes"))
    assert set(built_in) == {*NUMBERS, "figures/figure3.png"}
    # A folder of the same name: what is drawn is the same, but it is somebody's photographs.
    others = drawn(results, parameters("somebody/scenes"))
    assert set(others) == {*NUMBERS, "gallery/figure3.png"}
    assert not (results / "figures" / "figure3.png").exists()
    assert others["gallery/figure3.png"] == built_in["figures/figure3.png"]
    assert all(others[name] == built_in[name] for name in NUMBERS)


@pytest.mark.parametrize("dataset", ["laboro", "laboro-mosaics", "nwpu", "./scenes", "Scenes"])
def test_no_other_name_counts_as_built_in(dataset):
    assert found_boxes.picture_folder(dataset) == "gallery"


def test_figure_1_can_be_drawn_again_from_its_file_alone(results, tmp_path):
    committed = drawn(results, parameters("scenes"))
    sizes = object_sizes.read_counts(results / "figures" / "figure1.csv")
    with styled():
        figure = object_sizes.draw(sizes, "scenes", SIZES, RunSpec().anchors)
        save(figure, tmp_path, "figure1", "png", "svg")
    assert (tmp_path / "figure1.svg").read_bytes() == committed["figures/figure1.svg"]


def test_without_a_finished_run_the_other_figures_are_drawn(results, capsys):
    (results / "runs").rename(results / "elsewhere")
    assert set(drawn(results, parameters("scenes"))) == set(NUMBERS)
    assert "Figure 3 is left out: no finished run on scenes" in capsys.readouterr().err


def test_a_column_for_a_row_that_is_not_declared_is_refused(results):
    values = parameters("scenes")
    values["profiles"]["small"]["shown"] = ["sampler-dns", "three"]
    with pytest.raises(UserError, match="there is no row 'three'"):
        drawn(results, values)
    assert not (results / "figures").exists()


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
