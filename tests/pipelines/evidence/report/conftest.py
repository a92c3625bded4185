"""A study of four runs on drawn scenes, its gallery, its claims, and its page."""

import gzip
import json

import numpy as np
import pandas as pd
import pytest

from pipelines.data.prepared import prepare
from pipelines.data.registry import DatasetSpec, ScenesSpec, open_dataset
from pipelines.evaluation.coco import match_records
from pipelines.evidence.claims.ledger import COLUMNS
from pipelines.evidence.claims.statements import read_claims
from pipelines.evidence.report.gallery import build_gallery
from pipelines.evidence.report.page import render
from pipelines.evidence.study import Study
from pipelines.runs.spec import RunSpec
from tests.pipelines.evidence.report.declared import PAPERS, PARAMETERS, SECONDS, TABLE7
from tests.pipelines.records import MACHINE, record_of


@pytest.fixture(scope="package")
def data(tmp_path_factory):
    """Six drawn scenes to test on, prepared at 64×64, and their source."""
    sources = open_dataset(DatasetSpec("scenes", scenes=ScenesSpec(1, 1, 6, size=128)))
    folder = tmp_path_factory.mktemp("data") / "scenes-64"
    prepare(sources, folder, 64, progress=False)
    return folder, sources["test"]


@pytest.fixture(scope="package")
def study(tmp_path_factory, data):
    """Four runs: each finds the first object of every image, and nothing else but one wrong box."""
    prepared, source = data
    results = tmp_path_factory.mktemp("results") / "quick"
    manifest = json.loads((prepared / "manifest.json").read_text())
    truth = source.split.to_coco()
    firsts = {a["image_id"]: a for a in reversed(truth["annotations"])}
    found = [
        {
            "image_id": a["image_id"],
            "category_id": a["category_id"],
            "bbox": a["bbox"],
            "score": 0.9,
        }
        for a in firsts.values()
    ]
    found.append({**found[0], "bbox": [0.0, 0.0, 9.0, 9.0], "score": 0.95})
    matches = match_records(truth, found)
    rows = []
    for number, (name, seconds) in enumerate(SECONDS.items()):
        row, _, seed = name.rpartition("-s")
        folder = results / "runs" / name
        folder.mkdir(parents=True)
        cost = {
            "parameters": 10**6, "flops_an_image": 2 * 10**9, "training_seconds": seconds,
            "training_images": 480, "images_a_second": 12.5, "peak_memory_mib": 900.0,
        }  # fmt: skip
        record = record_of(
            RunSpec(seed=int(seed)),
            name,
            data=manifest,
            cost=cost,
            machine=MACHINE | {"device": f"chip {number // 2}"},
            code={"commit": "0123456789abcdef", "changed": number == 0, "code_hash": "abc"},
        )
        (folder / "run.json").write_text(json.dumps(record))
        (folder / "detections.json.gz").write_bytes(gzip.compress(json.dumps(found).encode()))
        matches.to_csv(folder / "matches.csv.gz", index=False)
        history = {
            "step": [10, 20, 20],
            "loss": [4.0, 2.0, np.nan],
            "validation_AP": [np.nan, np.nan, 7.0],
        }
        pd.DataFrame(history).to_csv(folder / "history.csv", index=False)
        rows.append({
            "run": name, "row": row, "seed": int(seed), "AP": 9.0 + number, "AP50": 30.0 + number,
            "detector": "scale-aware-ssd", "input_size": 256, "parameters": 10**6,
        })  # fmt: skip
    (results / "tables").mkdir()
    (results / "tables" / "table7.csv").write_text(TABLE7)
    (results / "tables" / "table7.md").write_text("**Negative sampling**\n\n| a |\n\nA remark.\n")
    specs = {name: RunSpec(seed=int(name[-1])) for name in SECONDS}
    return Study("quick", {"dataset": "scenes"}, specs, pd.DataFrame(rows), results)


@pytest.fixture(scope="package")
def gallery(study, data):
    chosen = {"original": "original-attachment-s0", "custom": "sampler-dns-s0"}
    return build_gallery(study, chosen, *data)


@pytest.fixture(scope="package")
def claims(study):
    """`claims.csv` with each of three claims answered in its own way."""
    claims = read_claims(PAPERS)[:3]
    answers = ["reproduced", "contradicted", "reproduced"]
    rows = [
        dict.fromkeys(COLUMNS, "")
        | {
            "paper": c.paper.name,
            "place": c.place,
            "claim": c.text,
            "verdict": a,
            "why": "so <it> is",
            "source": c.place_in_file,
        }
        for c, a in zip(claims, answers, strict=True)
    ]
    path = study.folder / "claims.csv"
    pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(path, index=False)
    return path


@pytest.fixture(scope="package")
def page(study, gallery, claims):
    return render(study, PARAMETERS, PAPERS, gallery)
