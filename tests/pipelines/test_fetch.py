"""Every published data set, in small, from a server on this machine to the loader's counts."""

import errno
import hashlib
import io
import json
import multiprocessing
import os
import shutil
import sys
import tarfile
import zipfile
from collections.abc import Mapping, Set
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from pipelines import fetch as program
from pipelines.data.coco import read_coco
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.published import PUBLISHED, first_there
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.voc import read_voc
from pipelines.errors import UserError
from pipelines.fetch import fetch
from tests.pipelines.data.loopback import closed_address, full_disk, loopback

Files = Mapping[str, bytes]


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 60, 40)).save(stream, "jpeg")
    return stream.getvalue()


PICTURE = picture()
NAMES = ("unripe", "semi-ripe", "fully-ripe")


def coco_json(images: int, boxes: int, **change) -> bytes:
    """A COCO file with the boxes dealt out to the images, image by image."""
    content = {
        "images": [
            {"id": k, "file_name": f"{k}.jpg", "width": 8, "height": 8} for k in range(images)
        ],
        "categories": [{"id": k, "name": name} for k, name in enumerate(NAMES, start=1)],
        "annotations": [
            {
                "id": k + 1,
                "image_id": k % images,
                "category_id": k % 3 + 1,
                "bbox": [1, 1, 4, 4],
                "iscrowd": 0,
            }
            for k in range(boxes)
        ],
        **change,
    }
    return json.dumps(content).encode()


def pictures(folder: str, count: int) -> dict[str, bytes]:
    return {f"{folder}/{k}.jpg": PICTURE for k in range(count)}


def zipped(files: Files) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return stream.getvalue()


def tarred(files: Files, **links: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as opened:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            opened.addfile(info)
    return stream.getvalue()


TRAIN, TEST = (3, 7), (2, 4)
"""Images and boxes of the small sets."""


def voc_year(year: str, **parts: str) -> dict[str, bytes]:
    """One archive of VOC: image lists by part, the images of each named after it."""
    top = f"VOCdevkit/{year}"
    files = {}
    for part, name in parts.items():
        files[f"{top}/ImageSets/Main/{part}.txt"] = f"{name}\n".encode()
        files[f"{top}/JPEGImages/{name}.jpg"] = PICTURE
        files[f"{top}/Annotations/{name}.xml"] = (
            f"<annotation><filename>{name}.jpg</filename>"
            "<size><width>8</width><height>8</height></size>"
            "<object><name>cat</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>1</ymin>"
            "<xmax>4</xmax><ymax>5</ymax></bndbox></object></annotation>"
        ).encode()
    return files


def tomatod_images(top: str) -> bytes:
    images = pictures(f"{top}train", TRAIN[0]) | pictures(f"{top}test", TEST[0])
    return zipped(images | {f"__MACOSX/{top}train/._0.jpg": b"junk", f"{top}.DS_Store": b"junk"})


def tomatod_annotations(top: str) -> bytes:
    one_list = [{"id": 1, "name": list(NAMES)}]
    train = coco_json(*TRAIN).replace(b'"iscrowd"', b'"is_crowd"')
    test = coco_json(*TEST, categories=one_list)
    return zipped({f"{top}tomatOD_train.json": train, f"{top}tomatOD_test.json": test})


def small_archives(name: str) -> list[bytes]:
    """The archives of a data set in their true layout, in the catalogue's order."""
    train, test = coco_json(*TRAIN), coco_json(*TEST)
    if name == "tomatod":
        return [tomatod_images(""), tomatod_annotations("tomatOD_annotations/")]
    if name == "laboro-big":
        annotations = {"annotations/train.json": train, "annotations/test.json": test}
        files = annotations | pictures("train", TRAIN[0]) | pictures("test", TEST[0])
        return [zipped({f"laboro_tomato_big/{file}": content for file, content in files.items()})]
    if name == "voc":
        years = [
            voc_year("VOC2007", trainval="000005"),
            voc_year("VOC2007", test="000001"),
            voc_year("VOC2012", trainval="2008_000002"),
        ]
        return [tarred(year) for year in years]
    jsons = {"instances_train2017": train, "instances_val2017": test, "captions_val2017": b"{}"}
    return [
        zipped(pictures("train2017", TRAIN[0])),
        zipped(pictures("val2017", TEST[0])),
        zipped({f"annotations/{file}.json": content for file, content in jsons.items()}),
    ]


@pytest.fixture
def server(monkeypatch):
    with loopback(monkeypatch) as server:
        yield server


@pytest.fixture
def publish(server, monkeypatch):
    """Serve a small data set and let the catalogue point there; gives its archives' names."""

    def publish(name, contents=None, address=None, **change):
        archives = []
        for archive, content in zip(
            PUBLISHED[name].archives, contents or small_archives(name), strict=True
        ):
            server.serve(archive.name, content)
            md5 = None if archive.md5 is None else hashlib.md5(content).hexdigest()
            url = f"{address or server.address}/{archive.name}"
            archives.append(replace(archive, url=url, md5=md5))
        published = replace(PUBLISHED[name], archives=tuple(archives), **change)
        monkeypatch.setitem(PUBLISHED, name, published)
        return [archive.name for archive in archives]

    return publish


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def get(name: str, root: Path, **options) -> Path:
    return fetch(name, root, **{"report": lambda _: None, "progress": False, **options})


def left(root: Path) -> set[str]:
    """All that lies under the root but locks and empty folders."""
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(root)) for path in files}


