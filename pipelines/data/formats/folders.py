"""Open a folder that holds a data set, whatever form it has: COCO, YOLO, VOC or DOTA.

What a set lacks of the splits train, val and test is taken from those it has, and reported.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.data.dataset_spec import DatasetSpec
from pipelines.data.formats.coco import read_coco
from pipelines.data.formats.dota import MOST_PIXELS, image_folder, is_dota, read_dota
from pipelines.data.formats.voc import is_devkit, read_voc
from pipelines.data.formats.voc_own import is_own_voc, read_own_voc
from pipelines.data.formats.yolo import is_yolo, read_yolo
from pipelines.data.mosaic import seeded_order
from pipelines.data.published.catalogue import PUBLISHED, first_there
from pipelines.data.sources import FolderSource
from pipelines.system.errors import UserError

Report = Callable[[str], None]
Sources = dict[str, FolderSource]

ANNOTATIONS = {
    "train": ("train.json", "train2017.json", "instances_train2017.json"),
    "val": ("val.json", "valid.json"),
    "test": ("test.json", "val2017.json", "instances_val2017.json"),
}
"""Names of a split's json in annotations/. COCO's val2017 is what its papers test on."""

EXPORTED = {"train": ("train",), "val": ("valid", "val"), "test": ("test",)}
"""Folders with images and _annotations.coco.json beside each other, as Roboflow exports."""
EXPORTED_FILE = "_annotations.coco.json"

WHOLE = ("voc", "coco", "dota")
"""Trained on whole, as in their papers: nothing is held out for validation."""

FORMS = (
    "COCO (annotations/train.json and images/), YOLO (data.yaml, images/ and labels/), "
    "VOC (Annotations/ and JPEGImages/) or DOTA (train/images and train/labelTxt)"
)


def open_folder(folder: Path, spec: DatasetSpec, report: Report) -> Sources:
    """The splits of a folder, in the order train, val (if any), test.

    Without a test split, val is what results are measured on; without both, a share of train is.

    Raises:
        UserError: the folder has none of the FORMS, or its files are broken.
    """
    sources = _read(folder, spec, report)
    if "train" not in sources:
        raise UserError(f"{folder}: has no train split; name one of its parts train")
    _refuse_other_categories(sources, folder)
    _report_shared_images(sources, folder, report)
    if "test" not in sources and "val" in sources:
        sources["test"] = sources.pop("val")
        report(f"{folder}: has no test split, so results are measured on its val")
    if "test" not in sources:
        sources |= _hold_out("test", sources["train"], spec.test_fraction, spec, folder)
        count = len(sources["test"].split.images)
        report(f"{folder}: has no test split; {count} of its images are held out for one")
    if "val" not in sources and spec.validation_fraction and spec.name not in WHOLE:
        sources |= _hold_out("val", sources["train"], spec.validation_fraction, spec, folder)
    return {name: sources[name] for name in ("train", "val", "test") if name in sources}


def _read(folder: Path, spec: DatasetSpec, report: Report) -> Sources:
    """The splits that are there, by the form that the folder has."""
    if spec.name == "voc" or is_devkit(folder):
        return {
            name: FolderSource(
                read_voc(folder, name, drop_broken=spec.drop_broken, report=report), folder
            )
            for name in ("train", "test")
        }
    if spec.name == "dota" or is_dota(folder):
        return {
            name: FolderSource(
                read_dota(folder, name, drop_broken=spec.drop_broken, report=report),
                image_folder(folder, name),
                MOST_PIXELS,
            )
            for name in ("train", "test")
        }
    if files := _coco_files(folder, spec.name):
        return {
            split: FolderSource(
                read_coco(
                    file,
                    images,
                    drop_broken=spec.drop_broken or spec.name == "coco",
                    report=report,
                ),
                images,
            )
            for split, (file, images) in files.items()
        }
    if is_own_voc(folder):
        return read_own_voc(folder, drop_broken=spec.drop_broken, report=report)
    if is_yolo(folder):
        return read_yolo(folder, drop_broken=spec.drop_broken, report=report)
    raise UserError(f"{folder}: no data set is found there; give a folder in the form of {FORMS}")


def _coco_files(folder: Path, name: str) -> dict[str, tuple[Path, Path]]:
    """The json and the folder of images of each split that is there."""
    found = {}
    if name in PUBLISHED:
        for split, layout in PUBLISHED[name].layout.items():
            file = first_there(folder, layout.annotations)
            images = first_there(folder, layout.images)
            if file and images:
                found[split] = file, images
    return found or _own_coco_files(folder)


def _own_coco_files(folder: Path) -> dict[str, tuple[Path, Path]]:
    found = {}
    for split, names in ANNOTATIONS.items():
        inside = [folder / "annotations" / name for name in names]
        beside = [folder / part / EXPORTED_FILE for part in EXPORTED[split]]
        file = next((path for path in inside + beside if path.is_file()), None)
        if file is not None:
            found[split] = file, _image_folder(folder, split, file)
    return found


def _image_folder(folder: Path, split: str, file: Path) -> Path:
    """Where the images of a json lie: beside it, in images/, or in a folder of the split's name."""
    if file.name == EXPORTED_FILE:
        return file.parent
    images = folder / "images"
    stem = file.stem.removeprefix("instances_")
    parts = (images / split, images, folder / stem, folder / split)
    return next((part for part in parts if part.is_dir()), images)


def _refuse_other_categories(sources: Sources, folder: Path) -> None:
    train = sources["train"].split.categories
    for name, source in sources.items():
        if source.split.categories != train:
            raise UserError(
                f"{folder}: {name} has other categories than train; "
                "give both the same ids and names"
            )


def _report_shared_images(sources: Sources, folder: Path, report: Report) -> None:
    train = sources["train"]
    trained = {image.file_name for image in train.split.images}
    for name, source in sources.items():
        shared = trained & {image.file_name for image in source.split.images}
        if name != "train" and source.image_dir == train.image_dir and shared:
            report(f"{folder}: {len(shared)} images of {name} are in train too: {min(shared)!r}")


def _hold_out(
    name: str, train: FolderSource, fraction: float, spec: DatasetSpec, folder: Path
) -> Sources:
    """Train without, and a split with, this share of its images, rounded, from 1."""
    count = len(train.split.images)
    taken = max(1, math.floor(count * fraction + 0.5))
    order = seeded_order(count, spec.split_seed)
    return {
        "train": _part(train, order[taken:], name, folder),
        name: _part(train, order[:taken], name, folder),
    }


def _part(source: FolderSource, indices: Sequence[int], name: str, folder: Path) -> FolderSource:
    split = source.split.subset(indices)
    if all(annotation.iscrowd for annotation in split.annotations):
        count = len(source.split.images)
        raise UserError(
            f"{folder}: {count} train images are too few to take a {name} split with boxes from; "
            f"add a {name} split or set validation_fraction to 0"
        )
    return replace(source, split=split)
