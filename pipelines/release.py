"""Pack trained detectors for others: `python -m pipelines.release RUN_FOLDER ... --out FOLDER`.

Writes of each run an ONNX file, checked against PyTorch, and a model card (data and their licence,
figures with intervals, health of the training, limits), and SHA256SUMS of all. `make release` packs
the best recipe and LapNet of the study `quick`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="folder of a trained run")
    parser.add_argument(
        "--out", type=Path, default=Path("release"), metavar="FOLDER", help="(%(default)s)"
    )
    arguments = parser.parse_args()

    from pipelines.runs.folder import require_run

    for run in arguments.runs:
        require_run(run)

    from pipelines.deploy.release.release import release

    release(arguments.runs, arguments.out)


if __name__ == "__main__":
    run_cli(main)
