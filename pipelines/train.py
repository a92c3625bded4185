"""Train and score one run: `python -m pipelines.train SPEC.json FOLDER`.

On several GPUs: `torchrun --nproc-per-node 2 -m pipelines.train SPEC.json FOLDER`.

Killed at any moment and started again, it goes on from its last checkpoint and ends with the same
detections. The folder appears only when the run is complete.
"""

from __future__ import annotations

import argparse
import dataclasses
import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from safetensors.torch import save
from tqdm import tqdm

from baselines.tf_od.detector import TensorFlowDetector
from method.detector import Detector, TrainableDetector
from method.lapnet.detector import LapNet
from pipelines.augment import host_matcher, make_batches
from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.detectors import (
    agreement,
    build_detector,
    make_steps,
    network_cost,
    weights_fingerprint,
)
from pipelines.errors import UserError, run_cli
from pipelines.hashing import file_sha256
from pipelines.health import record as health_record
from pipelines.health.measures import spread
from pipelines.health.record import measure
from pipelines.prepare import ensure_prepared
from pipelines.processes import is_first, process_group, require_divisible, synchronised
from pipelines.runtime import (
    REPOSITORY,
    choose_device,
    code_state,
    describe_machine,
    peak_memory_mib,
    tune_allocator,
)
from pipelines.scoring import match_records, score_records
from pipelines.spec import RunSpec
from pipelines.steps import autocast, to_batch
from pipelines.train_tf import tensorflow_errors, train_by_tensorflow
from pipelines.trainer import (
    CHECKPOINT_SECONDS,
    Checkpoint,
    Progress,
    Validation,
    train,
)

CALIBRATION_IMAGES = 16
DETECTION_BATCH = 8


@tensorflow_errors()
def run(spec: RunSpec, folder: Path, checkpoint_seconds: float = CHECKPOINT_SECONDS) -> None:
    """Train, detect, score, and write the run folder in one move.

    Args:
        spec: the run.
        folder: where it goes; what is there is replaced at the end.
        checkpoint_seconds: least time between two checkpoints.
    """
    require_divisible(spec)
    if spec.threads:
        torch.set_num_threads(spec.threads)
    data_folder = ensure_prepared(spec.dataset, spec.input_size)
    training, test = load_prepared(data_folder, "train"), load_prepared(data_folder, "test")
    device = choose_device()
    weights = weights_fingerprint(spec.init)
    calibration = to_batch(training.images[:CALIBRATION_IMAGES], torch.device("cpu"))
    detector = build_detector(spec, len(training.class_names), calibration)
    start = spread(detector, calibration, fresh=True)
    detector = synchronised(detector).to(device)
    detector.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    code = code_state()
    checkpoint = Checkpoint(
        REPOSITORY / ".checkpoints" / f"{folder.name}-{spec.hash}.pt",
        f"{spec.hash} {code['code_hash']} {_manifest_hash(data_folder)} {weights}",
        checkpoint_seconds,
    )
    validate = _validation(detector, data_folder, spec, device)
    progress = train_detector(detector, training, spec, device, checkpoint, validate, folder.name)
    if not is_first():
        return
    detections = detect_all(detector, test, spec, device)
    health = measure(
        detector, start, training, test, detections, progress.history, spec.images_seen,
        calibration.to(device), lambda split: detect_all(detector, split, spec, device),
    )  # fmt: skip
    record = {
        "name": folder.name,
        "specification": spec.to_dict(),
        "specification_hash": spec.hash,
        "data": json.loads((data_folder / "manifest.json").read_text()),
        "first_weights_sha256": weights,
        "code": code,
        "machine": describe_machine(device),
        "agreement": agreement(spec.detector, device.type),
        "cost": _cost(detector, spec, progress, device),
        "health": health_record.write(health),
    }
    if isinstance(detector, LapNet):
        record["learned"] = detector.learned()
    if progress.elsewhere:
        record["trainer"] = dataclasses.asdict(progress.elsewhere)
    write_run_folder(folder, record, progress, detections, test, detector)
    checkpoint.remove()
    health_record.tell(health, folder.name)


def train_detector(
    detector: Detector,
    training: PreparedSplit,
    spec: RunSpec,
    device: torch.device,
    checkpoint: Checkpoint,
    validate: Validation | None = None,
    label: str = "train",
) -> Progress:
    """Train to the last step, by whoever's trainer it is; arguments as in `trainer.train`."""
    if isinstance(detector, TensorFlowDetector):
        return train_by_tensorflow(
            detector, training, spec, checkpoint, validate=validate, label=label
        )
    assert isinstance(detector, TrainableDetector)
    images = range(len(training.images))
    detector.look_at(
        [torch.from_numpy(training.boxes(i)) for i in images],
        [torch.from_numpy(training.labels(i)) for i in images],
    )
    return train(
        detector,
        make_batches(host_matcher(detector, device), training, spec, device),
        spec,
        device=device,
        steps=make_steps(detector, spec, device),
        checkpoint=checkpoint,
        validate=validate,
        label=label,
    )


