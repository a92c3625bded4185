"""The files that first weights come from."""

import pytest

from pipelines.detectors.weights import weights_fingerprint
from pipelines.system.errors import UserError


@pytest.mark.parametrize("init", ["absent.npz", "imagenet", "."])
def test_weights_that_are_not_there_are_named(init):
    with pytest.raises(UserError, match="give none, torchvision, zoo, or"):
        weights_fingerprint(init)
