"""The command's page and its printed summary: whole, harmless, and of nothing but the data."""

import json
import re
import sys
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipelines.data.records import ImageRecord
from pipelines.inspect import main
from pipelines.own_data.inspection.objects import read_objects
from pipelines.own_data.inspection.page import build_page
from pipelines.own_data.inspection.pictures import SAMPLED, surroundings
from pipelines.own_data.inspection.suspicions import suspicions
from pipelines.own_data.inspection.terminal import default_folder, summary, write_page
from pipelines.system.errors import UserError, run_cli
from tests.pipelines.own_data.inspection.hand_made import clean_data

HOSTILE = ("<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', "$_x$ \x1b[31m\ud800")


class Elements(HTMLParser):
    """Every start tag's name and attributes."""

    def __init__(self, page):
        super().__init__()
        self.found = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


@pytest.fixture(scope="module")
def hostile():
    """Names that would be run, drawn as formulas or obeyed; and something to suspect."""
    data = clean_data()
    for name, own in data.items():
        own.names = HOSTILE
        own.files[0] = f"{name}'\"><b onload=alert(3)>\n.png"
        own.sizes = own.sizes[:14]
        own.objects = [o for o in own.objects if o[0] < 14]
        own.add((10.0, 10.0, 60.0, 50.0), 1)
        own.add((150.0, 20.0, 3.0, 9.0), 2)
    return data


@pytest.fixture(scope="module")
def page(hostile):
    found = suspicions(hostile, input_size=200)
    assert len(found) > 3
    return build_page("folder/<i>of</i> mine", hostile, found, 200, pixels=False)


def test_the_page_fetches_nothing_and_runs_nothing(page):
    elements = Elements(page).found
    references = [
        own[name]
        for _, own in elements
        for name in ("src", "href", "srcset", "data", "action", "poster")
        if name in own
    ]
    assert len(references) > 3 * SAMPLED
    assert all(reference.startswith(("data:", "#")) for reference in references)
    assert not re.search(r"https?://|url\(|@import", page)
    assert not {tag for tag, _ in elements} & {"script", "iframe", "object", "embed", "form"}


def test_names_from_the_data_set_are_text_and_nothing_else(page):
    elements = Elements(page).found
    assert not {tag for tag, _ in elements} & {"i"}
    assert not [name for _, own in elements for name in own if name.startswith("on")]
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page
    assert r"$_x$ \x1b[31m\ud800" in page
    page.encode()


def test_every_image_has_words_and_every_link_leads_somewhere(page):
    elements = Elements(page).found
    ids = [own["id"] for _, own in elements if "id" in own]
    assert len(ids) == len(set(ids))
    assert {own["href"][1:] for tag, own in elements if tag == "a"} <= set(ids)
    assert all(own.get("alt") for tag, own in elements if tag == "img")


def test_each_split_is_sampled_and_each_suspicion_shown(page):
    captions = re.findall(r"<figcaption>(\w+)-\d\d\.png\s", page)
    assert len(captions) >= 3 * (SAMPLED - 1)
    assert "annotation" in page
    assert page.count('class="mark"') > 3 * SAMPLED


def test_a_data_set_without_training_objects_has_a_page_too(clean):
    for own in clean.values():
        own.sizes, own.objects = own.sizes[:2], []
    page = build_page("empty", clean, suspicions(clean, input_size=200), 200)
    assert "Image without objects" in page


def test_the_summary_prints_no_control_characters(hostile):
    text = summary(read_objects(hostile), suspicions(hostile, input_size=200))
    assert text.replace("\n", "").isprintable()
    assert "!! two classes for one object" in text


def test_nothing_suspicious_is_said(clean):
    assert summary(read_objects(clean), []).endswith("Nothing suspicious.")
    assert "Nothing suspicious." in build_page("clean", clean, [], 200)


@given(*[st.floats(0, 1)] * 4, st.integers(1, 300), st.integers(1, 300))
def test_a_crop_holds_the_box_and_stays_in_the_image(x, y, width, height, wide, tall):
    box = x * wide, y * tall, width * (1 - x) * wide, height * (1 - y) * tall
    left, top, right, bottom = surroundings(box, ImageRecord(1, "a", wide, tall))
    assert 0 <= left <= box[0]
    assert 0 <= top <= box[1]
    assert box[0] + box[2] <= right + 1e-9
    assert box[1] + box[3] <= bottom + 1e-9
    assert right <= wide
    assert bottom <= tall


def test_the_command_writes_one_whole_page(tmp_path, clean, monkeypatch, capsys):
    folder = tmp_path / "own"
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    for name in ("train", "test"):
        own = clean[name]
        own.sizes, own.objects = own.sizes[:12], [o for o in own.objects if o[0] < 12]
        own.files = {i: f"{name}-{chr(ord('a') + i)}.png" for i in range(12)}
        (folder / "annotations" / f"{name}.json").write_text(json.dumps(own.split.to_coco()))
        for i, record in enumerate(own.split.images):
            Image.fromarray(own.image(i)).save(folder / "images" / record.file_name)
    out = tmp_path / "out"
    monkeypatch.setattr(sys, "argv", ["inspect", str(folder), "--out", str(out)])
    run_cli(main)
    assert [path.name for path in out.iterdir()] == ["index.html"]
    assert (out / "index.html").read_text().endswith("</html>")
    said = capsys.readouterr().out
    assert "python -m pipelines.adapt" in said
    assert "Nothing suspicious." in said


def test_a_page_that_cannot_be_written_is_told_and_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="cannot be written"):
        write_page(tmp_path / "file" / "index.html", "page")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_named_data_set_has_a_folder_of_its_name_and_a_path_one_of_letters():
    assert default_folder("laboro", 512).parts[-2:] == ("inspect", "laboro")
    assert re.fullmatch(r"own-[0-9a-f]{8}", default_folder("../a b", 320).name)