def detect_all(
    detector: Detector, split: PreparedSplit, spec: RunSpec, device: torch.device
) -> list[dict[str, Any]]:
    """Detections in every image as COCO results, in original pixels, as they are written."""
    detector.eval()
    results = []
    for start in tqdm(range(0, len(split.images), DETECTION_BATCH), desc="detect", leave=False):
        batch = to_batch(split.images[start : start + DETECTION_BATCH], device)
        with autocast(spec.precision, device), torch.compiler.set_stance("force_eager"):
            found = detector.detect(batch)
        for i, detections in enumerate(found, start):
            boxes = split.to_image_frame(i, detections.boxes.cpu().numpy())
            for box, score, label in zip(
                boxes, detections.scores.tolist(), detections.labels.tolist(), strict=True
            ):
                x1, y1, x2, y2 = (float(side) for side in box)
                results.append(
                    {
                        "image_id": split.coco.images[i].id,
                        "category_id": split.category_ids[label - 1],
                        "bbox": [round(v, 2) for v in (x1, y1, x2 - x1, y2 - y1)],
                        "score": round(score, 6),
                    }
                )
    return results


def write_run_folder(
    folder: Path,
    record: dict[str, Any],
    progress: Progress,
    detections: list[dict[str, Any]],
    test: PreparedSplit,
    detector: torch.nn.Module,
) -> None:
    """Write the five files beside the place, then move them there together, or none of them.

    `run.json` holds the hash of each of the others, so that a change made afterwards is seen.
    """
    fresh = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(parents=True)
    try:
        logged = None if progress.history else ["step", "loss"]
        history = pd.DataFrame(progress.history, columns=logged)
        history.to_csv(fresh / "history.csv", index=False)
        write_gzip(fresh / "detections.json.gz", json.dumps(detections, separators=(",", ":")))
        matches = match_records(test.coco.to_coco(), detections)
        write_gzip(fresh / "matches.csv.gz", matches.to_csv(index=False))
        state = {name: value.cpu().contiguous() for name, value in detector.state_dict().items()}
        (fresh / "model.safetensors").write_bytes(save(state))
        hashes = {path.name: file_sha256(path) for path in sorted(fresh.iterdir())}
        record["files_sha256"] = hashes
        (fresh / "run.json").write_text(json.dumps(record, indent=1) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        fresh.rename(folder)
    except BaseException:
        shutil.rmtree(fresh, ignore_errors=True)
        raise


def write_gzip(path: Path, text: str) -> None:
    """Compress without a date or a name, so that equal text gives equal bytes."""
    path.write_bytes(gzip.compress(text.encode(), mtime=0))


def _validation(
    detector: Detector, data_folder: Path, spec: RunSpec, device: torch.device
) -> Validation | None:
    if not spec.validate_every:
        return None
    split = load_prepared(data_folder, "val")

    def validate() -> dict[str, float]:
        found = detect_all(detector, split, spec, device)
        figures = score_records(match_records(split.coco.to_coco(), found)).figures
        return {"validation_AP": figures["AP"], "validation_AP50": figures["AP50"]}

    return validate


def _cost(
    detector: Detector, spec: RunSpec, progress: Progress, device: torch.device
) -> dict[str, float]:
    blank = torch.zeros((1, 3, spec.input_size, spec.input_size), dtype=torch.uint8, device=device)
    images = spec.images_seen
    elsewhere = progress.elsewhere
    memory = elsewhere.peak_memory_mib if elsewhere else peak_memory_mib(device)
    return {
        **network_cost(detector, blank),
        "training_seconds": round(progress.seconds, 2),
        "training_images": images,
        "images_a_second": round(images / max(progress.seconds, 1e-9), 2),
        "peak_memory_mib": round(memory, 1),
        **({} if progress.joules is None else {"joules": round(progress.joules, 1)}),
    }


def _manifest_hash(data_folder: Path) -> str:
    return file_sha256(data_folder / "manifest.json")[:12]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("specification", type=Path, help="JSON file that pipelines.plan wrote")
    parser.add_argument("folder", type=Path, help="the run folder to make")
    parser.add_argument(
        "--checkpoint-seconds",
        type=float,
        default=CHECKPOINT_SECONDS,
        metavar="S",
        help="least time between two checkpoints (%(default)s)",
    )
    arguments = parser.parse_args()
    try:
        values = json.loads(arguments.specification.read_text())
    except (OSError, ValueError) as error:
        raise UserError(f"{arguments.specification}: cannot be read: {error}") from None
    spec = RunSpec.parse(values, str(arguments.specification))
    with process_group():
        run(spec, arguments.folder, arguments.checkpoint_seconds)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
