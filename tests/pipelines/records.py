"""Records of runs that were never trained, as complete as `run.json` has to be."""

from pipelines.runs.spec import RunSpec

COST = {
    "parameters": 10,
    "flops_an_image": 20,
    "training_seconds": 30.0,
    "training_images": 16,
    "images_a_second": 10.5,
    "peak_memory_mib": 100.0,
}
MACHINE = {
    "device": "A processor",
    "device_type": "cpu",
    "threads": 1,
    "python": "3.11.1",
    "packages": {"torch": "2.0"},
}


def record_of(spec: RunSpec, name="run", classes=("ripe", "unripe"), **changes):
    """What `run.json` holds of a run with one training object a class, with changes."""
    counts = {"images": 2, "boxes": len(classes), "boxes_per_class": dict.fromkeys(classes, 1)}
    values = {
        "name": name,
        "specification": spec.to_dict(),
        "specification_hash": spec.hash,
        "data": {"splits": {"train": counts, "test": counts}},
        "code": {"commit": None, "changed": True, "code_hash": "abc"},
        "machine": MACHINE,
        "cost": COST,
        "files_sha256": {},
    }
    return values | changes