def counts(name: str, folder: Path) -> dict[str, tuple[int, int]]:
    """Images and boxes of each split, as the loaders read them."""
    if name == "voc":
        splits = {split: read_voc(folder, split) for split in ("train", "test")}
    else:
        splits = {}
        for split, layout in PUBLISHED[name].layout.items():
            file = first_there(folder, layout.annotations) or folder
            images = first_there(folder, layout.images) or folder
            splits[split] = read_coco(file, images, report=lambda _: None)
    return {k: (len(split.images), len(split.annotations)) for k, split in splits.items()}


def fails(name: str, root: Path, message: str, *, stays: Set[str] = frozenset(), **options) -> str:
    """It fails in one line, without the folder, and with nothing of itself but what `stays`."""
    with pytest.raises(UserError, match=message) as error:
        get(name, root, **options)
    assert "\n" not in str(error.value)
    assert left(root) - {".downloads/downloads.json"} == stays
    assert not (root / PUBLISHED[name].folder).exists()
    return str(error.value)


SMALL = {
    "tomatod": {"train": TRAIN, "test": TEST},
    "laboro-big": {"train": TRAIN, "test": TEST},
    "voc": {"train": (2, 2), "test": (1, 1)},
    "coco": {"train": TRAIN, "test": TEST},
}


@pytest.mark.parametrize("name", SMALL)
def test_a_data_set_comes_from_the_server_to_the_loader(publish, server, root, name):
    archives = publish(name)
    reports: list[str] = []
    folder = get(name, root, report=reports.append)
    assert folder == root / PUBLISHED[name].folder
    assert counts(name, folder) == SMALL[name]
    assert [request.name for request in server.log] == archives
    (line,) = reports
    assert f"{PUBLISHED[name].gigabytes:g} GB" in line
    assert PUBLISHED[name].licence in line
    assert server.address in line
    assert not any("/." in f"/{path}" for path in left(root) - {".downloads/downloads.json"})
    assert get(name, root) == folder
    assert len(server.log) == len(archives)


