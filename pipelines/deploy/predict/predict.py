"""Objects found in pictures and videos, written as a COCO data set and drawn."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.data.tiling import Tiling
from pipelines.deploy.predict.draw import draw
from pipelines.deploy.predict.frames import BrokenFileError, File, Frame, find_files, read_frames
from pipelines.deploy.predict.model import Found, Model, load_model
from pipelines.system.bars import progress_bar
from pipelines.system.errors import UserError, note
from pipelines.system.files import replaced_folder
from pipelines.training.tensorflow import tensorflow_errors

PREDICTIONS, PICTURES = "predictions.json", "pictures"


def predict_files(
    model: Path,
    inputs: Sequence[Path],
    folder: Path,
    score: float,
    tiling: Tiling | None = None,
    *,
    whole: bool,
    pictures: bool,
) -> list[str]:
    """Find objects in all pictures and videos of these files and folders.

    Args:
        model: folder of a trained run, or an exported file.
        inputs: pictures, folders of them, videos.
        folder: what to write; what an earlier call wrote there is replaced.
        score: least score of a detection.
        tiling: how to cut pictures; as the model was trained unless given.
        whole: squeeze pictures to the input, whatever the model was trained on.
        pictures: draw them too.

    Returns:
        What is wrong with each file that could not be read.

    Raises:
        UserError: there is no such model, it does not fit the tiles, or no file could be read.
    """
    files = find_files(inputs)
    opened = load_model(model).cutting(tiling, whole=whole)
    if opened.tiling and not tiling:
        trained = f"{model.name} was trained on {opened.tiling}"
        note(f"{trained}: pictures are cut likewise, without --whole")
    broken = predict(opened, files, folder, score, pictures=pictures)
    print(folder / PREDICTIONS)
    return broken


@tensorflow_errors()
def predict(
    model: Model, files: Sequence[File], folder: Path, score: float, *, pictures: bool
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
        progress_bar(
            desc="predict", unit="picture", total=None if unknown_length else len(files)
        ) as bar,
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
