"""Every published data set, in small, from a server on this machine to the loader's counts."""

import multiprocessing
import shutil
import sys

import pytest

from pipelines import fetch as program
from pipelines.data.prepared import load_prepared, prepare
from pipelines.data.published.catalogue import PUBLISHED
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.system.errors import UserError
from tests.pipelines.data.published.archives import (
    padded,
    pictures,
    small_archives,
    tarred,
    tomatod_annotations,
    tomatod_images,
    voc_year,
    zipped,
)
from tests.pipelines.data.published.fetched import SMALL, counts, fails, get, left
from tests.pipelines.data.published.loopback import closed_address, full_disk


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
    archives = publish(name, [padded(content) for content in small_archives(name)])
    server.files[archives[0]].drops = [17_000]
    assert counts(name, get(name, root)) == SMALL[name]
    assert [r.range for r in server.log if r.name == archives[0]] == [None, "bytes=16384-"]


def test_a_connection_that_keeps_dropping_is_resumed_by_the_next_call(publish, server, root):
    archives = publish("laboro-big", [padded(*small_archives("laboro-big"))])
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
    (archive,) = publish("laboro-big", [padded(*small_archives("laboro-big"))])
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
