"""What a process learns of its machine."""

import pytest

from pipelines.system.machine import visible_gpus


@pytest.mark.parametrize(
    ("named", "count", "gpus"),
    [
        (None, 0, []),
        (None, 2, ["0", "1"]),
        ("5,7", 2, ["5", "7"]),
        ("5,-1,7", 1, ["5"]),  # CUDA looks no further than the first that is not there
        ("", 0, []),
    ],
)
def test_gpus_are_named_as_cuda_names_them(named, count, gpus, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if named is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", named)
    monkeypatch.setattr("torch.cuda.device_count", lambda: count)
    assert visible_gpus() == gpus
