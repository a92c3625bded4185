"""DOTA's folders with faults in them: named, refused, or dropped on request."""

import os
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipelines.data.formats.dota import MOST_PIXELS
from pipelines.data.formats.text_files import LARGEST_FILE
from pipelines.data.images import image_size, load_image
from pipelines.data.records import CocoSplit, ImageRecord
from pipelines.data.sources import FolderSource
from pipelines.system.errors import UserError
from tests.pipelines.data.formats.dota_files import HEAD, UPRIGHT, Dota

# ---- broken lines

BROKEN_LINES = [
    ("2 3 12 3 12 9 2 9", "has 8 fields, not ten", "not of ten fields"),
    ("2 3 12 3 12 9 2 9 harbor 0 0", "has 11 fields, not ten", "not of ten fields"),
    ("gsd:0.1", "has 1 fields, not ten", "not of ten fields"),
    ("2 3 12 3 12 9 2 nine harbor 0", "12 9 2 nine, which are not eight", "not of numbers"),
    ("2 3 12 3 12 9 2 nan harbor 0", "nan, which are not finite", "not finite"),
    ("2 3 12 3 12 9 2 1e999 harbor 0", "1e999, which are not finite", "not finite"),
    ("2 3 2 3 2 9 2 9 harbor 0", "which has no area", "without area"),
    ("30 3 42 3 42 9 30 9 harbor 0", r"lies outside its image of 20x25", "outside the image"),
    ("2 -9 12 -9 12 0 2 0 harbor 0", r"\(2, -9\) to \(12, 0\), which lies", "outside the image"),
    ("2 3 12 3 12 9 2 9 boat 0", "has the unknown class 'boat'", "of unknown class"),
    ("2 3 12 3 12 9 2 9 harbor 3", "has difficult '3', which is", "with difficult not 0, 1 or 2"),
]


@pytest.mark.parametrize(("line", "words", "kind"), BROKEN_LINES)
def test_a_broken_line_stops_the_run_or_is_dropped_and_reported(dota, line, words, kind):
    file = dota.label("train", "P0002")
    file.write_text(f"{HEAD}{UPRIGHT}{line}\n{line}\n")
    with pytest.raises(UserError, match=words) as caught:
        dota.read()
    assert str(caught.value).startswith(f"{file}: line 4 has ")
    assert "--drop-broken" in str(caught.value)
    split = dota.read(drop_broken=True)
    assert [a.image_id for a in split.annotations] == [2, 2, 2, 3]
    assert f"{dota.path / 'train'}: dropped 2 broken boxes: 2 {kind}" in dota.reports


def test_a_split_of_difficult_objects_only_is_refused(dota):
    dota.label("val", "P0003").write_text("2 3 12 3 12 9 2 9 harbor 1")
    with pytest.raises(UserError, match="val: no boxes in the split but difficult ones"):
        dota.read("test")


# ---- broken folders and hostile files


def test_an_image_without_a_label_file_and_the_other_way_round(dota):
    label = dota.label("train", "P0002")
    label.rename(label.with_stem("P0009"))
    with pytest.raises(UserError, match=r"images/P0002\.png: has no label file .*P0002\.txt"):
        dota.read()
    dota.image("train", "P0002.png").unlink()
    with pytest.raises(UserError, match=r"labelTxt/P0009\.txt: has no image in .*images"):
        dota.read()


def test_two_images_of_one_name(dota):
    Image.new("RGB", (40, 30)).save(dota.image("train", "P0000.png"))
    with pytest.raises(UserError, match=r"P0000\.png: has the name of P0000\.jpg"):
        dota.read()


@pytest.mark.parametrize("folder", ["images", "labelTxt"])
def test_a_missing_folder_is_named(dota, folder):
    (dota.path / "train" / folder).rename(dota.path / "elsewhere")
    with pytest.raises(UserError, match=f"train/{folder}: .*; unpack DOTA's archives"):
        dota.read()


@pytest.mark.parametrize("name", ["P0001\n", "a\u2028b"])
@pytest.mark.parametrize(("folder", "ending"), [("images", ".png"), ("labelTxt", ".txt")])
def test_names_of_more_than_one_line_are_refused(dota, name, folder, ending):
    (dota.path / "train" / folder / f"{name}{ending}").write_text("")
    with pytest.raises(UserError, match="has a line end, a control character") as caught:
        dota.read()
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["P 1", "Ünder", "P1.train__1__0___0", "$(ls)"])
def test_other_names_are_good(dota, name):
    dota.add("train", f"{name}.png", (20, 20), UPRIGHT)
    assert f"{name}.png" in [image.file_name for image in dota.read().images]


