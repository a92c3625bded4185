"""What is read of a COCO file, and what is repaired and reported."""

import contextlib
import io
import json
import re

import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipelines.data.formats.coco import Annotation, Category, CocoSplit, ImageRecord, read_coco
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.root import data_root
from pipelines.system.errors import UserError

LABORO = data_root() / "laboro_tomato"


def test_reads_sorted_records_and_fills_in_what_is_optional(folder):
    assert folder.read() == CocoSplit(
        images=(ImageRecord(3, "a.png", 20, 30), ImageRecord(4, "b.png", 40, 20)),
        categories=(Category(2, "unripe"), Category(7, "ripe")),
        annotations=(
            Annotation(11, 3, 2, (0.0, 0.0, 20.0, 30.0), 0, 500.0),
            Annotation(12, 4, 7, (10.0, 5.0, 20.0, 10.0), 0, 200.0),
            Annotation(13, 4, 2, (0.0, 0.0, 40.0, 20.0), 1, 800.0),
        ),
    )
    assert folder.reports == []


def test_to_coco_and_back(folder):
    split = folder.read()
    assert CocoSplit.from_coco(json.loads(json.dumps(split.to_coco()))) == split


def test_subset_keeps_annotations_of_its_images_and_all_categories(folder):
    split = folder.read()
    part = split.subset([1])
    assert [image.id for image in part.images] == [4]
    assert [annotation.id for annotation in part.annotations] == [12, 13]
    assert part.categories == split.categories


@pytest.mark.parametrize("name", ["a b.png", "reif-ß-熟.png", "-a.png", "a\nb.png", ".a.png"])
def test_odd_file_names_work(folder, tmp_path, name):
    (folder.images / "a.png").rename(folder.images / name)
    folder.content["images"][1]["file_name"] = name
    prepare({"train": folder.source()}, tmp_path / "prepared", 8, progress=False)
    assert load_prepared(tmp_path / "prepared", "train").coco.images[0].file_name == name


# ---- what is repaired, and reported


def test_box_over_the_edge_by_up_to_one_pixel_is_clipped_and_counted(folder):
    folder.content["annotations"][1]["bbox"] = [-0.5, 2, 20.75, 29]
    del folder.content["annotations"][1]["area"]
    annotation = folder.read().annotations[0]
    assert annotation.bbox == (0.0, 2.0, 20.0, 28.0)
    assert annotation.area == 560.0
    assert folder.reports == [
        f"{folder.json}: clipped 1 boxes that were over the image's edge by up to 1 px"
    ]


def test_one_category_with_a_list_for_a_name(folder):
    folder.content["categories"] = [{"id": 1, "name": ["unripe", "semi-ripe", "fully-ripe"]}]
    folder.content["annotations"][0]["category_id"] = 3
    split = folder.read()
    assert split.categories == (
        Category(1, "unripe"),
        Category(2, "semi-ripe"),
        Category(3, "fully-ripe"),
    )
    assert [a.category_id for a in split.annotations] == [2, 3, 2]
    assert folder.reports == [
        f"{folder.json}: its one category has a list for a name; "
        "read as categories 1 to 3: unripe, semi-ripe, fully-ripe"
    ]


def test_list_for_a_name_too_short_for_the_annotations(folder):
    folder.content["categories"] = [{"id": 1, "name": ["unripe", "ripe"]}]
    with pytest.raises(UserError, match="annotation id 12 has the unknown category_id 7"):
        folder.read()


def best_ap(split: CocoSplit) -> float:
    """COCOeval's AP of detections that are the ground truth itself."""
    truth = COCO()
    truth.dataset = split.to_coco()
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(
            [
                {
                    "image_id": a.image_id,
                    "category_id": a.category_id,
                    "bbox": list(a.bbox),
                    "score": 1.0,
                }
                for a in split.annotations
                if not a.iscrowd
            ]
        )
        evaluation = COCOeval(truth, found, "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return float(evaluation.stats[0])


def test_annotation_id_zero_is_numbered_anew_since_cocoeval_mistakes_it(folder):
    folder.content["annotations"][0]["id"] = 0
    split = folder.read()
    assert [(a.id, a.bbox[0]) for a in split.annotations] == [(1, 10.0), (2, 0.0), (3, 0.0)]
    assert len(folder.reports) == 1
    assert "numbered anew from 1" in folder.reports[0]
    assert best_ap(split) == pytest.approx(1.0)
    with_zero = [
        Annotation(0, a.image_id, a.category_id, a.bbox, 0, a.area) if a.id == 1 else a
        for a in split.annotations
    ]
    assert best_ap(CocoSplit(split.images, split.categories, tuple(with_zero))) < 0.6


# ---- real data


@pytest.mark.skipif(not LABORO.is_dir(), reason=f"no {LABORO}")
@pytest.mark.parametrize(
    ("split", "images", "boxes", "by_class", "clipped"),
    [("train", 354, 2357, [1511, 521, 325], 8), ("test", 88, 553, [343, 115, 95], 7)],
)
def test_laboro_equals_pycocotools_reading(split, images, boxes, by_class, clipped):
    file = LABORO / "annotations" / f"{split}.json"
    reports: list[str] = []
    ours = read_coco(file, LABORO / "images", report=reports.append)
    assert (len(ours.images), len(ours.annotations)) == (images, boxes)
    assert [re.findall(r"clipped (\d+)", report) for report in reports] == [[str(clipped)]]
    with contextlib.redirect_stdout(io.StringIO()):
        oracle = COCO(str(file))
    assert [category.id for category in ours.categories] == oracle.getCatIds() == [1, 2, 3]
    assert [len(oracle.getAnnIds(catIds=[k])) for k in (1, 2, 3)] == by_class
    assert [sum(a.category_id == k for a in ours.annotations) for k in (1, 2, 3)] == by_class
    altered = 0
    for image, found in zip(ours.images, ours.annotations_by_image(), strict=True):
        (theirs,) = oracle.loadImgs(image.id)
        assert (image.file_name, image.width, image.height) == (
            theirs["file_name"],
            theirs["width"],
            theirs["height"],
        )
        assert [a.id for a in found] == sorted(oracle.getAnnIds(imgIds=[image.id]))
        for annotation, entry in zip(found, oracle.loadAnns([a.id for a in found]), strict=True):
            assert annotation.category_id == entry["category_id"]
            assert annotation.area == entry["area"]
            assert annotation.bbox == pytest.approx(entry["bbox"], abs=1)
            altered += list(annotation.bbox) != entry["bbox"]
    assert altered == clipped
