"""The workbench: the one run at the top of params.yaml, prepared, fitted, trained and scored."""

from __future__ import annotations

import json
import os

from pipelines.evaluation.coco import score_records
from pipelines.evaluation.run import run
from pipelines.own_data.adaptation import fill_in
from pipelines.own_data.preparing import ensure_prepared
from pipelines.own_data.run_page.write import write_run_page
from pipelines.runs.folder import RunFolder
from pipelines.runs.parameters import read_parameters, workbench_spec
from pipelines.system.paths import REPOSITORY, RESULTS, read_paths_as_declared
from pipelines.training.live import Live

FOLDER = RESULTS / "workbench"


def run_workbench() -> None:
    """Train and score the run, write its page, and its figures where DVC compares them.

    Raises:
        UserError: a parameter is wrong, or the data set is not found or broken.
    """
    read_paths_as_declared()
    spec = workbench_spec(fill_in(read_parameters()))
    ensure_prepared(spec.preparation)
    run(
        spec,
        FOLDER / "run",
        live=Live(FOLDER / "live", tensorboard=bool(os.environ.get("TENSORBOARD"))),
    )
    score = score_records(RunFolder(FOLDER / "run").matches())
    figures = {name: round(value, 3) for name, value in score.figures.items()}
    defined = {name: value for name, value in figures.items() if value == value}
    (FOLDER / "metrics.json").write_text(json.dumps(defined, indent=1) + "\n")
    scored = " of whole photographs, merged from tiles" if spec.tiling else ""
    print(f"AP {figures['AP']:.1f}, AP50 {figures['AP50']:.1f}{scored}")
    page = write_run_page(FOLDER / "run", str((FOLDER / "run").relative_to(REPOSITORY)))
    print(f"The page of the run: {page.relative_to(REPOSITORY)}")
