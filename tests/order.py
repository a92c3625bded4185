"""The order of the tests' files: those that take long are begun first.

The processes of pytest-xdist take whole files in this order, so that none is left with a long one
at the end while the others have nothing to do.
"""

from collections.abc import Collection
from pathlib import Path

HERE = Path(__file__).parent
LONGEST = (
    "pipelines/detectors/test_contract.py",
    "baselines/tf_od/test_detector.py",
    "pipelines/detectors/test_tensorflow.py",
    "pipelines/own_data/test_workbench.py",
    "pipelines/cluster/bundle/test_bundle.py",
    "pipelines/cluster/test_survival.py",
    "pipelines/cluster/test_ray.py",
    "pipelines/cluster/test_slurm.py",
    "pipelines/evaluation/test_run.py",
    "pipelines/cluster/test_clones.py",
    "pipelines/evaluation/test_speed.py",
    "pipelines/training/health/test_rules.py",
    "pipelines/training/test_gpu.py",
    "pipelines/training/test_parallel.py",
    "pipelines/cluster/test_exchange.py",
    "pipelines/training/test_step.py",
)
"""By the time they take, about, the longest first."""


def rank(path: Path, slow: Collection[Path]) -> int:
    """Of a file: its place among the longest, behind them where it holds slow tests, else last."""
    name = path.relative_to(HERE).as_posix()
    return LONGEST.index(name) if name in LONGEST else len(LONGEST) + (path not in slow)
