"""The report is one file that fetches nothing, says what the study says, and leads to its runs."""

import base64
import gzip
import json
import os
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import yaml

from pipelines.claims.ledger import COLUMNS
from pipelines.claims.statements import read_claims
from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.errors import UserError
from pipelines.queries import Study
from pipelines.report import plots
from pipelines.report.gallery import build_gallery, choose_images
from pipelines.report.page import render
from pipelines.report.runs import costs_by_device, describe_seconds, run_entries, stage_command
from pipelines.report.tables import label_rows, read_tables
from pipelines.report.verdicts import read_verdicts
from pipelines.runtime import REPOSITORY
from pipelines.scoring import match_records
from pipelines.spec import RunSpec

PAPERS = yaml.safe_load((REPOSITORY / "papers.yaml").read_text())
SEEDS = {"sampler-basic": [0], "sampler-dns": [0, 1], "original-attachment": [0]}
PARAMETERS = {
    "profiles": {
        "quick": {
            "runs": {
                "train": {"rows": list(SEEDS), "seeds": [0]},
                "repeat": {"rows": ["sampler-dns"], "seeds": [1]},
            }
        }
    }
}
SECONDS = {
    "sampler-basic-s0": 30,
    "sampler-dns-s0": 40,
    "sampler-dns-s1": 50,
    "original-attachment-s0": 60,
}
TABLE7 = """sampler,"AP, paper",AP,n,ΔAP [95 %],differs from the paper in
basic (3:1),36,9.5,1,reference,"S1 data, S5 optimiser"
dns,37,9.0 ± 0.4,2,"-0.5 [-1.8, +0.9]","S1 data, S4 first weights, S5 optimiser"
1:1,34,no run,0,—,"S1 data, S5 optimiser"
"""


@pytest.fixture(scope="module", autouse=True)
def _few_curves():
    """Two of the tables whose curves are drawn: each takes a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plots, "CURVES", ("table6", "table7"))
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Six drawn scenes to test on, prepared at 64×64, and their source."""
    sources = open_dataset(DatasetSpec("scenes", scenes=ScenesSpec(1, 1, 6, size=128)))
    folder = tmp_path_factory.mktemp("data") / "scenes-64"
    prepare(sources, folder, 64, progress=False)
    return folder, sources["test"]


@pytest.fixture(scope="module")
def study(tmp_path_factory, data):
    """Four runs: each finds the first object of every image, and nothing else but one wrong box."""
    prepared, source = data
    results = tmp_path_factory.mktemp("results") / "quick"
    manifest = json.loads((prepared / "manifest.json").read_text())
    truth = source.split.to_coco()
    firsts = {a["image_id"]: a for a in reversed(truth["annotations"])}
    found = [
        {
            "image_id": a["image_id"],
            "category_id": a["category_id"],
            "bbox": a["bbox"],
            "score": 0.9,
        }
        for a in firsts.values()
    ]
    found.append({**found[0], "bbox": [0.0, 0.0, 9.0, 9.0], "score": 0.95})
    matches = match_records(truth, found)
    rows = []
    for number, (name, seconds) in enumerate(SECONDS.items()):
        row, _, seed = name.rpartition("-s")
        folder = results / "runs" / name
        folder.mkdir(parents=True)
        cost = {
            "parameters": 10**6, "flops_an_image": 2 * 10**9, "training_seconds": seconds,
            "training_images": 480, "images_a_second": 12.5, "peak_memory_mib": 900.0,
        }  # fmt: skip
        record = {
            "data": manifest,
            "cost": cost,
            "machine": {"device": f"chip {number // 2}", "device_type": "cpu", "threads": 1},
            "code": {"commit": "0123456789abcdef", "changed": number == 0},
        }
        (folder / "run.json").write_text(json.dumps(record))
        (folder / "detections.json.gz").write_bytes(gzip.compress(json.dumps(found).encode()))
        matches.to_csv(folder / "matches.csv.gz", index=False)
        history = {
            "step": [10, 20, 20],
            "loss": [4.0, 2.0, np.nan],
            "validation_AP": [np.nan, np.nan, 7.0],
        }
        pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
        rows.append({
            "run": name, "row": row, "seed": int(seed), "AP": 9.0 + number, "AP50": 30.0 + number,
            "detector": "scale-aware-ssd", "input_size": 256, "parameters": 10**6,
        })  # fmt: skip
    (results / "tables").mkdir()
    (results / "tables" / "table7.csv").write_text(TABLE7)
    (results / "tables" / "table7.md").write_text("**Negative sampling**\n\n| a |\n\nA remark.\n")
    specs = {name: RunSpec(seed=int(name[-1])) for name in SECONDS}
    return Study("quick", {"dataset": "scenes"}, specs, pd.DataFrame(rows), results)


