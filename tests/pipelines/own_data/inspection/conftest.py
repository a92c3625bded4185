import pytest

from tests.pipelines.own_data.inspection.hand_made import clean_data


@pytest.fixture
def clean():
    return clean_data()
