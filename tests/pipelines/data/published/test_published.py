"""The catalogue agrees with itself and with torchvision; differences are told one by one."""

from urllib.parse import urlsplit

import pytest
from torchvision.datasets import voc

from pipelines.data.published.catalogue import PUBLISHED, Counts, differences, first_there

TOMATOD = PUBLISHED["tomatod"]
ARCHIVES = [archive for published in PUBLISHED.values() for archive in published.archives]


def test_voc_s_archives_are_those_of_torchvision():
    theirs = {
        urlsplit(year["url"]).path.rpartition("/")[2]: year["md5"]
        for year in voc.DATASET_YEAR_DICT.values()
    }
    ours = {archive.name: archive.md5 for archive in PUBLISHED["voc"].archives}
    assert len(ours) == 3
    assert ours.items() <= theirs.items()


def test_no_two_archives_or_data_sets_take_the_same_place():
    names = [archive.name for archive in ARCHIVES]
    folders = [published.folder for published in PUBLISHED.values()]
    assert len(set(names)) == len(names) == 9
    assert len(set(folders)) == len(folders) == 5


def test_every_md5_has_32_digits():
    assert all(len(bytes.fromhex(a.md5)) == 16 for a in ARCHIVES if a.md5 is not None)


def test_every_set_can_be_had_and_has_a_layout():
    for published in PUBLISHED.values():
        assert bool(published.archives) != bool(published.by_hand)
        assert bool(published.layout) != bool(published.paths)
        assert set(published.oddities) <= set(published.counts)
        assert published.layout.keys() <= published.counts.keys()


@pytest.mark.parametrize("published", PUBLISHED.values(), ids=PUBLISHED)
def test_classes_add_up_to_the_boxes(published):
    for counts in published.counts.values():
        if counts.classes:
            assert sum(counts.classes.values()) == counts.boxes
    if published.classes:
        assert sum(published.classes.values()) == sum(c.boxes for c in published.counts.values())


@pytest.mark.parametrize("published", PUBLISHED.values(), ids=PUBLISHED)
def test_a_set_as_published_has_no_differences(published):
    counts = dict(published.counts)
    if published.classes:
        first, *others = counts
        counts[first] = Counts(counts[first].images, counts[first].boxes, None, published.classes)
        assert others
    assert differences(published, counts) == []


def test_what_is_not_as_published_is_told_with_both_numbers():
    laboro = PUBLISHED["laboro-big"]
    classes = {"b_fully_ripened": 343, "b_half_ripened": 505}
    counts = {"train": Counts(353, 2359, classes=classes)}
    assert differences(laboro, counts) == [
        "train: 2359 boxes, published 2360",
        "train: 505 boxes of b_half_ripened, published 506",
        "train: 0 boxes of b_green, published 1511",
        "test: is not there, published with 89 images",
    ]


def test_tomatod_s_known_oddity_is_named_as_such():
    train = Counts(222, 1953, 0, {"unripe": 1301, "semi-ripe": 320, "fully-ripe": 332})
    test = Counts(55, 468, 0, {"unripe": 293, "semi-ripe": 76, "fully-ripe": 99})
    sentences = differences(TOMATOD, {"train": train, "test": test})
    assert [sentence.partition(" (")[0] for sentence in sentences] == [
        "train: 1953 boxes, published 1952",
        "test: 468 boxes, published 466",
        "all splits: 1594 boxes of unripe, published 1592",
        "all splits: 396 boxes of semi-ripe, published 395",
    ]
    assert all("(known: the shipped files hold 1953 and 468" in line for line in sentences)


def test_other_numbers_than_the_known_oddity_are_not_excused():
    shipped = Counts(222, 1953, classes={"unripe": 1301, "semi-ripe": 320, "fully-ripe": 332})
    test = Counts(54, 467, classes={"unripe": 291, "semi-ripe": 75, "fully-ripe": 100})
    sentences = differences(TOMATOD, {"train": shipped, "test": test})
    assert ["known" in line for line in sentences] == [True, False, False, False]


def test_coco_s_two_flat_boxes_are_known():
    counts = dict(PUBLISHED["coco"].counts) | {"train": Counts(118_287, 859_999, 1_020)}
    assert differences(PUBLISHED["coco"], counts) == [
        "train: 859999 boxes, published 860001 "
        "(known: two boxes have no height and are left out on reading)",
        "train: 1020 images without a box, published 1021",
    ]


def test_a_layout_is_found_where_its_first_candidate_is(tmp_path):
    for name in ("second", "third", "empty"):
        (tmp_path / name).mkdir()
        if name != "empty":
            (tmp_path / name / "file").touch()
    candidates = ("first", "empty", "second", "third")
    assert first_there(tmp_path, candidates) == tmp_path / "second"
    assert first_there(tmp_path, ("first", "empty")) is None


def test_what_is_missing_is_told_by_its_usual_place(tmp_path):
    (tmp_path / "images" / "train").mkdir(parents=True)
    (tmp_path / "images" / "train" / "a.jpg").touch()
    (tmp_path / "tomatOD_test.json").touch()
    assert TOMATOD.missing(tmp_path) == [
        "tomatOD_annotations/tomatOD_train.json",
        "tomatOD_images/test",
    ]
    assert TOMATOD.top_level(tmp_path) == ["images", "tomatOD_test.json"]