@pytest.mark.parametrize("name", SMALL)
def test_what_is_named_is_fetched_counted_and_made_ready(publish, root, tmp_path, name):
    publish(name)
    reports: list[str] = []
    spec = DatasetSpec(name, root=str(root), validation_fraction=0)
    prepare(open_dataset(spec, report=reports.append), tmp_path / "ready", 8, progress=False)
    for split, (images, boxes) in SMALL[name].items():
        ready = load_prepared(tmp_path / "ready", split)
        assert (len(ready.images), len(ready.coco.annotations)) == (images, boxes)
    found, published = SMALL[name]["train"][0], PUBLISHED[name].counts["train"].images
    assert f"{name}: train: {found} images, published {published}" in reports


@pytest.mark.parametrize("top", ["", "tomatOD_images/", "images/"])
def test_a_top_folder_in_the_archive_makes_no_difference(publish, root, top):
    publish("tomatod", [tomatod_images(top), tomatod_annotations(top)])
    folder = get("tomatod", root)
    assert counts("tomatod", folder) == SMALL["tomatod"]
    assert sorted(path.name for path in folder.iterdir()) == [
        "tomatOD_annotations",
        "tomatOD_images",
    ]


@pytest.mark.parametrize("name", SMALL)
def test_a_dropped_connection_is_resumed(publish, server, root, name):
    archives = publish(name, [_padded(content) for content in small_archives(name)])
    server.files[archives[0]].drops = [17_000]
    assert counts(name, get(name, root)) == SMALL[name]
    assert [r.range for r in server.log if r.name == archives[0]] == [None, "bytes=16384-"]


def test_a_connection_that_keeps_dropping_is_resumed_by_the_next_call(publish, server, root):
    archives = publish("laboro-big", [_padded(*small_archives("laboro-big"))])
    server.files[archives[0]].drops = [17_000] + [0] * 3
    part = f".downloads/.{archives[0]}.part"
    fails("laboro-big", root, "the connection broke", stays={part, f"{part}.json"})
    assert counts("laboro-big", get("laboro-big", root)) == SMALL["laboro-big"]
    assert server.log[-1].range == "bytes=16384-"


@pytest.mark.parametrize("name", ["voc", "coco"])
def test_a_wrong_checksum_is_refused(publish, server, root, name):
    *others, last = publish(name)
    right = server.files[last].content
    server.files[last].content = right + b"more"
    stays = {f".downloads/{other}" for other in others}
    fails(name, root, f"{last}: the md5 is .* published is", stays=stays)
    server.files[last].content = right
    assert counts(name, get(name, root)) == SMALL[name]
    assert [request.name for request in server.log] == [*others, last, last]


def test_the_hash_seen_first_is_held_to(publish, server, root):
    archives = publish("laboro-big")
    shutil.rmtree(get("laboro-big", root))
    right = server.files[archives[0]].content
    server.files[archives[0]].content = right[:-1] + b"!"
    fails("laboro-big", root, "not the one seen first .* delete the line")
    server.files[archives[0]].content = right
    assert counts("laboro-big", get("laboro-big", root)) == SMALL["laboro-big"]


