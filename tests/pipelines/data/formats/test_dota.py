"""What is read of a folder in DOTA's format."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipelines.data.formats.dota import CLASSES, MOST_PIXELS, image_folder
from pipelines.data.formats.dota_own import is_own_dota
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.records import ImageRecord
from pipelines.data.sources import FolderSource
from pipelines.data.tiles import tiled
from tests.pipelines.data.formats.dota_files import UPRIGHT, Dota


def test_images_are_in_the_order_of_their_names_with_the_sizes_of_their_headers(dota):
    assert dota.read().images == (
        ImageRecord(1, "P0000.jpg", 40, 30),
        ImageRecord(2, "P0001.png", 100, 60),
        ImageRecord(3, "P0002.png", 20, 25),
    )


def test_a_box_spans_the_four_corners_and_is_clipped_to_the_image(dota):
    found = [(a.id, a.image_id, a.category_id, a.bbox, a.area) for a in dota.read().annotations]
    assert found == [
        (1, 2, 1, (30, 10, 40, 40), 1600),
        (2, 2, 2, (0, 40, 20, 20), 400),
        (3, 2, 11, (80, 5, 15, 10), 150),
        (4, 3, 8, (2, 3, 10, 6), 60),
    ]
    assert dota.reports == [
        f"{dota.path / 'train'}: 1 boxes over the image's edge were clipped "
        f"(first: {dota.label('train', 'P0001')}: line 4)"
    ]


def test_difficult_objects_are_crowd_regions(dota):
    assert [a.iscrowd for a in dota.read().annotations] == [0, 0, 1, 0]


def test_test_is_read_from_val(dota):
    split = dota.read("test")
    assert split.images == (ImageRecord(1, "P0003.png", 30, 20),)
    assert image_folder(dota.path, "test") == dota.path / "val" / "images"
    assert dota.reports == []


def test_the_fifteen_classes_are_numbered_from_one(dota):
    categories = dota.read().categories
    assert [category.id for category in categories] == list(range(1, 16))
    assert tuple(category.name for category in categories) == CLASSES
    assert (CLASSES[0], CLASSES[14], len(set(CLASSES))) == ("plane", "swimming-pool", 15)


CORNER = st.floats(0, 60).map(lambda value: round(value, 1))


@given(
    corners=st.lists(st.tuples(CORNER, CORNER), min_size=4, max_size=4),
    order=st.permutations(range(4)),
)
def test_the_order_of_the_corners_is_nothing(tmp_path_factory, corners, order):
    dota = Dota(tmp_path_factory.getbasetemp() / "order")
    if not dota.path.exists():
        dota.add("train", "P1.png", (60, 60), "")
    read = []
    for numbers in (range(4), order):
        text = " ".join(f"{corners[k][0]} {corners[k][1]}" for k in numbers)
        dota.label("train", "P1").write_text(f"{UPRIGHT}{text} ship 0")
        read.append(dota.read(drop_broken=True).annotations)
    assert read[0] == read[1]
    for x, y, w, h in (a.bbox for a in read[0][1:]):
        assert all(x <= cx <= x + w + 1e-9 and y <= cy <= y + h + 1e-9 for cx, cy in corners)


@pytest.mark.parametrize("name", ["labelTxt-v1.0/labelTxt", "labelTxt-v1.0"])
def test_labels_are_found_where_the_archives_put_them(dota, name):
    before = dota.read()
    for part in ("train", "val"):
        target = dota.path / part / name
        target.parent.mkdir(exist_ok=True)
        (dota.path / part / "labelTxt").rename(target)
    assert is_own_dota(dota.path)
    assert dota.read() == before


def test_a_folder_of_another_form_is_not_dota(dota, tmp_path):
    assert is_own_dota(dota.path)
    assert not is_own_dota(tmp_path)
    for part in ("train", "val"):
        (dota.path / part / "labelTxt").rename(dota.path / part / "labels")
    assert not is_own_dota(dota.path)


def test_a_byte_order_mark_windows_line_ends_and_blank_lines_are_nothing(dota):
    before = dota.read()
    file = dota.label("train", "P0001")
    text = file.read_text().replace("\n", " \r\n\r\n")
    file.write_bytes(text.encode("utf-8-sig"))
    assert dota.read() == before


def test_files_of_other_endings_are_passed_over(dota):
    before = dota.read()
    dota.label("train", "P0001").with_name("labelTxt.zip").write_text("")
    dota.image("train", "Thumbs.db").write_text("")
    assert dota.read() == before


def test_dota_is_cut_and_prepared(dota, tmp_path):
    split = dota.read()
    folder = image_folder(dota.path, "train")
    source = tiled(FolderSource(split, folder, MOST_PIXELS), 40, 10, report=dota.reports.append)
    prepare({"train": source}, tmp_path / "p", 40, progress=False)
    prepared = load_prepared(tmp_path / "p", "train")
    assert prepared.class_names == CLASSES
    names = [image.file_name for image in prepared.coco.images]
    assert names == [
        "P0000.jpg@0,0",
        *(f"P0001.png@{x},{y}" for y in (0, 20) for x in (0, 30, 60)),
        "P0002.png@0,0",
    ]
    whole = np.asarray(Image.open(folder / "P0001.png"))
    assert np.array_equal(prepared.images[5], whole[20:60, 30:70])
    # Of the rotated plane, 40 x 40 px from (30, 10), three quarters lie in both tiles at x = 30.
    assert prepared.boxes(2).tolist() == [[0, 10, 40, 40]]
    assert prepared.boxes(5).tolist() == [[0, 0, 40, 30]]
    assert (prepared.labels(4).tolist(), prepared.boxes(4).tolist()) == ([2], [[0, 20, 20, 40]])
    assert prepared.labels(3).tolist() == []
    (difficult,) = [a for a in prepared.coco.annotations if a.category_id == 11]
    assert (difficult.image_id, difficult.bbox, difficult.iscrowd) == (4, (20, 5, 15, 10), 1)
    assert prepared.boxes(7).tolist() == [[2, 3, 12, 9]]
