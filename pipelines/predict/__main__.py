"""Find objects in pictures and videos: `python -m pipelines.predict MODEL INPUT ... --out FOLDER`.

Writes predictions.json, a COCO data set whose annotations have a score, boxes in the pixels of the
picture as viewers show it, and drawn pictures beside it. A file that cannot be read is named, the
others are done, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from pipelines.data.folder_swap import replaced_folder
from pipelines.errors import UserError, run_cli
from pipelines.predict.draw import draw
from pipelines.predict.frames import BrokenFileError, File, Frame, find_files, read_frames
from pipelines.predict.model import Found, Model, load_model
from pipelines.train_tf import tensorflow_errors

PREDICTIONS, PICTURES = "predictions.json", "pictures"
SCORE = 0.3


@tensorflow_errors()
def predict(
    model: Model, files: Sequence[File], folder: Path, score: float = SCORE, *, pictures: bool
) -> list[str]:
    """Write the predictions of all files to `folder` in one move.

    Args:
        model: what detects.
        files: pictures and videos.
        folder: what an earlier call wrote there is replaced.
        score: least score of a detection.
        pictures: draw them too.

    Returns:
        What is wrong with each file that could not be read.

    Raises:
        UserError: not one could be read, or the folder holds other things.
    """
    _refuse_foreign_folder(folder, files)
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    broken: list[str] = []
    unknown_length = any(file.is_video for file in files)
    with (
        replaced_folder(folder) as fresh,
        tqdm(desc="predict", unit="picture", total=None if unknown_length else len(files)) as bar,
    ):
        for file in files:
            try:
                for frame in read_frames(file):
                    found = model.detect(frame.pixels, score)
                    images.append(_image(len(images) + 1, frame))
                    annotations += _annotations(found, len(images), len(annotations) + 1)
                    if pictures:
                        drawn = fresh / PICTURES / frame.name
                        drawn.parent.mkdir(parents=True, exist_ok=True)
                        draw(frame.pixels, found, model.categories).save(drawn, quality=92)
                    bar.update()
            except BrokenFileError as error:
                broken.append(str(error))
        if not images:
            raise UserError(f"nothing could be read; {broken[0]}")
        predictions = {
            "info": {"description": f"detections with a score of at least {score}"},
            "images": images,
            "categories": [{"id": c.id, "name": c.name} for c in model.categories],
            "annotations": annotations,
        }
        (fresh / PREDICTIONS).write_text(json.dumps(predictions) + "\n")
    return broken


def _image(number: int, frame: Frame) -> dict[str, Any]:
    height, width = frame.pixels.shape[:2]
    time = {} if frame.seconds is None else {"seconds": round(frame.seconds, 3)}
    return {"id": number, "file_name": str(frame.name), "width": width, "height": height, **time}


def _annotations(found: Sequence[Found], image: int, first: int) -> list[dict[str, Any]]:
    return [
        {
            "id": number,
            "image_id": image,
            "category_id": detection.category.id,
            "bbox": [round(side, 2) for side in detection.box],
            "area": round(detection.box[2] * detection.box[3], 2),
            "iscrowd": 0,
            "score": round(detection.score, 6),
        }
        for number, detection in enumerate(found, start=first)
    ]


def _refuse_foreign_folder(folder: Path, files: Sequence[File]) -> None:
    """Replacing removes the folder, so that it must hold nothing but earlier predictions."""
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; give a folder for the predictions")
    own = folder.resolve()
    if inside := next((f for f in files if f.path.resolve().is_relative_to(own)), None):
        raise UserError(f"{inside.path}: lies in the folder {folder}, which would be replaced")
    present = {path.name for path in folder.iterdir()} if folder.exists() else set()
    if foreign := sorted(present - {PREDICTIONS, PICTURES}):
        raise UserError(
            f"{folder}: holds {foreign[0]!r}, which are no predictions; give a new or empty folder"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", type=Path, help="folder of a trained run, or an exported .onnx")
    parser.add_argument(
        "inputs", type=Path, nargs="+", metavar="INPUT", help="pictures, folders of them, videos"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="what to write")
    parser.add_argument(
        "--score", type=float, default=SCORE, help="least score of a detection (%(default)s)"
    )
    parser.add_argument("--no-pictures", action="store_true", help="write predictions.json alone")
    arguments = parser.parse_args()
    if not 0 <= arguments.score <= 1:
        raise UserError(f"--score must be from 0 to 1, not {arguments.score}")
    files = find_files(arguments.inputs)
    broken = predict(
        load_model(arguments.model),
        files,
        arguments.out,
        arguments.score,
        pictures=not arguments.no_pictures,
    )
    print(arguments.out / PREDICTIONS)
    for message in broken:
        print(f"error: {message}", file=sys.stderr)
    if broken:
        sys.exit(1)


if __name__ == "__main__":
    run_cli(main)
