"""What the user has already, as archives or unpacked, in the place of a download."""

import errno
import os
import shutil
from pathlib import Path

import pytest

from pipelines.data.published.catalogue import PUBLISHED
from tests.pipelines.data.published.fetched import SMALL, counts, fails, get, left


@pytest.mark.parametrize("name", SMALL)
def test_the_user_s_archives_are_taken_from_their_folder(publish, server, root, tmp_path, name):
    mine = save(tmp_path / "mine", publish(name), server)
    assert counts(name, get(name, root, source=[mine])) == SMALL[name]
    assert server.log == []
    assert len(list(mine.iterdir())) == len(PUBLISHED[name].archives)


@pytest.mark.parametrize("name", ["voc", "coco"])
def test_archives_of_any_name_are_told_by_their_md5(publish, server, root, tmp_path, name):
    mine = save(tmp_path / "mine", publish(name), server)
    files = [path.rename(mine / f"{k}") for k, path in enumerate(sorted(mine.iterdir()))]
    assert counts(name, get(name, root, source=files[::-1])) == SMALL[name]


def test_archives_without_md5_are_taken_in_the_catalogue_s_order(publish, server, root, tmp_path):
    mine = save(tmp_path / "mine", publish("tomatod"), server)
    images, annotations = (mine / a.name for a in PUBLISHED["tomatod"].archives)
    images, annotations = images.rename(mine / "z"), annotations.rename(mine / "a")
    fails("tomatod", root, "does not hold", source=[annotations, images])
    folder = get("tomatod", root, source=[images, annotations])
    assert counts("tomatod", folder) == SMALL["tomatod"]


def test_a_user_s_archive_with_the_wrong_md5_is_refused(publish, server, root, tmp_path):
    first, *_ = publish("voc")
    mine = save(tmp_path / "mine", list(server.files), server)
    (mine / first).write_bytes(b"other")
    fails("voc", root, f"{first}: the md5 is .*, that of {first} is", source=[mine])


def test_archives_that_are_not_given_are_named(publish, server, root, tmp_path):
    first, second, third = publish("voc")
    mine = save(tmp_path / "mine", [first], server)
    fails("voc", root, f"add {second}, {third}", source=[mine])
    fails("voc", root, "no such file or folder", source=[mine / "none"])


@pytest.mark.parametrize("inside", ["", "tomatOD"])
def test_an_unpacked_set_is_copied_without_what_lies_beside(publish, root, tmp_path, inside):
    publish("tomatod")
    mine = tmp_path / "mine" / inside
    mine.parent.mkdir(exist_ok=True)
    get("tomatod", tmp_path / "elsewhere").rename(mine)
    (mine / "tomatOD_images.zip").write_bytes(b"mine")
    folder = get("tomatod", root, source=[tmp_path / "mine"])
    assert counts("tomatod", folder) == SMALL["tomatod"]
    assert not (folder / "tomatOD_images.zip").exists()
    assert counts("tomatod", mine) == SMALL["tomatod"]


def test_an_unpacked_set_is_copied_where_links_are_not_possible(root, tmp_path, monkeypatch):
    mine = by_hand(tmp_path / "mine")
    linked = get("dota", root, source=[mine])
    monkeypatch.setattr(os, "link", _fail_to_link)
    copied = get("dota", root / "other", source=[mine])
    assert left(linked) == left(copied) == left(mine)
    inodes = {(f / "train/images/a").stat().st_ino for f in (linked, copied, mine)}
    assert len(inodes) == 2


def test_a_set_that_is_got_by_hand_says_how(root, tmp_path):
    line = fails("dota", root, "get DOTA v1.0, train and val, by hand from https://captain-whu")
    assert "`python -m pipelines.fetch dota --from FOLDER`" in line
    mine = by_hand(tmp_path / "mine")
    shutil.rmtree(mine / "val" / "labelTxt")
    fails("dota", root, f"{mine}: has no val/labelTxt; get DOTA", source=[mine])


def save(folder: Path, names: list[str], server) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(server.files[name].content)
    return folder


def by_hand(folder: Path) -> Path:
    for part in PUBLISHED["dota"].paths:
        (folder / part).mkdir(parents=True)
        (folder / part / "a").write_text(part)
    return folder


def _fail_to_link(*_):
    raise OSError(errno.EXDEV, "Invalid cross-device link")
