"""A data set's fingerprint changes with its files, and with nothing else."""

import os
import shutil

import pytest

from pipelines.data.fingerprint import content_digest, state_digest


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own" / "labels").mkdir(parents=True)
    (tmp_path / "own" / "labels" / "1.txt").write_text("0 0.5 0.5 0.1 0.1")
    (tmp_path / "own" / "data.yaml").write_text("names: [fruit]")
    return tmp_path / "own"


def rewritten(file):
    """With another character, and everything but ctime as before."""
    before = file.stat()
    file.write_text(file.read_text().replace("0.1", "0.2"))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert file.stat().st_size == before.st_size


CHANGES = {
    "rewritten": lambda folder: rewritten(folder / "labels" / "1.txt"),
    "added": lambda folder: (folder / "labels" / "2.txt").touch(),
    "removed": lambda folder: (folder / "data.yaml").unlink(),
    "renamed": lambda folder: (folder / "data.yaml").rename(folder / "other.yaml"),
    "moved": lambda folder: (folder / "labels").rename(folder / "annotations"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("digest", [content_digest, state_digest])
def test_every_change_shows(folder, digest, change):
    before = digest(folder)
    assert digest(folder) == before
    CHANGES[change](folder)
    assert digest(folder) != before


def test_a_later_copy_has_the_same_content(folder, tmp_path):
    copy = shutil.copytree(folder, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    os.utime(copy / "data.yaml", (0, 0))
    assert content_digest(copy) == content_digest(folder)
    assert state_digest(copy) != state_digest(folder)


def test_version_control_in_the_folder_is_no_data(folder):
    before = content_digest(folder), state_digest(folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "index").write_text("1")
    assert (content_digest(folder), state_digest(folder)) == before


@pytest.mark.parametrize("digest", [content_digest, state_digest])
def test_links_are_followed_and_circles_end(folder, digest, tmp_path):
    folder.rename(tmp_path / "photographs")
    folder.mkdir()
    (folder / "images").symlink_to(tmp_path / "photographs")
    (folder / "images" / "circle").symlink_to(folder)
    (folder / "lost").symlink_to("nowhere")
    before = digest(folder)
    rewritten(folder / "images" / "labels" / "1.txt")
    assert digest(folder) != before


def test_a_name_of_no_unicode_is_taken(folder):
    before = content_digest(folder)
    with open(os.fsencode(folder) + b"/\xff.txt", "wb"):
        assert content_digest(folder) != before
