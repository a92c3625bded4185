"""The page in a real browser: no error, no request, and it answers clicks."""

import base64
import json

import pytest

from pipelines.system.paths import REPOSITORY

COMMITTED = sorted((REPOSITORY / "results").glob("*/report.html"))


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