@pytest.fixture(scope="module")
def gallery(study, data):
    chosen = {"original": "original-attachment-s0", "custom": "sampler-dns-s0"}
    return build_gallery(study, chosen, *data)


@pytest.fixture(scope="module")
def claims(study):
    """`claims.csv` with each of three claims answered in its own way."""
    claims = read_claims(PAPERS)[:3]
    answers = ["reproduced", "contradicted", "reproduced"]
    rows = [
        dict.fromkeys(COLUMNS, "")
        | {
            "paper": c.paper.value,
            "place": c.place,
            "claim": c.text,
            "verdict": a,
            "why": "so <it> is",
        }
        for c, a in zip(claims, answers, strict=True)
    ]
    path = study.folder / "claims.csv"
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def page(study, gallery, claims):
    return render(study, PARAMETERS, PAPERS, gallery)


class Elements(HTMLParser):
    """Every start tag's name and attributes, and the ids."""

    def __init__(self, page):
        super().__init__()
        self.found, self.ids = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        self.ids += [value for name, value in attrs if name == "id"]

    def values(self, *names):
        return [own[name] for _, own in self.found for name in names if name in own]


def test_the_page_refers_to_nothing_but_itself_and_files_beside_it(page, study):
    references = Elements(page).values("src", "href", "srcset", "data", "action", "poster")
    fetched = [r for r in references if not r.startswith(("data:", "#"))]
    assert fetched
    assert all((study.folder / r).exists() for r in fetched)
    assert not re.search(r"https?://|url\(|@import", page)
    assert not {tag for tag, _ in Elements(page).found} & {"iframe", "object", "embed", "form"}


def test_ids_are_single_and_every_link_within_the_page_leads_somewhere(page):
    elements = Elements(page)
    assert len(elements.ids) == len(set(elements.ids))
    inside = {r[1:] for r in elements.values("href") if r.startswith("#")}
    assert inside <= set(elements.ids)


def test_every_run_has_its_folder_and_its_command(page):
    hrefs = Elements(page).values("href")
    commands = {
        "sampler-basic-s0": "dvc repro train@sampler-basic-0",
        "sampler-dns-s1": "dvc repro repeat@sampler-dns-1",
    }
    for name in SECONDS:
        assert f"runs/{name}/" in hrefs
        assert f"#run-{name}" in hrefs
    for name, command in commands.items():
        assert f'id="run-{name}"' in page
        assert f"<code>{command}</code>" in page


def test_every_picture_has_words_for_whoever_does_not_see_it(page):
    pictures = [own for tag, own in Elements(page).found if tag == "img"]
    assert pictures
    assert all(len(own["alt"]) > 10 for own in pictures)


def test_the_same_study_gives_the_same_bytes(page, study, gallery):
    assert render(study, PARAMETERS, PAPERS, gallery) == page
    assert str(study.folder) not in page
    assert str(REPOSITORY) not in page


def test_what_a_file_says_cannot_become_part_of_the_page(page):
    assert "So &lt;it&gt; is" in page
    assert "<it>" not in page


def test_without_a_gallery_the_page_says_how_to_get_one_and_shows_no_image(study, claims):
    photographs = replace(study, settings={"dataset": "laboro-mosaics"})
    page = render(photographs, PARAMETERS, PAPERS, None)
    assert "python -m pipelines.report quick --photographs" in page
    assert "data:image/webp" not in page


def test_without_claims_the_page_says_how_to_judge_them(study, gallery, claims):
    content = claims.read_text()
    claims.unlink()
    try:
        assert "python -m pipelines.claims quick" in render(study, PARAMETERS, PAPERS, gallery)
    finally:
        claims.write_text(content)


def test_verdicts_are_counted_by_paper_kind_and_place(claims):
    verdicts = read_verdicts(claims, read_claims(PAPERS))
    assert [(share.verdict, share.count) for share in verdicts.shares] == [
        ("reproduced", 2),
        ("contradicted", 1),
    ]
    assert [part.name for part in verdicts.parts] == ["Scale-aware SSD"]
    assert sum(len(place.judged) for kind in verdicts.parts[0].parts for place in kind.parts) == 3


def test_claims_that_papers_yaml_does_not_have_are_refused(claims):
    with pytest.raises(UserError, match=r"python -m pipelines\.claims"):
        read_verdicts(claims, read_claims(PAPERS)[1:])


