"""Data sets by name, or a folder of one's own.

Drawn here: `scenes` (greenhouse tomatoes) and `aerial`. From the data root: `laboro`,
`laboro-mosaics`, `laboro-mosaics-unstretched`, `nwpu` and `coco-mini` (a few images of COCO), which
must lie there; and `tomatod`, `laboro-big`, `voc` (PASCAL VOC 2007 and 2012 joined), `coco` (COCO
2017) and `dota` (v1.0, cut into tiles), which are fetched there from their publishers at the first
use.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from pipelines.data.dataset_spec import (
    SPLIT_BLOCK,
    AerialSpec,
    DatasetSpec,
    DrawnSpec,
    Fold,
    ScenesSpec,
)
from pipelines.data.drawn import aerial, scenes
from pipelines.data.drawn.drawing import Scene
from pipelines.data.folded import folded, whole
from pipelines.data.formats.folders import FORMS, Report, open_folder
from pipelines.data.mosaic import mosaic, seeded_order
from pipelines.data.published.catalogue import PUBLISHED, Counts, differences
from pipelines.data.published.fetch import fetch
from pipelines.data.records import CocoSplit
from pipelines.data.root import FOLDERS, MOSAICS, ROOT_VARIABLE, data_root
from pipelines.data.sources import DrawnSource, ImageSource
from pipelines.data.tiles import tiled
from pipelines.system.errors import UserError, note

__all__ = [
    "NAMES",
    "AerialSpec",
    "DatasetSpec",
    "ScenesSpec",
    "open_dataset",
    "own_folder",
    "require_data_set",
]

NAMES = ("scenes", "aerial", *FOLDERS, *PUBLISHED)


def open_dataset(spec: DatasetSpec, *, report: Report = note) -> dict[str, ImageSource]:
    """The splits of a data set, in the order train, val (if any), test.

    Annotations are read and checked here; images are decoded one by one on use.
    Raises UserError if the name is unknown, or the data are not found or broken.
    """
    if spec.fold is not Fold.PUBLISHED and spec.name in ("scenes", "aerial", *PUBLISHED):
        raise UserError(
            f"fold: {spec.name} is tested on its own split alone; leave fold out, or published"
        )
    if spec.name == "scenes":
        return _drawn(scenes.draw_scene, scenes.CLASSES, spec.scenes)
    if spec.name == "aerial":
        return _drawn(aerial.draw_aerial, aerial.CLASSES, spec.aerial)
    if spec.name in PUBLISHED:
        return _published(spec, report)
    if spec.name in FOLDERS:
        folder, aspect = _named_folder(spec), MOSAICS.get(spec.name)
        if spec.fold is not Fold.PUBLISHED:
            return folded(open_folder(folder, whole(spec), report), spec, aspect, report)
        singles = dict(open_folder(folder, spec, report))
        if aspect is None:
            return dict(singles)
        return {name: _mosaic(name, one, spec, aspect, report) for name, one in singles.items()}
    folder = own_folder(spec.name)
    if spec.fold is not Fold.PUBLISHED:
        return folded(open_folder(folder, whole(spec), report), spec, None, report)
    return dict(open_folder(folder, spec, report))


def own_folder(path: str) -> Path:
    """The folder of one's own that is meant by what is none of the NAMES.

    Raises UserError if it is not there.
    """
    folder = Path(path).expanduser()
    if folder.is_dir():
        return folder
    if len(folder.parts) > 1 or path.startswith((".", "~")):
        raise UserError(f"{folder}: no such data set folder; correct the path")
    raise UserError(
        f"unknown data set {path!r}; give one of {', '.join(NAMES)}, or the path of a folder "
        f"in the form of {FORMS}"
    )


def _drawn(
    draw: Callable[[int, int, int], Scene], class_names: tuple[str, ...], spec: DrawnSpec
) -> dict[str, ImageSource]:
    return {
        split: DrawnSource(draw, class_names, spec.seed, block * SPLIT_BLOCK, count, spec.size)
        for block, (split, count) in enumerate(spec.counts.items())
    }


def _published(spec: DatasetSpec, report: Report) -> dict[str, ImageSource]:
    """A published data set, fetched if it is not there, its numbers held to the published ones."""
    published = PUBLISHED[spec.name]
    folder = fetch(spec.name, data_root(spec.root), report=report)
    sources = open_folder(folder, spec, report)
    test = "val" if spec.name == "dota" else "test"
    trained = [sources[name].split for name in ("train", "val") if name in sources]
    counts = {"train": _counts(trained), test: _counts([sources["test"].split])}
    for difference in differences(published, counts):
        report(f"{spec.name}: {difference}")
    if spec.name != "dota":
        return dict(sources)
    return {name: _tiles(name, source, spec, report) for name, source in sources.items()}


def _counts(parts: Iterable[CocoSplit]) -> Counts:
    """What these splits hold together."""
    images = boxes = empty = 0
    classes: Counter[str] = Counter()
    for split in parts:
        names = {category.id: category.name for category in split.categories}
        images += len(split.images)
        boxes += len(split.annotations)
        empty += sum(not found for found in split.annotations_by_image())
        classes.update(names[annotation.category_id] for annotation in split.annotations)
    return Counts(images, boxes, empty, classes)


def _named_folder(spec: DatasetSpec) -> Path:
    folder = data_root(spec.root) / FOLDERS[spec.name]
    if not folder.is_dir():
        own = "aerial" if spec.name == "nwpu" else "scenes"
        raise UserError(
            f"data set {spec.name!r}: no folder {folder}; set {ROOT_VARIABLE} to the folder that "
            f"holds {folder.name}, or use the data set {own!r}, which needs nothing"
        )
    return folder


def _tiles(name: str, source: ImageSource, spec: DatasetSpec, report: Report) -> ImageSource:
    return tiled(source, spec.cut, spec.overlap, report=lambda said: report(f"{name}: {said}"))


def _mosaic(
    name: str, source: ImageSource, spec: DatasetSpec, aspect: float, report: Report
) -> ImageSource:
    order = seeded_order(len(source.split.images), spec.mosaic_seed)
    return mosaic(
        source, spec.tile, order, aspect=aspect, report=lambda said: report(f"{name}: {said}")
    )


def require_data_set(name: str) -> None:
    """Refuse what is neither a known name nor a folder; nothing in it is read.

    Raises:
        UserError: it is neither.
    """
    if name not in NAMES:
        own_folder(name)
