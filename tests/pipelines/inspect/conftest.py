import pytest

from tests.pipelines.inspect.hand_made import clean_data


@pytest.fixture
def clean():
    return clean_data()