def test_a_table_sets_the_paper_beside_ours_and_names_the_runs_of_a_row(study):
    entries = run_entries(study, PARAMETERS)
    (paper,) = read_tables(study.folder / "tables", PAPERS, entries)
    (view,) = paper.views
    assert (paper.title, view.title, view.caption) == (
        "Scale-aware SSD",
        "Table 7",
        "Negative sampling",
    )
    ap = view.headings[1]
    assert (ap.text, [column.kind for column in ap.columns]) == ("AP", ["paper", "ours"])
    assert [[run.name for run in row.runs] for row in view.rows] == [
        ["sampler-basic-s0"], ["sampler-dns-s0", "sampler-dns-s1"], [],
    ]  # fmt: skip
    assert [row.seconds for row in view.rows] == [30, 90, 0]
    # What all rows lack is said once, what one lacks in its row.
    assert view.departures == "S1 data, S5 optimiser"
    assert [row.cells[-1] for row in view.rows] == ["", "S4 first weights", ""]


def test_labels_lead_to_rows_of_the_right_paper():
    assert label_rows("table3", PAPERS)["custom SSD, custom training"] == "sampler-dns"
    assert label_rows("lapnet-table2a", PAPERS)["PONO, yes"] == "lapnet"
    assert label_rows("balance", PAPERS)["1:1"] == "sampler-one-to-one"
    assert label_rows("table1", PAPERS) == {}


def test_commands_name_the_pipeline_of_their_profile():
    assert stage_command("quick", "tables") == "dvc repro tables"
    assert (
        stage_command("reference", "train@a-0") == "dvc repro results/reference/dvc.yaml:train@a-0"
    )


def test_costs_add_up_by_device(study):
    costs = costs_by_device(list(run_entries(study, PARAMETERS).values()))
    assert [(cost.device, cost.runs, cost.seconds, cost.images) for cost in costs] == [
        ("chip 0, 1 thread", 2, 70, 960),
        ("chip 1, 1 thread", 2, 110, 960),
    ]


@pytest.mark.parametrize(("seconds", "words"), [(17.4, "17 s"), (372, "6.2 min"), (9000, "2.5 h")])
def test_a_time_is_said_in_a_fitting_unit(seconds, words):
    assert describe_seconds(seconds) == words


def test_curves_have_a_line_for_each_run_and_say_where_they_end(study):
    table6, table7 = plots.learning_curves(study, PAPERS)
    assert [key.label for key in table6.legend] == ["1/4/3.7"]
    assert [key.label for key in table7.legend] == ["basic (3:1)", "dns"]
    assert [list(key.runs) for key in table7.legend][1] == ["sampler-dns-s0", "sampler-dns-s1"]
    assert [panel.title for panel in table7.panels] == ["training loss", "validation AP, %"]
    assert "dns 2" in table7.panels[0].words
    assert "dns 7" in table7.panels[1].words


def test_the_gallery_says_what_is_found_and_what_is_false(gallery, data):
    objects = [
        sum(a.image_id == i.id for a in data[1].split.annotations) for i in data[1].split.images
    ]
    assert [shot.objects for shot in gallery.shots] == sorted(objects)
    truth, original, custom = zip(*(shot.layers for shot in gallery.shots), strict=True)
    assert [len(layer.marks) for layer in truth] == sorted(objects)
    # One true box an image; the wrong one scores higher, but without the true ones there is no F1.
    assert sum(mark.true for layer in original for mark in layer.marks) == 6
    assert sum(not mark.true for layer in original for mark in layer.marks) == 1
    assert original == custom
    assert f"1 of {max(objects)} objects found" in original[-1].summary
    assert (gallery.sources[0].title, gallery.sources[2].run) == ("ground truth", "sampler-dns-s0")
    # The best AP50 is the original's, the last in the ledger.
    assert gallery.first == 1


def test_the_gallery_s_images_range_from_few_objects_to_many(data):
    split = data[1].split
    counts = [
        sum(a.image_id == split.images[i].id for a in split.annotations)
        for i in choose_images(split, 3)
    ]
    every = sorted(sum(a.image_id == i.id for a in split.annotations) for i in split.images)
    assert (counts[0], counts[-1]) == (every[0], every[-1])
    assert counts == sorted(counts)


def test_a_run_that_was_scored_on_other_images_is_not_shown(study, data, tmp_path):
    folder = tmp_path / "runs" / "sampler-dns-s0"
    shutil.copytree(study.folder / "runs" / "sampler-dns-s0", folder)
    record = json.loads((folder / "run.json").read_text())
    record["data"]["splits"]["test"]["annotations_sha256"] = "another"
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="other test images"):
        build_gallery(replace(study, folder=tmp_path), {"dns": "sampler-dns-s0"}, *data)