@pytest.mark.parametrize(("folder", "name"), [("images", "P0005.png"), ("labelTxt", "P0005.txt")])
def test_links_that_lead_outside_are_refused(dota, tmp_path, folder, name):
    (tmp_path / name).write_text("secret")
    (dota.path / "train" / folder / name).symlink_to(tmp_path / name)
    with pytest.raises(UserError, match=f"{name}' leads outside .*{folder}") as caught:
        dota.read()
    assert "secret" not in str(caught.value)


def test_what_is_no_file_is_refused_and_not_waited_for(dota):
    os.mkfifo(dota.label("train", "P0005"))
    with pytest.raises(UserError, match=r"'P0005\.txt' is no file"):
        dota.read()


def png_head(width: int, height: int) -> bytes:
    """The beginning of a grey png that claims a size, and nothing behind it."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def with_size_claimed(dota: Dota, width: int, height: int) -> None:
    rest = struct.pack(">I", 0) + b"IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
    dota.image("train", "P0002.png").write_bytes(png_head(width, height) + rest)


def test_a_header_is_believed_up_to_dotas_own_limit(dota):
    limit = Image.MAX_IMAGE_PIXELS
    assert limit is not None
    assert 2 * limit < MOST_PIXELS == 20_000**2
    with_size_claimed(dota, 20_000, 20_000)
    assert dota.read().images[2] == ImageRecord(3, "P0002.png", 20_000, 20_000)
    with_size_claimed(dota, 20_001, 20_000)
    with pytest.raises(UserError, match=rf"P0002\.png: is larger than {MOST_PIXELS} pixels"):
        dota.read()
    assert limit == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize("content", [b"", b"\x00\xff" * 50, png_head(8, 8)[:20], b"P0001"])
def test_an_image_file_that_is_none(dota, content):
    dota.image("train", "P0002.png").write_bytes(content)
    with pytest.raises(UserError, match=r"P0002\.png: cannot be decoded"):
        dota.read()


def test_a_label_file_of_more_than_the_limit_is_refused(dota):
    before = dota.read()
    file = dota.label("train", "P0002")
    file.write_text(UPRIGHT.ljust(LARGEST_FILE))
    assert dota.read() == before
    file.write_text(UPRIGHT.ljust(LARGEST_FILE + 1))
    with pytest.raises(UserError, match=rf"P0002\.txt: has more than {LARGEST_FILE} bytes"):
        dota.read()


def test_a_label_file_that_is_no_text(dota):
    dota.label("train", "P0002").write_bytes(b"\xff\xfe\x00junk")
    with pytest.raises(UserError, match=r"P0002\.txt: is not text in UTF-8"):
        dota.read(drop_broken=True)


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_whatever_the_files_hold_the_error_is_for_the_user(tmp_path_factory, content):
    dota = Dota(tmp_path_factory.getbasetemp() / "any")
    dota.add("train", "P1.png", (8, 8), "")
    dota.label("train", "P1").write_bytes(content)
    with pytest.raises(UserError):
        dota.read()
    for junk in (content, png_head(8, 8) + content):
        dota.image("train", "P1.png").write_bytes(junk)
        with pytest.raises(UserError):
            dota.read()


# ---- the limit of pixels


@pytest.fixture
def picture(tmp_path, monkeypatch):
    """An 8x8 picture, which is above PIL's limit for the time of the test."""
    Image.new("RGB", (8, 8), "green").save(tmp_path / "a.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    return tmp_path / "a.png"


RECORD = ImageRecord(1, "a.png", 8, 8)


def test_a_caller_raises_the_limit_and_finds_it_as_it_was(picture):
    split = CocoSplit((RECORD,), (), ())
    assert FolderSource(split, picture.parent, most_pixels=64).image(0).shape == (8, 8, 3)
    assert image_size(picture, most_pixels=64) == (8, 8)
    assert Image.MAX_IMAGE_PIXELS == 10
    with pytest.raises(UserError, match="is larger than 10 pixels"):
        FolderSource(split, picture.parent).image(0)


@pytest.mark.parametrize("most_pixels", [63, 1])
def test_above_the_callers_limit_is_refused_and_pils_is_as_it_was(picture, most_pixels):
    with pytest.raises(UserError, match=rf"a\.png .*is larger than {most_pixels} pixels"):
        load_image(picture, RECORD, most_pixels=most_pixels)
    with pytest.raises(UserError, match=rf"a\.png: is larger than {most_pixels} pixels"):
        image_size(picture, most_pixels=most_pixels)
    assert Image.MAX_IMAGE_PIXELS == 10
