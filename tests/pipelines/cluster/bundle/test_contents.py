"""Checksums and `bundle.json`: what was changed is named."""

import subprocess

import pytest

from pipelines.cluster.bundle.contents import Bundle, PackedRun, verify_sums, write_sums
from pipelines.system.errors import UserError

BUNDLE = Bundle(
    "quick",
    {"commit": None, "changed": False, "code_hash": "0" * 12},
    (PackedRun("sampler-dns-s0", "scenes-256", None, None),),
)


def test_a_bundle_is_read_as_it_was_written(tmp_path):
    (tmp_path / "bundle.json").write_text(BUNDLE.to_json())
    assert Bundle.read(tmp_path) == BUNDLE


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": 2}', '{"format": 1, "runs": 3}'])
def test_what_is_no_bundle_s_is_refused(tmp_path, text):
    (tmp_path / "bundle.json").write_text(text)
    with pytest.raises(UserError, match=r"bundle\.json: is not a bundle's"):
        Bundle.read(tmp_path)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "deep").mkdir()
    (tmp_path / "one.txt").write_text("one")
    (tmp_path / "deep/two.txt").write_text("two")
    write_sums(tmp_path, [tmp_path / "one.txt", tmp_path / "deep/two.txt"])
    return tmp_path


def test_sums_are_those_of_sha256sum(folder):
    verify_sums(folder)
    subprocess.run(["sha256sum", "--check", "--quiet", "SHA256SUMS"], cwd=folder, check=True)


def test_a_changed_and_a_missing_file_are_named(folder):
    (folder / "deep/two.txt").write_text("2")
    with pytest.raises(UserError, match=r"deep/two\.txt: is missing or has another checksum"):
        verify_sums(folder)
    (folder / "deep/two.txt").unlink()
    with pytest.raises(UserError, match=r"deep/two\.txt: is missing"):
        verify_sums(folder)


def test_an_empty_list_of_sums_has_verified_nothing(folder):
    (folder / "SHA256SUMS").write_text("")
    with pytest.raises(UserError, match="is empty"):
        verify_sums(folder)
