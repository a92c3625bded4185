import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pipelines.data.formats.yolo import read_yolo
from pipelines.data.formats.yolo_layout import LARGEST_YAML, find_layout, is_yolo
from pipelines.system.errors import UserError


def touch(folder: Path, *images: str) -> None:
    for image in images:
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(folder / image)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Images in three folders, and no yaml yet."""
    root = tmp_path / "set"
    touch(root, "images/train/b.png", "images/train/a.png", "images/val/c.png", "images/test/d.png")
    return root


def found(folder: Path, yaml: str, reports: list[str] | None = None) -> dict[str, list[str]]:
    """The images of each split, by their paths in the folder."""
    (folder / "data.yaml").write_text(yaml)
    layout = find_layout(folder, (reports if reports is not None else []).append)
    return {
        split: [image.relative_to(folder).as_posix() for image in images]
        for split, images in layout.images.items()
    }


def names(folder: Path, text: str) -> tuple[str, ...]:
    (folder / "data.yaml").write_text(f"train: images/train\n{text}\n")
    return find_layout(folder, print).names


# ---- where images are

TRAIN = ["images/train/a.png", "images/train/b.png"]


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("train: images/train", {"train": TRAIN}),
        ("train: images/train/\nval:\ntest: ", {"train": TRAIN}),
        ("train: ./images/train\nval: images/val", {"train": TRAIN, "val": ["images/val/c.png"]}),
        ("path: .\ntrain: images/test", {"train": ["images/test/d.png"]}),
        ("path: images\ntrain: train\ntest: test", {"train": TRAIN, "test": ["images/test/d.png"]}),
        ("path: images/val\ntrain: ../train", {"train": TRAIN}),
        ("train: [images/val, images/train]", {"train": ["images/val/c.png", *TRAIN]}),
        (
            "train: images/val\nvalidation: images/test",
            {"train": ["images/val/c.png"], "val": ["images/test/d.png"]},
        ),
    ],
)
def test_a_yaml_names_the_folders_of_images(folder, yaml, expected):
    assert found(folder, f"names: [cup]\n{yaml}\n") == expected


def test_a_folder_is_searched_to_its_depth_without_hidden_files(folder):
    touch(folder, "images/train/deep/er/z.PNG", "images/train/.hidden.png", "images/train/.d/e.png")
    (folder / "images" / "train" / "notes.md").write_text("no image")
    expected = [*TRAIN, "images/train/deep/er/z.PNG"]
    assert found(folder, "names: [cup]\ntrain: images/train") == {"train": expected}


def test_a_list_names_images_seen_from_itself_or_from_the_data_set(folder):
    (folder / "lists").mkdir()
    (folder / "lists" / "train.txt").write_text(
        f"images/val/c.png\n\n  ../images/train/a.png\r\n{folder}/images/test/d.png\n"
    )
    assert found(folder, "names: [cup]\ntrain: lists/train.txt") == {
        "train": ["images/test/d.png", "images/train/a.png", "images/val/c.png"]
    }


def test_a_path_of_another_machine_is_ignored_with_a_note(folder):
    reports: list[str] = []
    for path in ("/content/no/such/set", "datasets/set"):
        yaml = f"names: [cup]\npath: {path}\ntrain: images/train"
        assert found(folder, yaml, reports) == {"train": TRAIN}
        assert reports.pop() == (
            f"{folder}/data.yaml: its path {path!r} is not there; the yaml's own folder is taken"
        )


def test_an_absolute_path_that_is_the_folder_itself_is_good(folder):
    assert found(folder, f"names: [cup]\npath: {folder}\ntrain: images/train") == {"train": TRAIN}


def test_roboflows_way_up_and_down_again_is_understood_with_a_note(folder):
    reports: list[str] = []
    yaml = "names: [cup]\ntrain: ../images/train\nval: ../images/val"
    assert list(found(folder, yaml, reports)) == ["train", "val"]
    assert reports[0].endswith("train: '../images/train' is taken to mean 'images/train'")


def test_any_single_yaml_with_names_will_do_and_of_several_one_must_be_chosen(folder):
    (folder / "other.yml").write_text("stages: {}\n")
    assert not is_yolo(folder)
    (folder / "cups.yaml").write_text("train: images/train\nnames:\n  0: cup\n")
    assert is_yolo(folder)
    assert find_layout(folder, print).names == ("cup",)
    (folder / "more.yaml").write_text("names: []\n")
    with pytest.raises(UserError, match=r"several yaml files \(cups.yaml, more.yaml\)"):
        find_layout(folder, print)


@pytest.mark.parametrize("val", ["val", "valid"])
def test_the_bare_form_needs_no_yaml(folder, val):
    (folder / "images" / "val").rename(folder / "images" / val)
    (folder / "labels").mkdir()
    assert not is_yolo(folder)
    (folder / "classes.txt").write_text("cup\nplate\n\n")
    assert is_yolo(folder)
    layout = find_layout(folder, print)
    assert layout.names == ("cup", "plate")
    assert {split: len(images) for split, images in layout.images.items()} == {
        "train": 2,
        "val": 1,
        "test": 1,
    }


def test_the_bare_form_without_splits_is_all_train(tmp_path):
    touch(tmp_path, "images/a.png", "images/b.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "classes.txt").write_text("cup")
    assert list(find_layout(tmp_path, print).images) == ["train"]


# ---- names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("names: [cup, ' plate ']", ("cup", "plate")),
        ("names: {1: plate, 0: cup}\nnc: 2", ("cup", "plate")),
        ("names: [0, 1]", ("0", "1")),
        ("names: ['no', Ü 杯]", ("no", "Ü 杯")),
    ],
)
def test_names_are_a_list_or_numbered_from_zero(folder, text, expected):
    assert names(folder, text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("name: [cup]", "has no list of names"),
        ("names: cup", "has no list of names"),
        ("names: []", "names no class"),
        ("names: {1: cup, 2: plate}", "does not number its 2 classes from 0 on"),
        ("names: {a: cup}", "does not number its 1 classes"),
        ("names: [yes, no]", "number 0 is no text but a bool in yaml; put .* in quotes"),
        ("names: [cup, 2020-01-01]", "number 1 is no text but a date"),
        ("names: [[cup]]", "number 0 is no text but a list"),
        ("names: [cup, ' ']", "the class at position 2 has the name ''"),
        ('names: ["a\\nb"]', r"the class at position 1 has the name 'a\\nb'"),
        ("names: [cup, plate, cup]", "the class name 'cup' occurs more than once"),
        ("names: [cup]\nnc: 2", "nc is '2' but there are 1 names"),
        ("names: [cup]\nkpt_shape: [17, 3]", "is for key points"),
    ],
)
def test_odd_names_are_refused(folder, text, words):
    with pytest.raises(UserError, match=words) as caught:
        names(folder, text)
    assert str(caught.value).startswith(f"{folder}/data.yaml: ")


def test_a_gap_in_the_class_file_is_refused_since_indices_would_shift(tmp_path):
    touch(tmp_path, "images/train/a.png")
    (tmp_path / "labels").mkdir()
    (tmp_path / "classes.txt").write_text("cup\n\nplate\n")
    with pytest.raises(UserError, match=r"classes\.txt: the class at position 2 has the name ''"):
        find_layout(tmp_path, print)


# ---- what is refused


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("val: images/val", "data.yaml: names no train images"),
        ("train: images/none", "train: there is no folder and no list '.*images/none'"),
        ("train: data.yaml", "train: there is no folder and no list"),
        ("train: []", "train names no images"),
        ("train: 3", "train is no path"),
        ("train: [[images]]", "train is no path"),
        ("train: [images, images/train]", "train: has '.*a.png' twice"),
        ("train: empty", "empty: has no images"),
        ('train: "a\\0b"', "is no path"),
        ("path: [images]\ntrain: train", "path is no text"),
        ("train: " + "long" * 2000, "there is no folder and no list"),
    ],
)
def test_paths_that_are_wrong_are_named(folder, yaml, words):
    (folder / "empty").mkdir()
    with pytest.raises(UserError, match=words):
        found(folder, f"names: [cup]\n{yaml}\n")


@pytest.mark.parametrize(
    "yaml",
    [
        "train: ../../elsewhere",
        "train: ../elsewhere",
        "train: images/../../elsewhere",
        "train: /etc",
        "train: images/train\nval: [images/val, ..]",
        "path: ..\ntrain: elsewhere",
        "path: /\ntrain: etc",
        "train: link",
        "path: link\ntrain: .",
        "train: list.txt",
    ],
)
def test_paths_that_lead_outside_are_refused_through_links_too(folder, yaml):
    touch(folder.parent, "elsewhere/secret.png")
    (folder / "link").symlink_to(folder.parent / "elsewhere")
    (folder / "list.txt").write_text("images/train/a.png\n../elsewhere/secret.png\n")
    with pytest.raises(UserError, match=r"leads outside .*; keep the data set in one folder"):
        found(folder, f"names: [cup]\n{yaml}\n")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("names: !!python/object/apply:os.system ['touch hacked']", r"has an alias .* or a tag"),
        ("names: [&a cup, *a]", "has an alias"),
        ("names: [cup", "is not yaml"),
        ("names: " + "[" * 200_000, "is nested more than 8 deep"),
        ("names: [cup]\nday: 2001-99-99", "is not yaml"),
        ("names: [" + "1" * 5000 + "]", "is not yaml"),
        ("just text", "has no names"),
        ("names: [cup] #" + " " * LARGEST_YAML, f"has more than {LARGEST_YAML} bytes"),
    ],
)
def test_hostile_yaml_is_refused_on_one_line(folder, content, words):
    with pytest.raises(UserError, match=words) as caught:
        found(folder, content)
    assert str(caught.value).startswith(f"{folder}/data.yaml: ")
    assert "\n" not in str(caught.value)
    assert not Path("hacked").exists()


@given(
    content=st.binary(max_size=60)
    | st.text("names: [tri]{}!&*-'\"\n01", max_size=60).map(str.encode)
)
@settings(max_examples=60)
def test_whatever_a_yaml_holds_the_error_is_for_the_user(tmp_path_factory, content):
    root = tmp_path_factory.getbasetemp() / "any-yaml"
    root.mkdir(exist_ok=True)
    (root / "data.yaml").write_bytes(content)
    with pytest.raises(UserError, match=r"data\.yaml"):
        find_layout(root, print)


# ---- file names


@pytest.mark.parametrize("name", ["-rf.png", "a b.png", "Übung 杯.png", "a\u202fb.png", "%s.png"])
def test_unusual_file_names_work(folder, name):
    touch(folder, f"images/train/{name}")
    assert f"images/train/{name}" in found(folder, "names: [cup]\ntrain: images/train")["train"]


@pytest.mark.parametrize("name", ["a\nb.png", "a\tb.png", "a\u2028b.png", os.fsdecode(b"\xff.png")])
@pytest.mark.parametrize("place", ["images/train/{}", "images/train/deep {}/a.png"])
def test_file_names_that_break_lines_or_are_no_unicode_are_refused_by_name(folder, name, place):
    way = place.format(name)
    touch(folder, way)
    (folder / "data.yaml").write_text("names: [cup]\ntrain: images/train")
    with pytest.raises(UserError, match="has a line end, a control character or no Unicode") as e:
        read_yolo(folder)
    assert repr(way) in str(e.value)
    assert len(str(e.value).splitlines()) == 1
