"""Open a folder that holds a data set, whatever form it has: COCO, YOLO, VOC or DOTA.

What a set lacks of the splits train, val and test is taken from those it has, and reported.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipelines.data.bursts import stretches
from pipelines.data.dataset_spec import DatasetSpec
from pipelines.data.formats.coco import read_coco, read_own_coco
from pipelines.data.formats.coco_layout import find_coco, image_places
from pipelines.data.formats.dota import MOST_PIXELS, image_folder, read_dota
from pipelines.data.formats.dota_own import is_own_dota, read_own_dota
from pipelines.data.formats.image_files import read_header
from pipelines.data.formats.voc import is_devkit, read_voc
from pipelines.data.formats.voc_own import is_own_voc, read_own_voc
from pipelines.data.formats.yolo import is_yolo, read_yolo
from pipelines.data.mosaic import seeded_order
from pipelines.data.orientation import turned_upright
from pipelines.data.photographs import Photographs
from pipelines.data.published.catalogue import PUBLISHED, first_there
from pipelines.data.root import FOLDERS
from pipelines.data.sources import FolderSource
from pipelines.system.errors import UserError

Report = Callable[[str], None]
Sources = dict[str, FolderSource]

WHOLE = ("voc", "coco", "dota")
"""Trained on whole, as in their papers: nothing is held out for validation."""

STRETCHES = 5
"""Least number of stretches of neighbouring photographs that a split is made of."""

NAMED = (*FOLDERS, *PUBLISHED)
"""Data sets whose form is known and not told."""

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
        if spec.name not in NAMED:
            count = len(sources["val"].split.images)
            report(f"{folder}: has no val split; {count} of its train images are held out for one")
    return {name: sources[name] for name in ("train", "val", "test") if name in sources}


def _read(folder: Path, spec: DatasetSpec, report: Report) -> Sources:
    """The splits that are there, by the form that the folder has."""
    dropping = spec.tolerance.drop_broken
    if spec.name == "voc" or is_devkit(folder):
        return {
            name: FolderSource(read_voc(folder, name, drop_broken=dropping, report=report), folder)
            for name in ("train", "test")
        }
    if spec.name == "dota":
        return {
            name: FolderSource(
                read_dota(folder, name, drop_broken=dropping, report=report),
                image_folder(folder, name),
                MOST_PIXELS,
            )
            for name in ("train", "test")
        }
    if spec.name in PUBLISHED and (files := _published_coco(folder, spec.name)):
        dropping = dropping or spec.name == "coco"
        return {
            split: FolderSource(
                read_coco(file, images, drop_broken=dropping, report=report), images
            )
            for split, (file, images) in files.items()
        }
    return _read_own(folder, spec, report)


def _read_own(folder: Path, spec: DatasetSpec, report: Report) -> Sources:
    asked = {
        "drop_broken": spec.tolerance.drop_broken or spec.name == "coco",
        "skip_broken_images": spec.tolerance.skip_broken_images,
    }
    forms: dict[str, str] = {}
    if is_own_dota(folder):
        form, sources = "DOTA", read_own_dota(folder, **asked, report=report)
    elif files := find_coco(folder, report):
        photographs = Photographs(folder)
        form = "COCO"
        forms = {split: f"COCO of {file.relative_to(folder)}" for split, file in files.items()}
        sources = {
            split: read_own_coco(
                file, image_places(folder, split, file), photographs, **asked, report=report
            )
            for split, file in files.items()
        }
    elif is_own_voc(folder):
        form, sources = "VOC", read_own_voc(folder, **asked, report=report)
    elif is_yolo(folder):
        form, sources = "YOLO", read_yolo(folder, **asked, report=report)
    else:
        raise UserError(
            f"{folder}: no data set is found there; give a folder in the form of {FORMS}; "
            "docs/own-data.md says how annotation tools export these"
        )
    sources = turned_upright(sources, str(folder), report)
    if spec.name not in NAMED:
        _tell(folder, dict.fromkeys(sources, form) | forms, sources, report)
    if spec.tolerance.scale_16bit:
        sources = {
            name: _scaled(source, f"{folder}: {name}", report) for name, source in sources.items()
        }
    return sources


def _tell(folder: Path, forms: Mapping[str, str], sources: Sources, report: Report) -> None:
    """What is understood of a folder of one's own, a line a split."""
    for name, source in sources.items():
        count = len(source.split.images)
        place = source.image_dir.relative_to(folder) / os.path.commonpath(
            [Path(image.file_name).parent for image in source.split.images]
        )
        report(f"{folder}: {name}: {forms[name]}, {count} photographs in {place.as_posix()}/")


def _scaled(source: FolderSource, label: str, report: Report) -> FolderSource:
    paths = (source.image_dir / image.file_name for image in source.split.images)
    if count := sum(read_header(path).wide for path in paths):
        report(f"{label}: {count} photographs of 16 bits are scaled to 8")
    return replace(source, scale_16bit=True)


def _published_coco(folder: Path, name: str) -> dict[str, tuple[Path, Path]]:
    """The json and the folder of images of each split of a published set that is there."""
    found = {}
    for split, layout in PUBLISHED[name].layout.items():
        file = first_there(folder, layout.annotations)
        images = first_there(folder, layout.images)
        if file and images:
            found[split] = file, images
    return found


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
    """Train without, and a split with, this share of its images, rounded, from 1.

    Of a data set of one's own, photographs that were taken beside each other stay together, in
    `STRETCHES` or more: names that merely count are one long chain.
    """
    count = len(train.split.images)
    wanted = max(1, math.floor(count * fraction + 0.5))
    names = [image.file_name for image in train.split.images]
    parts = (
        [[k] for k in range(count)]
        if spec.name in NAMED
        else stretches(names, max(1, wanted // STRETCHES))
    )
    taken: list[int] = []
    for k in seeded_order(len(parts), spec.split_seed):
        if len(taken) + len(parts[k]) <= wanted or not taken:
            taken += parts[k]
    rest = [k for k in range(count) if k not in set(taken)]
    return {
        "train": _part(train, rest, name, folder),
        name: _part(train, taken, name, folder),
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