def bad_archives() -> dict[str, tuple[str, bytes, str]]:
    """The data set, what is served for its first archive, and what is said of it."""
    images = tomatod_images("")
    return {
        "truncated": ("tomatod", images[: len(images) // 2], "broken, cut short or no zip"),
        "traversal": ("tomatod", zipped({"train/../../evil": b""}), "leads outside the folder"),
        "symlink": ("laboro-big", tarred({"train/a": b""}, link="/etc"), "'link' is a link"),
        "incomplete": ("tomatod", zipped(pictures("train", 3)), "does not hold .*images/test"),
        "bomb": ("laboro-big", zipped({"bomb": bytes(2 * 10**6)}), "more than the 1000000"),
        "page": ("laboro-big", b"<html>sign in</html>", "no zip or tar"),
        "file and folder": ("laboro-big", tarred({"train/a": b"", "train": b""}), "is a file"),
    }


@pytest.mark.parametrize("case", bad_archives())
def test_a_bad_archive_leaves_nothing_and_the_next_try_succeeds(publish, server, root, case):
    name, content, message = bad_archives()[case]
    first, *_ = publish(name, most_bytes=10**6)
    right = server.files[first].content
    server.files[first].content = content
    fails(name, root, message)
    assert not list(root.parent.rglob("evil"))
    server.files[first].content = right
    assert counts(name, get(name, root)) == SMALL[name]


def test_archives_that_hold_the_same_file_twice_must_agree(publish, root):
    year = voc_year("VOC2007", trainval="000005")
    other = voc_year("VOC2007", test="000001") | {"VOCdevkit/VOC2007/JPEGImages/000005.jpg": b"x"}
    contents = [tarred(year), tarred(other), tarred(voc_year("VOC2012", trainval="2008_000002"))]
    names = publish("voc", contents)
    stays = {f".downloads/{name}" for name in names}
    fails("voc", root, r"000005\.jpg: two of the archives hold it, and not the same", stays=stays)


def test_a_disk_that_fills_up_while_unpacking_keeps_the_archives(
    publish, server, root, monkeypatch
):
    names = publish("tomatod")
    stays = {f".downloads/{name}" for name in names}
    with full_disk(monkeypatch, ".unpacked", 100):
        fails("tomatod", root, "no space is left on its disk; free some", stays=stays)
    assert counts("tomatod", get("tomatod", root)) == SMALL["tomatod"]
    assert [request.name for request in server.log] == names


def test_a_disk_that_fills_up_while_downloading_keeps_what_can_be_resumed(
    publish, server, root, monkeypatch
):
    (archive,) = publish("laboro-big", [_padded(*small_archives("laboro-big"))])
    part = f".downloads/.{archive}.part"
    with full_disk(monkeypatch, ".part", 20_000):
        fails("laboro-big", root, "no space is left", stays={part, f"{part}.json"})
    assert counts("laboro-big", get("laboro-big", root)) == SMALL["laboro-big"]
    assert server.log[-1].range == "bytes=16384-"


def test_without_network_the_way_out_is_told(publish, server, root):
    publish("laboro-big", address=closed_address())
    line = fails("laboro-big", root, "no connection to the server")
    assert "`python -m pipelines.fetch laboro-big --from FOLDER_OR_ARCHIVE`" in line
    assert f"{PUBLISHED['laboro-big'].archives[0].url}: " in line
    publish("laboro-big")
    assert counts("laboro-big", get("laboro-big", root)) == SMALL["laboro-big"]


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


def test_an_unknown_name_is_refused(root):
    fails_with = r"no data set 'tomato' to fetch; there are tomatod, laboro-big, voc, coco, dota"
    with pytest.raises(UserError, match=fails_with):
        get("tomato", root)


def test_a_root_that_cannot_be_written_is_named(publish, tmp_path):
    publish("tomatod")
    (tmp_path / "data").write_text("a file")
    with pytest.raises(UserError, match=f"{tmp_path}/data: File exists"):
        get("tomatod", tmp_path / "data")


def test_one_process_fetches_and_the_other_waits(publish, server, root):
    archives = publish("laboro-big")
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=get, args=("laboro-big", root)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert [request.name for request in server.log] == archives


def test_the_program_prints_the_folder(publish, root, monkeypatch, capsys):
    publish("tomatod")
    monkeypatch.setattr(sys, "argv", ["fetch", "tomatod", "--into", str(root)])
    program.main()
    assert capsys.readouterr().out.strip() == str(root / "tomatOD")


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


def _padded(archive: bytes) -> bytes:
    """The same archive, long enough to be interrupted: a comment or zeros behind it."""
    if not archive.startswith(b"PK"):
        return archive + bytes(20_000)
    stream = io.BytesIO(archive)
    with zipfile.ZipFile(stream, "a") as opened:
        opened.comment = b"-" * 40_000
    return stream.getvalue()


def _fail_to_link(*_):
    raise OSError(errno.EXDEV, "Invalid cross-device link")
