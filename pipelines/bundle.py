"""Train a study where there is no network and no DVC: `python -m pipelines.bundle STUDY`.

    python -m pipelines.bundle reference --rows sampler-dns sampler-basic --out study.tar
    # there:  tar xf study.tar && study/run.sh --check && study/run.sh --minutes 60
    # here:   python -m pipelines.bundle --take home-1.tar && dvc repro results/reference/dvc.yaml

A bundle holds code, specifications, prepared data and first weights. It needs Python 3.11 to 3.13
with torch 2.9 or newer and torchvision, and nothing else. What comes home is checked, scored and
taken into `results/STUDY` and DVC; a run of other code or data is refused.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from pipelines.system.errors import UserError, run_cli


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", nargs="?", help="a profile of params.yaml")
    parser.add_argument("--rows", nargs="+", default=[], metavar="ROW", help="these rows alone")
    parser.add_argument(
        "--seeds", nargs="+", type=int, default=[], metavar="N", help="these seeds alone"
    )
    parser.add_argument("--out", type=Path, default=Path("study.tar"), help="(%(default)s)")
    parser.add_argument(
        "--wheels", metavar="PYTHON", help="pack compiled packages for this Python, such as 3.12"
    )
    parser.add_argument(
        "--machine", default="x86_64", help="of --wheels, as `uname -m` says (%(default)s)"
    )
    parser.add_argument(
        "--pixels",
        action="store_true",
        help="pack prepared pixels, not the photographs that they are made of: larger, but the "
        "same for every version of Pillow",
    )
    parser.add_argument(
        "--take",
        nargs="+",
        type=Path,
        default=[],
        metavar="HOME.tar",
        help="take in what came home",
    )
    arguments = parser.parse_args()
    if bool(arguments.study) == bool(arguments.take):
        raise UserError("name a study to pack, or --take what came home: one of them")
    if arguments.wheels and not re.fullmatch(r"3\.\d+", arguments.wheels):
        raise UserError(f"--wheels must be a Python version such as 3.12, not {arguments.wheels}")
    if arguments.take:
        from pipelines.cluster.bundle.taking import take_home

        take_home(arguments.take)
        return
    if arguments.out.suffix != ".tar":
        raise UserError(f"--out must end with .tar, not {arguments.out.name}")

    from pipelines.cluster.bundle.packing import Wanted, pack

    options = (arguments.rows, arguments.seeds, arguments.wheels, arguments.machine)
    pack(Wanted(arguments.study, *options, arguments.pixels), arguments.out)


if __name__ == "__main__":
    run_cli(main)
