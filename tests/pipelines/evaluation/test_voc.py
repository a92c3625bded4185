"""VOC's average precision against hand-worked values and Detectron2's own evaluation."""

import numpy as np
import pandas as pd
import pytest
from detectron2.evaluation.pascal_voc_evaluation import parse_rec, voc_eval

from pipelines.evaluation.bootstrap import weighted_ap
from pipelines.evaluation.coco import match_records
from pipelines.evaluation.voc import Definition, voc_ap, voc_map, voc_matches

SQUARE = [0.0, 0.0, 10.0, 10.0]


def voc_case(seed):
    """Crowded images of whole-numbered boxes, in COCO form; scores all differ."""
    rng = np.random.default_rng(seed)
    annotations: list[dict[str, object]] = []
    detections: list[dict[str, object]] = []
    for image in range(1, 7):
        for _ in range(rng.integers(1, 9)):
            box = [int(v) for v in (*rng.integers(0, 60, 2), *rng.integers(12, 40, 2))]
            category = int(rng.integers(1, 3))
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": image,
                    "category_id": category,
                    "bbox": box,
                    "area": box[2] * box[3],
                    "iscrowd": int(rng.random() < 0.2),
                }
            )
            for _ in range(rng.integers(0, 4)):
                near = [int(v) for v in np.add(box, rng.integers(-5, 6, 4)).clip(1)]
                found = {"image_id": image, "category_id": category, "bbox": near}
                detections.append({**found, "score": float(rng.random())})
    dataset = {
        "info": {},
        "images": [{"id": i, "width": 128, "height": 128} for i in range(1, 7)],
        "categories": [{"id": i, "name": f"class{i}"} for i in (1, 2)],
        "annotations": annotations,
    }
    return dataset, detections


def write_devkit(folder, dataset, detections):
    """The same in the files that Detectron2's evaluation reads; its corners count from 1."""
    for image in dataset["images"]:
        objects = ""
        for a in dataset["annotations"]:
            if a["image_id"] == image["id"]:
                x, y, w, h = a["bbox"]
                objects += (
                    f"<object><name>class{a['category_id']}</name><pose>x</pose>"
                    f"<truncated>0</truncated><difficult>{a['iscrowd']}</difficult><bndbox>"
                    f"<xmin>{x + 1}</xmin><ymin>{y + 1}</ymin>"
                    f"<xmax>{x + w}</xmax><ymax>{y + h}</ymax></bndbox></object>"
                )
        (folder / f"{image['id']}.xml").write_text(f"<annotation>{objects}</annotation>")
    (folder / "images.txt").write_text("".join(f"{i['id']}\n" for i in dataset["images"]))
    for category in dataset["categories"]:
        lines = ""
        for d in detections:
            if d["category_id"] == category["id"]:
                x, y, w, h = d["bbox"]
                lines += f"{d['image_id']} {d['score']!r} {x + 1} {y + 1} {x + w} {y + h}\n"
        (folder / f"{category['name']}.txt").write_text(lines)


@pytest.mark.parametrize("seed", range(8))
def test_both_definitions_equal_detectron2_s(seed, tmp_path):
    dataset, detections = voc_case(seed)
    write_devkit(tmp_path, dataset, detections)
    match_records(dataset, detections).to_csv(tmp_path / "matches.csv", index=False)
    records = pd.read_csv(tmp_path / "matches.csv")
    parse_rec.cache_clear()
    for definition in Definition:
        for category in dataset["categories"]:
            *_, expected = voc_eval(
                f"{tmp_path}/{{}}.txt",
                f"{tmp_path}/{{}}.xml",
                tmp_path / "images.txt",
                category["name"],
                use_07_metric=definition is Definition.VOC07,
            )
            ours = voc_ap(records, category["name"], definition)
            assert ours == pytest.approx(100 * expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_resampled_figure_is_the_plain_one_where_every_image_counts_once(seed):
    records = match_records(*voc_case(seed))
    once = weighted_ap(records, np.arange(1, 7), np.ones((1, 6), np.int64))
    assert once["VOC07"][0] == pytest.approx(voc_map(records, Definition.VOC07))


def test_a_second_detection_of_one_object_is_false_though_another_is_free():
    # Both overlap the first object most; COCO would give the second to the other object.
    objects = np.array([SQUARE, [2.0, 0.0, 10.0, 10.0]])
    found = np.array([SQUARE, [0.5, 0.0, 10.0, 10.0]])
    true, ignored = voc_matches(found, objects, np.zeros(2, bool))
    assert true.tolist() == [True, False]
    assert not ignored.any()


def test_what_lies_on_a_difficult_object_does_not_count():
    true, ignored = voc_matches(np.array([SQUARE, SQUARE]), np.array([SQUARE]), np.array([True]))
    assert ignored.tolist() == [True, True]
    assert not true.any()


def test_an_overlap_of_exactly_one_half_is_no_match():
    true, _ = voc_matches(np.array([[0.0, 0, 10, 5]]), np.array([SQUARE]), np.zeros(1, bool))
    assert not true.any()


def test_the_two_definitions_by_hand():
    # Two objects; detections true, false, true: precision 1 to recall 1/2, then 2/3.
    records = pd.DataFrame(
        {
            "class": ["a"] * 4,
            "score": [0.9, 0.8, 0.7, np.nan],
            "true_voc": [1, 0, 1, None],
            "ignored_voc": [0, 0, 0, None],
            "objects_all": [None, None, None, 2],
        }
    )
    assert voc_ap(records, "a", Definition.VOC12) == pytest.approx(100 * (0.5 + 0.5 * 2 / 3))
    # Recalls 0 to 0.5 are six of the eleven, 0.6 to 1 five.
    assert voc_ap(records, "a", Definition.VOC07) == pytest.approx(100 * (6 + 5 * 2 / 3) / 11)
    assert np.isnan(voc_ap(records, "b", Definition.VOC07))
