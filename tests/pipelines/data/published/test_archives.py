"""Honest archives come out byte for byte; all others leave the folder empty and a clear line."""

import io
import re
import shutil
import stat
import struct
import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.data.published.archives import BadArchiveError, unpack
from pipelines.system.errors import UserError
from tests.pipelines.data.published.loopback import full_disk

FILES = {"set/a.txt": b"first", "set/inner/b.bin": bytes(range(256)) * 40, "set/empty": b""}


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def take_out(archive: Path, folder: Path, **limits):
    unpack(archive, folder, **{"most_bytes": 10**8, "most_members": 100, **limits}, progress=False)


def content(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def write_zip(path: Path, files: dict[str, bytes], change=lambda info: None) -> Path:
    """A deflated zip; `change` alters each member's header."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as opened, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of duplicate names
        for name, data in files.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            change(info)
            opened.writestr(info, data)
    return path


def write_tar(path: Path, files: dict[str, bytes], mode="w", change=lambda info: None) -> Path:
    with tarfile.open(path, mode) as opened:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            change(info)
            opened.addfile(info, io.BytesIO(data[: info.size]))
    return path


def refused(archive: Path, folder: Path, message: str, **limits):
    """It is refused in one line that names the archive, and the folder is empty again."""
    with pytest.raises(BadArchiveError, match=message) as error:
        take_out(archive, folder, **limits)
    assert str(error.value).startswith(f"{archive}: ")
    assert "\n" not in str(error.value)
    assert list(folder.iterdir()) == []
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.zip", write_zip),
        ("a.tar", write_tar),
        ("a.tar.gz", lambda path, files: write_tar(path, files, "w:gz")),
    ],
)
def test_an_archive_comes_out_byte_for_byte(tmp_path, folder, name, write):
    take_out(write(tmp_path / name, FILES), folder)
    assert content(folder) == FILES


@settings(max_examples=20)
@given(st.dictionaries(st.from_regex(r"[a-c]{1,2}(/[d-f]{1,2}){0,2}", fullmatch=True), st.binary()))
def test_any_tree_of_plain_files_comes_out_the_same(tmp_path_factory, files):
    names = set(files)
    if any(str(parent) in names for name in names for parent in Path(name).parents):
        return
    tmp_path = tmp_path_factory.mktemp("tree")
    for archive in (write_zip(tmp_path / "z", files), write_tar(tmp_path / "t", files)):
        folder = tmp_path / f"out-{archive.name}"
        folder.mkdir()
        take_out(archive, folder)
        assert content(folder) == files


def test_rights_are_not_taken_over_and_junk_is_left_out(tmp_path, folder):
    def for_all(info):
        info.mode = 0o6777

    files = {"./set/a": b"x", "__MACOSX/set/._a": b"junk", "set/.DS_Store": b"junk"}
    take_out(write_tar(tmp_path / "a.tar", files, change=for_all), folder)
    assert content(folder) == {"set/a": b"x"}
    plain = folder / "plain"
    plain.touch()
    assert (folder / "set" / "a").stat().st_mode == plain.stat().st_mode


BAD_NAMES = {
    "../out-of-it": "leads outside",
    "set/../../out-of-it": "leads outside",
    "/tmp/out-of-it": "leads outside",
    "C:/out-of-it": "a drive letter",
    "c:out-of-it": "a drive letter",
    "set\\..\\out-of-it": "a backslash",
    f"set/{'n' * 256}": "more than 255 bytes",
    f"{'ü' * 128}/a": "more than 255 bytes",
}


@pytest.mark.parametrize(("name", "message"), BAD_NAMES.items())
@pytest.mark.parametrize("write", [write_zip, write_tar])
def test_a_name_that_leads_astray_is_refused(tmp_path, folder, write, name, message):
    archive = write(tmp_path / "a", {"good": b"x", name: b"x"})
    line = refused(archive, folder, message)
    assert repr(name[:80]) in line
    assert not list(tmp_path.rglob("out-of-it"))


def test_a_nul_in_a_name_is_refused(tmp_path, folder):
    archive = write_zip(tmp_path / "a.zip", {"good.txtX.exe": b"x"})
    archive.write_bytes(archive.read_bytes().replace(b"good.txtX", b"good.txt\0"))
    refused(archive, folder, "a NUL")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, b"6", b"S"])
def test_a_tar_s_links_devices_and_pipes_are_refused(tmp_path, folder, kind):
    def change(info):
        if info.name == "odd":
            info.type, info.linkname, info.size = kind, "/etc/passwd", 0

    archive = write_tar(tmp_path / "a.tar", {"good": b"x", "odd": b""}, change=change)
    refused(archive, folder, "member 'odd' is a link, a device or a sparse file")


def test_a_zip_s_symbolic_link_is_refused(tmp_path, folder):
    def change(info):
        info.create_system = 3
        info.external_attr = (stat.S_IFLNK | 0o777) << 16

    archive = write_zip(tmp_path / "a.zip", {"odd": b"/etc/passwd"}, change)
    refused(archive, folder, "member 'odd' is a link or a device")


def test_an_encrypted_member_is_refused(tmp_path, folder):
    archive = write_zip(tmp_path / "a.zip", {"secret": b"x"})
    data = bytearray(archive.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(signature) + offset] |= 1
    archive.write_bytes(data)
    refused(archive, folder, "member 'secret' is encrypted")


def test_a_name_that_is_there_twice_is_refused(tmp_path, folder):
    def change(info):
        info.filename = "same"
        info.orig_filename = "same"

    archive = write_zip(tmp_path / "a.zip", {"one": b"1", "two": b"2"}, change)
    refused(archive, folder, "member 'same' is there more than once")
    archive = write_tar(tmp_path / "a.tar", {"set/a": b"1", "./set//a": b"2"})
    refused(archive, folder, "is there more than once")


def test_a_file_that_is_a_folder_too_is_refused(tmp_path, folder):
    archive = write_tar(tmp_path / "a.tar", {"set/a": b"1", "set": b"2"})
    refused(archive, folder, "'set/a' lies in 'set', which is a file")


def test_bounds_on_members_and_bytes_hold(tmp_path, folder):
    archive = write_zip(tmp_path / "a.zip", {str(k): b"ten bytes!" for k in range(10)})
    take_out(archive, folder, most_members=10, most_bytes=100)
    (empty := tmp_path / "empty").mkdir()
    refused(archive, empty, "more than 9 members", most_members=9)
    refused(archive, empty, "100 bytes unpacked, more than the 99 allowed", most_bytes=99)


@pytest.mark.parametrize(
    "write", [write_zip, lambda path, files: write_tar(path, files, "w:gz")], ids=["zip", "tar.gz"]
)
def test_a_bomb_is_refused_for_its_ratio_alone(tmp_path, folder, write):
    archive = write(tmp_path / "bomb", {"zeros": bytes(20 * 2**20)})
    assert archive.stat().st_size < 100_000
    refused(archive, folder, "200 times its")


@pytest.mark.parametrize("declared", [3, 5000])
def test_a_size_that_is_not_true_is_found_out(tmp_path, folder, declared):
    archive = write_zip(tmp_path / "a.zip", {"liar": b"a" * 4000})
    data = bytearray(archive.read_bytes())
    struct.pack_into("<I", data, data.index(b"PK\x01\x02") + 24, declared)
    archive.write_bytes(data)
    refused(archive, folder, "member 'liar' is broken")


def test_what_comes_out_is_counted_whatever_the_reader_says(tmp_path, folder, monkeypatch):
    archive = write_zip(tmp_path / "a.zip", {"liar": b"a"})
    much = io.BytesIO(bytes(10**7))
    much.close = lambda: None  # type: ignore[method-assign]
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: much)
    refused(archive, folder, "'liar' .* does not hold the 1 bytes that it declares")
    assert much.tell() < 10**7


def test_a_wrong_byte_is_found_out(tmp_path, folder):
    archive = write_zip(tmp_path / "a.zip", FILES)
    archive.write_bytes(archive.read_bytes().replace(b"first"[:3], b"worst"[:3]))
    with zipfile.ZipFile(archive) as opened:
        start = opened.getinfo("set/inner/b.bin").header_offset + 60
    data = bytearray(archive.read_bytes())
    data[start] ^= 255
    archive.write_bytes(data)
    refused(archive, folder, r"member 'set/inner/b.bin' is broken")


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz"])
def test_an_archive_cut_anywhere_is_refused(tmp_path, folder, mode):
    path = tmp_path / "a"
    if mode == "zip":
        write_zip(path, FILES)
    else:
        write_tar(path, FILES, mode)
    whole = path.read_bytes()
    # A tar's members take whole blocks of 512 bytes; one of zeros ends it, the rest is padding.
    members = (1 + 1) + (1 + 20) + 1
    size = (members + 1) * 512 if mode == "w" else len(whole)
    for cut in {0, 1, 2, 100, 512, 1024, members * 512, size // 2, size - 1}:
        if cut < size:
            path.write_bytes(whole[:cut])
            refused(path, folder, "is broken, cut short or no zip or tar")


def test_what_is_no_archive_is_named(tmp_path, folder):
    page = tmp_path / "a.zip"
    page.write_text("<html>Sign in to this network</html>")
    refused(page, folder, "is broken, cut short or no zip or tar")
    with pytest.raises(UserError, match=f"{tmp_path}/none.zip: No such file"):
        take_out(tmp_path / "none.zip", folder)


def test_a_full_disk_is_one_clear_line_and_the_next_try_succeeds(tmp_path, folder, monkeypatch):
    archive = write_zip(tmp_path / "a.zip", FILES)
    with (
        full_disk(monkeypatch, str(folder), 9000),
        pytest.raises(UserError, match=f"{folder}: no space is left on its disk"),
    ):
        take_out(archive, folder)
    assert list(folder.iterdir()) == []
    take_out(archive, folder)
    assert content(folder) == FILES


def test_too_little_space_is_seen_before_the_first_byte(tmp_path, folder, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=10_244)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=re.escape(f"{folder}: 0.00 GB are needed")):
        take_out(write_zip(tmp_path / "a.zip", FILES), folder)


def test_a_folder_with_something_in_it_is_refused_and_left_alone(tmp_path, folder):
    (folder / "mine").write_text("keep")
    with pytest.raises(UserError, match="is not empty"):
        take_out(write_zip(tmp_path / "a.zip", FILES), folder)
    assert content(folder) == {"mine": b"keep"}
