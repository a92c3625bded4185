"""Data sets by name, or a folder in COCO's or VOC's form.

Drawn here: `scenes` (greenhouse tomatoes) and `aerial`. From the data root: `laboro`,
`laboro-mosaics`, `nwpu`, `voc` (PASCAL VOC 2007 and 2012 joined), `coco` (COCO 2017) and
`coco-mini` (a few of its images).
"""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.data import aerial, scenes
from pipelines.data.coco import read_coco
from pipelines.data.drawing import LARGEST_SIZE, SMALLEST_SIZE, Scene
from pipelines.data.mosaic import MosaicSource, mosaic, seeded_order
from pipelines.data.sources import DrawnSource, FolderSource, ImageSource
from pipelines.data.voc import is_devkit, read_voc
from pipelines.errors import UserError, note

Report = Callable[[str], None]

FOLDERS = {
    "laboro-mosaics": "laboro_tomato",
    "laboro": "laboro_tomato",
    "nwpu": "nwpu_vhr10",
    "voc": "VOCdevkit",
    "coco": "coco",
    "coco-mini": "coco_mini",
}
"""Where under the data root the photographs of a name lie."""

NAMES = ("scenes", "aerial", *FOLDERS)
WHOLE = ("voc", "coco")
"""Trained on whole, as in their papers: nothing is held out for validation."""

ROOT_VARIABLE = "DETECTION_DATA"
DEFAULT_ROOT = Path(__file__).resolve().parents[3] / "shared" / "data"
"""Beside the repository."""

TRAIN_FILES = ("train.json", "train2017.json", "instances_train2017.json")
VAL_FILES = ("val.json",)
TEST_FILES = ("test.json", "val2017.json", "instances_val2017.json")
"""COCO's val2017 is what its papers test on; a validation split is taken from train."""

_SPLIT_BLOCK = 1_000_000


@dataclass(frozen=True)
class DrawnSpec:
    """How many pictures to draw for each split, their side in pixels (128 to 1024), and the seed.

    The pictures of one split do not change with the numbers of the others.
    """

    train: int
    val: int
    test: int
    size: int
    seed: int = 0

    def __post_init__(self) -> None:
        for split, count in self.counts.items():
            if not 1 <= count <= _SPLIT_BLOCK:
                raise UserError(f"drawn data: {split} = {count} is not a number of images from 1")
        if not SMALLEST_SIZE <= self.size <= LARGEST_SIZE:
            raise UserError(
                f"drawn data: size {self.size} is outside {SMALLEST_SIZE} to {LARGEST_SIZE} px"
            )
        if self.seed < 0:
            raise UserError(f"drawn data: seed {self.seed} is negative; give 0 or more")

    @property
    def counts(self) -> dict[str, int]:
        """Pictures of each split."""
        return {"train": self.train, "val": self.val, "test": self.test}


@dataclass(frozen=True)
class ScenesSpec(DrawnSpec):
    """The greenhouse scenes."""

    train: int = 96
    val: int = 16
    test: int = 48
    size: int = 512


@dataclass(frozen=True)
class AerialSpec(DrawnSpec):
    """The aerial pictures."""

    train: int = 192
    val: int = 24
    test: int = 48
    size: int = 256


@dataclass(frozen=True)
class DatasetSpec:
    """Which data set to open, and how.

    name: one of NAMES, or the path of a folder: one with images/ and annotations/<split>.json, or
        one with VOC2007/ and VOC2012/.
    root: the folder that holds the named data sets; if None, the environment variable
        DETECTION_DATA, else ../shared/data beside the repository.
    validation_fraction: share of the train images (0 to below 1) that becomes `val` where the
        set has none; with 0, and of WHOLE, there is no `val`.
    split_seed: chooses those images.
    drop_broken: leave out broken boxes and report them, rather than stop; `coco` always does,
        since two boxes of train2017 as published have no height.
    tile: side in pixels of an image in laboro-mosaics; mosaic_seed: how they are grouped.
    scenes, aerial: what to draw.
    """

    name: str
    root: str | None = None
    validation_fraction: float = 0.15
    split_seed: int = 0
    drop_broken: bool = False
    tile: int = 256
    mosaic_seed: int = 0
    scenes: ScenesSpec = field(default_factory=ScenesSpec)
    aerial: AerialSpec = field(default_factory=AerialSpec)

    def __post_init__(self) -> None:
        if not 0 <= self.validation_fraction < 1:
            raise UserError(
                f"validation_fraction {self.validation_fraction} is not a share from 0 to below 1"
            )
        if self.tile < 1:
            raise UserError(f"tile {self.tile} is not a number of pixels; give 1 or more")
        if min(self.split_seed, self.mosaic_seed) < 0:
            raise UserError("split_seed and mosaic_seed must not be negative; give 0 or more")


def open_dataset(spec: DatasetSpec, *, report: Report = note) -> dict[str, ImageSource]:
    """The splits of a data set, in the order train, val (if any), test.

    Annotations are read and checked here; images are decoded one by one on use.
    Raises UserError if the name is unknown, or the data are not found or broken.
    """
    if spec.name == "scenes":
        return _drawn(scenes.draw_scene, scenes.CLASSES, spec.scenes)
    if spec.name == "aerial":
        return _drawn(aerial.draw_aerial, aerial.CLASSES, spec.aerial)
    if spec.name in FOLDERS:
        singles = _open_folder(_named_folder(spec), spec, report)
        if spec.name != "laboro-mosaics":
            return dict(singles)
        return {name: _mosaic(name, single, spec, report) for name, single in singles.items()}
    folder = Path(spec.name).expanduser()
    if folder.is_dir():
        return dict(_open_folder(folder, spec, report))
    if len(folder.parts) > 1 or spec.name.startswith((".", "~")):
        raise UserError(f"{folder}: no such data set folder; correct the path")
    raise UserError(
        f"unknown data set {spec.name!r}; give one of {', '.join(NAMES)}, or the path of a folder "
        "with images/ and annotations/train.json and test.json, or with VOC2007/ and VOC2012/"
    )


