"""Convergence and balance by sampler, from made-up histories of which the means are plain."""

import numpy as np
import pandas as pd
import pytest

from pipelines.evidence.figures.samplers import draw_balance, draw_convergence
from pipelines.evidence.study import Study
from pipelines.runs.spec import RunSpec

RUNS = {
    "sampler-dns": [(8.0, 100.0), (10.0, 200.0), (15.0, 600.0)],
    "sampler-basic": [(4.0, 300.0)],
}
"""Row to its seeds: validation AP at the last step, and negatives to 100 positives."""

ROWS = {"basic (3:1)": "sampler-basic", "dns": "sampler-dns", "1:1": "absent"}


@pytest.fixture
def study(tmp_path):
    rows = []
    for row, seeds in RUNS.items():
        for seed, (ap, negatives) in enumerate(seeds):
            name = f"{row}-s{seed}"
            folder = tmp_path / "runs" / name
            folder.mkdir(parents=True)
            logged = {
                "step": [10, 20],
                "positives": [100.0, 100.0],
                "negatives": [900.0, negatives],
            }
            validated = {"step": [10, 20], "validation_AP": [1.0, ap]}
            history = pd.concat([pd.DataFrame(logged), pd.DataFrame(validated)])
            history.to_csv(folder / "history.csv", index=False)
            rows.append({"run": name, "row": row, "seed": seed})
    specs = {
        f"{row}-s{seed}": RunSpec() for row, seeds in RUNS.items() for seed in range(len(seeds))
    }
    return Study("quick", {}, specs, pd.DataFrame(rows), tmp_path)


def values(data):
    return list(np.asarray(data))


def named(axes):
    return {
        line.get_label(): (values(line.get_xdata()), values(line.get_ydata()))
        for line in axes.get_lines()
        if not line.get_label().startswith("_")
    }


def test_the_mean_over_seeds_is_named_and_the_seeds_lie_faint_beneath(study):
    (axes,) = draw_convergence(study, ROWS).axes
    assert named(axes) == {
        "dns, mean of 3 seeds": ([10, 20], [1, 11]),
        "basic (3:1)": ([10, 20], [1, 4]),
    }
    faint = [line for line in axes.get_lines() if line.get_alpha() is not None]
    assert sorted(values(line.get_ydata())[-1] for line in faint) == [8, 10, 15]


def test_balance_is_the_mean_of_counts_and_of_ratios(study):
    length, ratio = draw_balance(study, ROWS).axes
    assert named(length)["dns, mean of 3 seeds"] == ([10, 20], [1000, 400])
    assert named(ratio)["dns, mean of 3 seeds"] == ([10, 20], [9, 3])
    assert named(ratio)["basic (3:1)"] == ([10, 20], [9, 3])
