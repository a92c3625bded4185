"""What tests of several files train on."""

import shutil

import pytest

from pipelines.data.preparing import prepared_folder
from pipelines.system.paths import REPOSITORY
from tests.pipelines.own_coco import write_coco


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """A data set of one's own, of twenty images a split; what is prepared of it is removed."""
    folder = tmp_path_factory.mktemp("small") / "own"
    write_coco(folder)
    yield str(folder)
    name = prepared_folder(str(folder), 0).name.removesuffix("-0")
    for path in (REPOSITORY / "data").glob(f"*{name}-*"):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
