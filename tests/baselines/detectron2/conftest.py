import pytest

from tests.baselines.detectron2.zoo import RETINANET_R50, built


@pytest.fixture(scope="module")
def detector():
    return built(RETINANET_R50, 3)
