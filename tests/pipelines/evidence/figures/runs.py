"""Run folders with chosen detections."""

import gzip
import json

from pipelines.data.prepared import load_prepared
from pipelines.evaluation.coco import match_records
from pipelines.runs.spec import RunSpec
from tests.pipelines.records import record_of


def write_run(folder, prepared, detections=()):
    folder.mkdir(parents=True)
    data = json.loads((prepared / "manifest.json").read_text())
    (folder / "run.json").write_text(json.dumps(record_of(RunSpec(), folder.name, data=data)))
    (folder / "detections.json.gz").write_bytes(gzip.compress(json.dumps(detections).encode()))
    records = match_records(load_prepared(prepared, "test").coco.to_coco(), detections)
    records.to_csv(folder / "matches.csv.gz", index=False)


def found(score, image=3, category=1, box=(8, 4, 6, 8)):
    return {"image_id": image, "category_id": category, "bbox": list(box), "score": score}
