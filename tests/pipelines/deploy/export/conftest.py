"""Detectors of each kind as graphs."""

import pytest
import torch

from pipelines.deploy.export.graph import add_metadata, export_graph
from tests.pipelines.deploy.export.graphs import CATEGORIES, SPECS, calibrated


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def exported():
    """Detector and model of each kind, made when a file's tests first ask for it."""
    made = {}

    def get(kind):
        if kind not in made:
            detector = calibrated(SPECS[kind])
            model = export_graph(detector)
            add_metadata(model, detector, CATEGORIES, {"run": kind})
            made[kind] = detector, model
        return made[kind]

    return get