def data_root(root: str | None = None) -> Path:
    """The folder of the named data sets: this one if given, else as DatasetSpec says."""
    return Path(root or os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT).expanduser()


def _drawn(
    draw: Callable[[int, int, int], Scene], class_names: tuple[str, ...], spec: DrawnSpec
) -> dict[str, ImageSource]:
    return {
        split: DrawnSource(draw, class_names, spec.seed, block * _SPLIT_BLOCK, count, spec.size)
        for block, (split, count) in enumerate(spec.counts.items())
    }


def _named_folder(spec: DatasetSpec) -> Path:
    folder = data_root(spec.root) / FOLDERS[spec.name]
    if not folder.is_dir():
        own = "aerial" if spec.name == "nwpu" else "scenes"
        raise UserError(
            f"data set {spec.name!r}: no folder {folder}; set {ROOT_VARIABLE} to the folder that "
            f"holds {folder.name}, or use the data set {own!r}, which needs nothing"
        )
    return folder


def _open_folder(folder: Path, spec: DatasetSpec, report: Report) -> dict[str, FolderSource]:
    """The splits of a folder; `val` is taken from train where it has none."""
    if spec.name == "voc" or is_devkit(folder):
        sources = _voc_sources(folder, spec, report)
    else:
        sources = _coco_sources(folder, spec, report)
    _report_shared_images(sources, folder, report)
    if "val" in sources or spec.validation_fraction == 0 or spec.name in WHOLE:
        return sources
    train, val = _split_off(sources["train"], spec.validation_fraction, spec.split_seed, folder)
    return {"train": train, "val": val, "test": sources["test"]}


def _voc_sources(devkit: Path, spec: DatasetSpec, report: Report) -> dict[str, FolderSource]:
    return {
        name: FolderSource(
            read_voc(devkit, name, drop_broken=spec.drop_broken, report=report), devkit
        )
        for name in ("train", "test")
    }


def _coco_sources(folder: Path, spec: DatasetSpec, report: Report) -> dict[str, FolderSource]:
    files = {
        "train": _annotation_file(folder, TRAIN_FILES),
        "val": _optional_file(folder, VAL_FILES),
        "test": _annotation_file(folder, TEST_FILES),
    }
    drop_broken = spec.drop_broken or spec.name == "coco"
    sources = {}
    for name, file in files.items():
        if file is not None:
            image_dir = _image_folder(folder, file)
            split = read_coco(file, image_dir, drop_broken=drop_broken, report=report)
            sources[name] = FolderSource(split, image_dir)
    for name, source in sources.items():
        if source.split.categories != sources["train"].split.categories:
            raise UserError(
                f"{files[name]}: has other categories than {files['train']}; "
                "give both the same ids and names"
            )
    return sources


def _image_folder(folder: Path, annotation_file: Path) -> Path:
    """images/, or where COCO unpacks them: train2017/ for instances_train2017.json."""
    unpacked = folder / annotation_file.stem.removeprefix("instances_")
    images = folder / "images"
    return unpacked if unpacked.is_dir() and not images.is_dir() else images


def _optional_file(folder: Path, names: Sequence[str]) -> Path | None:
    paths = (folder / "annotations" / name for name in names)
    return next((path for path in paths if path.exists()), None)


def _annotation_file(folder: Path, names: Sequence[str]) -> Path:
    found = _optional_file(folder, names)
    if found is None:
        raise UserError(
            f"{folder / 'annotations' / names[0]}: no such file, nor {' nor '.join(names[1:])}; "
            "put the split's COCO json there"
        )
    return found


def _report_shared_images(sources: dict[str, FolderSource], folder: Path, report: Report) -> None:
    train = sources["train"]
    trained = {image.file_name for image in train.split.images}
    for name, source in sources.items():
        shared = trained & {image.file_name for image in source.split.images}
        if name != "train" and source.image_dir == train.image_dir and shared:
            report(f"{folder}: {len(shared)} images of {name} are in train too: {min(shared)!r}")


def _split_off(
    source: FolderSource, fraction: float, seed: int, folder: Path
) -> tuple[FolderSource, FolderSource]:
    """Two sources with 1 - fraction and fraction of the images, the second one rounded, from 1."""
    count = len(source.split.images)
    taken = max(1, math.floor(count * fraction + 0.5))
    order = seeded_order(count, seed)
    parts = [source.split.subset(part) for part in (order[taken:], order[:taken])]
    if any(all(annotation.iscrowd for annotation in part.annotations) for part in parts):
        raise UserError(
            f"{folder}: {count} train images are too few to take a val split with boxes from; "
            "add annotations/val.json or set validation_fraction to 0"
        )
    rest, chosen = (FolderSource(part, source.image_dir) for part in parts)
    return rest, chosen


def _mosaic(name: str, source: ImageSource, spec: DatasetSpec, report: Report) -> MosaicSource:
    order = seeded_order(len(source.split.images), spec.mosaic_seed)
    return mosaic(source, spec.tile, order, report=lambda message: report(f"{name}: {message}"))
