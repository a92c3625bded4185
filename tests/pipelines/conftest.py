"""What tests of several files train on, and open their pages in."""

import shutil

import pytest

from pipelines.data.preparation import Preparation
from pipelines.data.preparing import ensure_prepared, prepared_folder
from pipelines.system.paths import DATA
from tests.pipelines.evidence.report.browser import Browser
from tests.pipelines.own_coco import write_coco


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A data set of one's own, of twenty images a split, prepared at 64 pixels until the end."""
    folder = tmp_path_factory.mktemp("small") / "own"
    write_coco(folder)
    ensure_prepared(Preparation(str(folder), 64))
    yield str(folder)
    name = prepared_folder(Preparation(str(folder), 0)).name.removesuffix("-0")
    for path in DATA.glob(f"*{name}-*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Chromium, where it is installed."""
    if not shutil.which("chromium"):
        pytest.skip("Chromium is not installed (Debian: apt-get install chromium)")
    browser = Browser(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()
