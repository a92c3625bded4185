"""Train one run of a bundle: `python -m pipelines.cluster.bundle.one_run RUN S`.

Started by the worker. Killed at any moment and started again, it goes on from its last checkpoint.
"""

from __future__ import annotations

import argparse
import json

from pipelines.cluster.bundle.contents import DATA, SPECS, TRAINED, WEIGHTS, Bundle
from pipelines.cluster.bundle.unscored import keep_validation, write_unscored
from pipelines.runs.spec import RunSpec
from pipelines.system.allocator import tune_allocator
from pipelines.system.errors import run_cli
from pipelines.system.paths import REPOSITORY
from pipelines.training.run import FirstWeights, Training, train_and_detect


def train_packed(name: str, *, weights: bool, checkpoint_seconds: float) -> None:
    """Train a run of the bundle that this code lies in, to `trained/RUN/`.

    Args:
        name: of the run.
        weights: whether its weights are kept.
        checkpoint_seconds: least time between two checkpoints.
    """
    (run,) = (run for run in Bundle.read(REPOSITORY).runs if run.name == name)
    path = REPOSITORY / SPECS / f"{name}.json"
    spec = RunSpec.parse(json.loads(path.read_text()), str(path))
    first = None
    if run.weights and run.weights_sha256:
        first = FirstWeights(REPOSITORY / WEIGHTS / run.weights, run.weights_sha256)
    validations = REPOSITORY / ".checkpoints" / f"{name}-{spec.hash}-validations"
    done = train_and_detect(
        spec,
        Training(
            name,
            REPOSITORY / DATA / run.data,
            lambda step, found: keep_validation(validations, step, found),
            first,
            checkpoint_seconds,
        ),
    )
    if done is None:
        return
    trained, checkpoint = done
    write_unscored(REPOSITORY / TRAINED / name, trained, validations=validations, weights=weights)
    checkpoint.remove()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", help="a run of the bundle")
    parser.add_argument("--weights", action="store_true", help="keep its weights")
    parser.add_argument("checkpoint_seconds", type=float, help="least time between two checkpoints")
    arguments = parser.parse_args()
    train_packed(
        arguments.run,
        weights=arguments.weights,
        checkpoint_seconds=arguments.checkpoint_seconds,
    )


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
