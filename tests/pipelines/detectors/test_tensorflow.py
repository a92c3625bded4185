"""TensorFlow's detector keeps the contract."""

import dataclasses

import pytest

from baselines.tf_od.environment import PYTHON
from pipelines.data.prepared import load_prepared
from pipelines.runs.spec import DetectorName
from pipelines.training.run import detect_all
from tests.pipelines.detectors.contract import (
    CPU,
    SIZE,
    SPEC,
    build,
    is_kept,
    one_seed_gives_one_start,
    trained,
)

SPEC_TF = dataclasses.replace(
    SPEC, detector=DetectorName.SSD_MOBILENET_V2_TF, weight_decay=4e-5, learning_rate=0.02,
    iterations=60,
)  # fmt: skip


@pytest.mark.skipif(not PYTHON.exists(), reason="no TensorFlow here: make setup-tf")
@pytest.mark.slow
def test_contract(data, tmp_path):
    split, unseen = (load_prepared(data / str(SIZE), name) for name in ("train", "test"))
    detector, first, progress = trained(SPEC_TF, split, tmp_path)
    is_kept(detector, progress.history, detect_all(detector, unseen, SPEC_TF, CPU), unseen)
    first_again = build(SPEC_TF, split).state_dict()
    other_seed = build(dataclasses.replace(SPEC_TF, seed=1), split).state_dict()
    one_seed_gives_one_start(first, first_again, other_seed)
