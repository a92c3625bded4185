"""Runs, timings and data as they are made, as far as the check looks at them."""

import hashlib
import json
import random

import numpy as np
import pandas as pd

from pipelines.evaluation.coco import match_records
from pipelines.evaluation.timing import DIGITS, ROUNDS_FILE, Work, summarise, write_rounds
from pipelines.evidence.figures.draw import sizes_file
from pipelines.evidence.papers import read_papers
from pipelines.runs.folder import RECORD_FILES, write_gzip
from pipelines.runs.parameters import declared_runs, read_parameters
from pipelines.runs.spec import Precision
from pipelines.system.hashing import file_sha256
from tests.pipelines.random_cases import random_case

PAPERS = read_papers()
SIZES = str(sizes_file(PAPERS))
DECLARED = declared_runs(read_parameters(), "quick")
RUNS = ("sampler-basic-s0", "sampler-dns-s0", "sampler-dns-s1")
RUN, OTHER_SEED = "sampler-dns-s0", "sampler-dns-s1"
MATCHES = f"runs/{RUN}/matches.csv.gz"


def write_data(folder):
    """The data set of all runs, prepared, and its manifest."""
    folder.mkdir(parents=True)
    truth, _ = random_case(0)
    images = [{**image, "file_name": f"{image['id']}.png"} for image in truth["images"]]
    content = json.dumps({**truth, "images": images}).encode()
    counts = [
        sum(a["category_id"] == c and not a["iscrowd"] for a in truth["annotations"])
        for c in (1, 2, 3)
    ]
    splits = {}
    for split in ("train", "test"):
        (folder / f"{split}.json").write_bytes(content)
        np.save(folder / f"{split}-images.npy", np.zeros((len(images), 8, 8, 3), np.uint8))
        splits[split] = {
            "images": len(images),
            "boxes": sum(counts),
            "boxes_per_class": dict(zip(("class 1", "class 2", "class 3"), counts, strict=True)),
            "annotations_sha256": hashlib.sha256(content).hexdigest(),
        }
    manifest = {"format": 1, "input_size": 8, "splits": splits}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def write_run(folder, number, manifest):
    folder.mkdir(parents=True)
    rng = random.Random(number)
    truth, found = random_case(0)
    found = [{**d, "score": round(rng.random(), 3)} for d in found if rng.random() < 0.8]
    write_gzip(folder / "detections.json.gz", json.dumps(found))
    write_gzip(folder / "matches.csv.gz", match_records(truth, found).to_csv(index=False))
    history = {"step": [20, 40, 60], "positives": [9, 8, 7], "negatives": [27, 9, 5 + number]}
    pd.DataFrame({**history, "validation_AP": [3.5, 20, 20.5 + number]}).to_csv(
        folder / "history.csv", index=False
    )
    spec = DECLARED[folder.name]
    record = {
        "name": folder.name,
        "specification": spec.to_dict(),
        "specification_hash": spec.hash,
        "data": manifest,
        "code": {"commit": None, "changed": False, "code_hash": "0123456789ab"},
        "machine": {
            "device": "a processor",
            "device_type": "cpu",
            "threads": 1,
            "python": "3.11.9",
            "packages": {"torch": "1", "numpy": "1", "pillow": "1", "scipy": "1"},
        },
        "cost": {
            "parameters": 1000,
            "flops_an_image": 10**9,
            "training_seconds": 10.5,
            "training_images": 480,
            "images_a_second": 45.7,
            "peak_memory_mib": 100.0,
        },
    }
    (folder / "run.json").write_text(json.dumps(record, indent=1))
    seal_run(folder)


def write_timings(folder):
    """Six rounds of both SSDs."""
    both = {
        "scale-aware-ssd": [20.0, 21.0, 19.0, 20.5, 22.0, 18.25],
        "ssd-mobilenet-v2": [30.0, 29.0, 31.0, 28.5, 33.0, 27.25],
    }
    timings = {Work(name, Precision.FP32, True): ms for name, ms in both.items()}
    write_rounds(timings, folder / ROUNDS_FILE)
    speed = summarise(timings)
    speed[["device", "weights"]] = "a processor", "untrained"
    speed[["threads", "input_size", "rounds"]] = 1, 512, 6
    speed[["parameters", "flops_an_image"]] = 1000, 10**9
    speed.to_csv(folder / "speed.csv", index=False, float_format=DIGITS)


def edit_record(folder, change):
    """Apply `change` to a run's record, and give it the hashes of the files beside it."""
    record = json.loads((folder / "run.json").read_text())
    change(record)
    record["files_sha256"] = {name: file_sha256(folder / name) for name in RECORD_FILES[1:]}
    (folder / "run.json").write_text(json.dumps(record, indent=1))


def seal_run(folder):
    edit_record(folder, lambda record: None)
