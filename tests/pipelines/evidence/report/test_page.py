"""The page is one file that fetches nothing, says what the study says, and leads to its runs."""

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

from pipelines.evidence.report import plots
from pipelines.evidence.report.page import render
from pipelines.system.paths import REPOSITORY
from tests.pipelines.evidence.report.declared import PAPERS, PARAMETERS, SECONDS
from tests.pipelines.evidence.tiny_paper import tiny_paper


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
        "sampler-basic-s0": "dvc repro train@sampler-basic-s0",
        "sampler-dns-s1": "dvc repro train@sampler-dns-s1",
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


def test_another_paper_has_a_page_of_its_own(study, gallery, tmp_path):
    ignored = shutil.ignore_patterns("claims.csv")
    shutil.copytree(study.folder, tmp_path / "quick", ignore=ignored)
    own = replace(study, folder=tmp_path / "quick")
    page = render(own, PARAMETERS, tiny_paper(tmp_path / "papers"), gallery)
    assert "Published object detectors, Tiny paper, trained" in page
    assert "Scale-aware SSD" not in page
    assert "LapNet" not in page


def test_what_a_file_says_cannot_become_part_of_the_page(page):
    assert "So &lt;it&gt; is" in page
    assert "<it>" not in page


def test_the_main_findings_come_first_with_their_figures(page):
    assert "There are &lt;222&gt; images." in page
    assert page.index('id="findings"') < page.index('id="claims-scale-aware-ssd"')


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


def test_curves_have_a_line_for_each_run_and_say_where_they_end(study):
    table6, table7 = plots.learning_curves(study, PAPERS)
    assert [key.label for key in table6.legend] == ["1/4/3.7"]
    assert [key.label for key in table7.legend] == ["basic (3:1)", "dns"]
    assert [list(key.runs) for key in table7.legend][1] == ["sampler-dns-s0", "sampler-dns-s1"]
    assert [panel.title for panel in table7.panels] == ["training loss", "validation AP, %"]
    assert "dns 2" in table7.panels[0].words
    assert "dns 7" in table7.panels[1].words


def test_the_images_that_runs_see_are_a_range_from_the_fewest_to_the_most(study, gallery):
    name, spec = next(iter(study.specs.items()))
    least = replace(spec, iterations=1, batch_size=2)
    most = replace(spec, iterations=1000, batch_size=5)
    specs = {**study.specs, name: least, "another-s0": most}
    page = render(replace(study, specs=specs), PARAMETERS, PAPERS, gallery)
    shown = re.search(r"Images a run sees</dt><dd>(\S+) to (.*?) <small>", page)
    assert shown
    assert [re.sub(r"\D", "", end) for end in shown.groups()] == ["2", "5000"]
