"""Scenes that detectors are trained and tried on."""

import pytest

from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from tests.pipelines.detectors.contract import SIZE


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Eight drawn images to train on, and four to test, in a folder for each input size."""
    folder = tmp_path_factory.mktemp("scenes")
    counts = ScenesSpec(train=8, val=1, test=4)
    sources = open_dataset(DatasetSpec("scenes", scenes=counts))
    for size in (64, SIZE):
        prepare(sources, folder / str(size), size, progress=False)
    return folder
