"""Train and score the run at the top of params.yaml: `python -m pipelines.workbench`.

`dvc exp run -S sampler=dns` calls it with the named change; `dvc exp show` compares the runs.
"""

from __future__ import annotations

import argparse

from pipelines.system.allocator import tune_allocator
from pipelines.system.errors import run_cli


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from pipelines.own_data.workbench import run_workbench

    run_workbench()


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