class Browser:
    """Headless Chromium with one page, spoken to over DevTools' pipe."""

    def __init__(self, profile):
        commands, self._out = os.pipe()
        self._in, answers = os.pipe()
        flags = "--headless --no-sandbox --disable-gpu --disable-background-networking"
        # DevTools reads commands from descriptor 3 and answers on 4.
        pipe = f"--remote-debugging-pipe 3<&{commands} 4>&{answers}"
        script = f'exec chromium {flags} {pipe} "$1" about:blank'
        self._process = subprocess.Popen(
            ["bash", "-c", script, "chromium", f"--user-data-dir={profile}"],
            pass_fds=(commands, answers),
            stderr=subprocess.DEVNULL,
        )
        os.close(commands)
        os.close(answers)
        self._number, self._buffer, self._session, self.events = 0, b"", {}, []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = {"sessionId": attached["sessionId"]}

    def call(self, method, **parameters):
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while (answer := self._read()).get("id") != self._number:
            self.events.append(answer)
        return answer["result"]

    def open(self, path, width=1280):
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
        self.call("Emulation.setDeviceMetricsOverride", **size)
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.events.clear()
        self.call("Page.navigate", url=path.as_uri())
        while not self.named("Page.loadEventFired"):
            self.events.append(self._read())
        self.run("new Promise((done) => requestAnimationFrame(() => setTimeout(done)))")

    def named(self, *methods):
        return [e["params"] for e in self.events if e.get("method") in methods]

    def run(self, script):
        wanted = {"returnByValue": True, "awaitPromise": True}
        return self.call("Runtime.evaluate", expression=script, **wanted)["result"].get("value")

    def close(self):
        self._session = {}
        self.call("Browser.close")
        self._process.wait(timeout=60)
        os.close(self._in)
        os.close(self._out)

    def _read(self):
        while b"\0" not in self._buffer:
            if not (more := os.read(self._in, 1 << 20)):
                pytest.fail("chromium ended before it answered")
            self._buffer += more
        message, self._buffer = self._buffer.split(b"\0", 1)
        return json.loads(message)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if not shutil.which("chromium"):
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


def problems(browser):
    """Everything on the console, and every request beyond the file itself and its data URIs."""
    asked = [e["request"]["url"] for e in browser.named("Network.requestWillBeSent")]
    return (
        browser.named("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded"),
        [url for url in asked if not url.startswith(("data:", "file:"))],
    )


@pytest.fixture(scope="module")
def written(page, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page)
    return path


COMMITTED = sorted((REPOSITORY / "results").glob("*/report.html"))


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("report", [None, *COMMITTED], ids=lambda p: p.parent.name if p else "own")
def test_a_browser_opens_the_page_without_an_error_or_a_request(browser, written, report, width):
    path = report or written
    assert path.stat().st_size < 15_000_000
    browser.open(path, width)
    assert problems(browser) == ([], [])
    first, *_ = browser.named("Network.requestWillBeSent")
    assert first["request"]["url"] == path.as_uri()
    # Wide tables scroll in their own boxes, the page itself does not.
    assert browser.run("document.documentElement.scrollWidth") <= width
    broken = "[...document.images].filter((image) => !image.naturalWidth).length"
    assert browser.run(broken) == 0


@pytest.mark.slow
def test_a_browser_that_is_given_a_bad_page_would_tell(browser, tmp_path):
    bad = tmp_path / "bad.html"
    bad.write_text('<img src="http://127.0.0.1:9/x.png"><script>undefinedFunction()</script>')
    browser.open(bad)
    said, asked = problems(browser)
    assert asked == ["http://127.0.0.1:9/x.png"]
    assert any("undefinedFunction" in json.dumps(one) for one in said)


@pytest.mark.slow
def test_in_a_browser_one_flips_between_detectors_and_filters_claims(browser, written):
    browser.open(written)
    captions = "document.querySelectorAll('.shots figure:first-child figcaption span')"
    shown = f"[...{captions}].map((one) => getComputedStyle(one).display !== 'none')"
    assert browser.run(shown) == [False, True, False]
    browser.run("document.querySelector('#see-0').click()")
    assert browser.run(shown) == [True, False, False]
    browser.run("document.querySelector('.shots svg').dispatchEvent(new Event('click'))")
    assert browser.run(shown) == [False, True, False]
    browser.run("document.querySelector('.tile[data-verdict=contradicted]').click()")
    seen = "[...document.querySelectorAll('.claim')].filter((one) => one.offsetParent)"
    left = f"{seen}.map((one) => one.dataset.verdict)"
    assert browser.run(left) == ["contradicted"]


@pytest.mark.slow
def test_on_paper_every_claim_is_open(browser, written):
    browser.open(written)
    pdf = base64.b64decode(browser.call("Page.printToPDF")["data"])
    assert pdf.startswith(b"%PDF")
    browser.run("window.dispatchEvent(new Event('beforeprint'))")
    assert browser.run("document.querySelectorAll('main details:not([open])').length") == 0
