"""Train and score the run at the top of params.yaml: `python -m pipelines.workbench`.

`dvc exp run -S sampler=dns` calls it with the named change; `dvc exp show` compares the runs.
"""

from __future__ import annotations

import argparse
import json

import pandas as pd

from pipelines.adapt import fill_in
from pipelines.errors import run_cli
from pipelines.plan import RESULTS, read_parameters, workbench_spec
from pipelines.runtime import tune_allocator
from pipelines.scoring import score_records
from pipelines.train import run

FOLDER = RESULTS / "workbench"


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    run(workbench_spec(fill_in(read_parameters())), FOLDER / "run")
    score = score_records(pd.read_csv(FOLDER / "run" / "matches.csv.gz"))
    figures = {name: round(value, 3) for name, value in score.figures.items()}
    defined = {name: value for name, value in figures.items() if value == value}
    (FOLDER / "metrics.json").write_text(json.dumps(defined, indent=1) + "\n")
    print(f"AP {figures['AP']:.1f}, AP50 {figures['AP50']:.1f}")


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
