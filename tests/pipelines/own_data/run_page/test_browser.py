"""The page in a real browser, wide and on a phone: no error, no request, nothing cut off."""

import pytest

from tests.pipelines.evidence.report.test_browser import problems
from tests.pipelines.own_data.inspection.test_page import HOSTILE
from tests.pipelines.own_data.run_page.test_page import HEALTH, make_page, write_run
from tests.pipelines.own_data.run_page.two_photographs import A1, B1


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pages")
    run = write_run(folder / "run", health=HEALTH)
    many = {
        "names": [f"{HOSTILE[k % 3]} {k} and a name that is long" for k in range(30)],
        "objects": [(1, k, A1 if k % 2 else B1) for k in range(1, 31)],
    }
    made = {"run": make_page(run=run), "nothing": make_page([]), "many": make_page(**many)}
    for name, page in made.items():
        (folder / f"{name}.html").write_text(page)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", ["run", "nothing", "many"])
def test_a_browser_opens_the_page_without_an_error_or_a_request(browser, pages, name, width):
    browser.open(pages / f"{name}.html", width)
    assert problems(browser) == ([], [])
    # Wide tables scroll in their own boxes, the page itself does not.
    assert browser.run("document.documentElement.scrollWidth") <= width
    broken = "[...document.images].filter((image) => !image.naturalWidth).length"
    assert browser.run(broken) == 0
