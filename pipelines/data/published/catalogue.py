"""The data sets that others publish: where they are had, under what terms, and what they hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Archive:
    """One file to download.

    into: where in the data set's folder its members go ("." is the folder itself); a single folder
        that holds all of them is dropped, so that it does not matter whether there is one.
    md5: as published or, for COCO, circulated.
    """

    url: str
    into: str = "."
    md5: str | None = None

    @property
    def name(self) -> str:
        """The file's name at its address."""
        return self.url.rpartition("/")[2]


@dataclass(frozen=True)
class Counts:
    """What a split holds: images, boxes (crowds included), images without a box, boxes by class."""

    images: int
    boxes: int | None = None
    empty: int | None = None
    classes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class SplitLayout:
    """A split in COCO's form: the json and the folder of images, each the first that is there."""

    annotations: tuple[str, ...]
    images: tuple[str, ...]


@dataclass(frozen=True)
class Oddity:
    """Boxes that a split is known to hold in place of the published number, and why."""

    boxes: int
    why: str


@dataclass(frozen=True)
class Published:
    """A data set as its authors publish it.

    folder: its name under the data root.
    gigabytes: rough size of the archives.
    counts: by split, as published; classes: boxes by class over all splits.
    layout: by split, for those in COCO's form; paths: files and folders that it needs beside.
    most_bytes, most_members: more than any of its archives unpacks to.
    checksums: whose they are; by_hand: how to get a set that has no archives here.
    """

    folder: str
    archives: tuple[Archive, ...]
    gigabytes: float
    licence: str
    homepage: str
    counts: Mapping[str, Counts]
    most_bytes: int
    most_members: int
    classes: Mapping[str, int] = field(default_factory=dict)
    layout: Mapping[str, SplitLayout] = field(default_factory=dict)
    paths: tuple[str, ...] = ()
    oddities: Mapping[str, Oddity] = field(default_factory=dict)
    checksums: str = ""
    by_hand: str = ""

    def missing(self, folder: Path) -> list[str]:
        """The files and folders of the layout that are not in `folder`, by their first names."""
        return [needed[0] for needed in self._needed() if first_there(folder, needed) is None]

    def top_level(self, folder: Path) -> list[str]:
        """The entries of `folder` that hold the layout, sorted."""
        found = (first_there(folder, needed) for needed in self._needed())
        return sorted({path.relative_to(folder).parts[0] for path in found if path is not None})

    def _needed(self) -> list[tuple[str, ...]]:
        layouts = self.layout.values()
        files = [
            candidates for split in layouts for candidates in (split.annotations, split.images)
        ]
        return [*files, *((path,) for path in self.paths)]


def first_there(folder: Path, candidates: tuple[str, ...]) -> Path | None:
    """The first of these paths under `folder` that is a file, or a folder with something in it."""
    for path in (folder / candidate for candidate in candidates):
        if path.is_file() or (path.is_dir() and any(path.iterdir())):
            return path
    return None


def differences(published: Published, counts: Mapping[str, Counts]) -> list[str]:
    """One sentence for each count that is not the published one, oddities named as such.

    counts: of all of the data set's splits, as read. Nothing is said of what is not published, or
    left out (None) in `counts`.
    """
    sentences = []
    for split, expected in published.counts.items():
        if split not in counts:
            sentences.append(f"{split}: is not there, published with {expected.images} images")
            continue
        found = counts[split]
        odd = _known(published, split, found)
        sentences += _difference(split, "images", found.images, expected.images)
        sentences += _difference(split, "boxes", found.boxes, expected.boxes, odd)
        sentences += _difference(split, "images without a box", found.empty, expected.empty)
        for name, number in expected.classes.items():
            sentences += _difference(
                split, f"boxes of {name}", found.classes.get(name, 0), number, odd
            )
    odd = next(iter(published.oddities.values())).why if published.oddities else ""
    if not all(_known(published, split, found) for split, found in counts.items()):
        odd = ""
    for name, number in published.classes.items():
        total = sum(found.classes.get(name, 0) for found in counts.values())
        sentences += _difference("all splits", f"boxes of {name}", total, number, odd)
    return sentences


def _known(published: Published, split: str, found: Counts) -> str:
    """Why a split has the number of boxes that it has, where that is known."""
    oddity = published.oddities.get(split)
    return oddity.why if oddity and found.boxes == oddity.boxes else ""


def _difference(
    split: str, what: str, found: int | None, expected: int | None, odd: str = ""
) -> list[str]:
    if found is None or expected is None or found == expected:
        return []
    reason = f" (known: {odd})" if odd else ""
    return [f"{split}: {found} {what}, published {expected}{reason}"]


_TOMATOD_ODDITY = "the shipped files hold 1953 and 468 boxes, 2421 in all rather than 2418"
_TOMATOD = "https://datasets-u2m.s3.eu-west-3.amazonaws.com/"
_VOC = "http://host.robots.ox.ac.uk/pascal/VOC/"
_COCO = "http://images.cocodataset.org/"

PUBLISHED: dict[str, Published] = {
    "tomatod": Published(
        folder="tomatOD",
        archives=(
            Archive(f"{_TOMATOD}tomatOD_images.zip", "tomatOD_images"),
            Archive(f"{_TOMATOD}tomatOD_annotations.zip", "tomatOD_annotations"),
        ),
        gigabytes=0.2,  # reckoned from its images, as are laboro-big's and dota's
        licence="CC BY-NC-SA 4.0",
        homepage="https://github.com/up2metric/tomatOD",
        counts={"train": Counts(222, 1952), "test": Counts(55, 466)},
        classes={"unripe": 1592, "semi-ripe": 395, "fully-ripe": 431},
        layout={
            split: SplitLayout(
                (
                    f"tomatOD_annotations/tomatOD_{split}.json",
                    f"annotations/tomatOD_{split}.json",
                    f"tomatOD_{split}.json",
                ),
                (f"tomatOD_images/{split}", f"images/{split}", split),
            )
            for split in ("train", "test")
        },
        oddities={"train": Oddity(1953, _TOMATOD_ODDITY), "test": Oddity(468, _TOMATOD_ODDITY)},
        checksums="none published, so the first download's are kept",
        most_bytes=10 * 10**9,
        most_members=10_000,
    ),
    "laboro-big": Published(
        folder="laboro_tomato_big",
        archives=(
            Archive("http://assets.laboro.ai.s3.amazonaws.com/laborotomato/laboro_tomato_big.zip"),
        ),
        gigabytes=1.5,
        licence="CC BY-NC-SA 4.0",
        homepage="https://github.com/laboroai/LaboroTomato",
        counts={
            "train": Counts(
                353,
                2360,
                classes={"b_fully_ripened": 343, "b_half_ripened": 506, "b_green": 1511},
            ),
            "test": Counts(
                89,
                550,
                classes={"b_fully_ripened": 77, "b_half_ripened": 130, "b_green": 343},
            ),
        },
        layout={
            split: SplitLayout((f"annotations/{split}.json",), (split, f"images/{split}"))
            for split in ("train", "test")
        },
        checksums="none published, so the first download's are kept",
        most_bytes=20 * 10**9,
        most_members=10_000,
    ),
    "voc": Published(
        folder="VOCdevkit",
        archives=(
            Archive(
                f"{_VOC}voc2007/VOCtrainval_06-Nov-2007.tar", md5="c52e279531787c972589f7e41ab4ae64"
            ),
            Archive(
                f"{_VOC}voc2007/VOCtest_06-Nov-2007.tar", md5="b6e924de25625d8de591ea690078ad9f"
            ),
            Archive(
                f"{_VOC}voc2012/VOCtrainval_11-May-2012.tar", md5="6cd6e144f989b92b3379bac3b3de84fd"
            ),
        ),
        gigabytes=2.9,
        licence="its photographs are Flickr's, under Flickr's terms of use",
        homepage="http://host.robots.ox.ac.uk/pascal/VOC/",
        counts={"train": Counts(5_011 + 11_540), "test": Counts(4_952)},
        paths=(
            "VOC2007/ImageSets/Main/trainval.txt",
            "VOC2007/ImageSets/Main/test.txt",
            "VOC2012/ImageSets/Main/trainval.txt",
            *(
                f"{year}/{part}"
                for year in ("VOC2007", "VOC2012")
                for part in ("Annotations", "JPEGImages")
            ),
        ),
        checksums="as torchvision has them",
        most_bytes=10 * 10**9,
        most_members=200_000,
    ),
    "coco": Published(
        folder="coco",
        archives=(
            Archive(f"{_COCO}zips/train2017.zip", "train2017", "cced6f7f71b7629ddf16f17bbcfab6b2"),
            Archive(f"{_COCO}zips/val2017.zip", "val2017", "442b8da7639aecaf257c1dceb8ba8c80"),
            Archive(
                f"{_COCO}annotations/annotations_trainval2017.zip",
                "annotations",
                "f4bbac642086de4f52a3fdda2de5fa2c",
            ),
        ),
        gigabytes=20.4,
        licence="annotations CC BY 4.0; photographs are Flickr's, under Flickr's terms of use",
        homepage="https://cocodataset.org",
        counts={"train": Counts(118_287, 860_001, 1_021), "test": Counts(5_000, 36_781)},
        layout={
            split: SplitLayout((f"annotations/instances_{name}.json",), (name, f"images/{name}"))
            for split, name in (("train", "train2017"), ("test", "val2017"))
        },
        oddities={"train": Oddity(859_999, "two boxes have no height and are left out on reading")},
        checksums="circulated among its users, not published by COCO itself",
        most_bytes=60 * 10**9,
        most_members=200_000,
    ),
    "dota": Published(
        folder="dota",
        archives=(),
        gigabytes=15,
        licence="academic use only",
        homepage="https://captain-whu.github.io/DOTA/",
        counts={"train": Counts(1_411), "val": Counts(458)},
        paths=("train/images", "train/labelTxt", "val/images", "val/labelTxt"),
        by_hand=(
            "get DOTA v1.0, train and val, by hand from https://captain-whu.github.io/DOTA/ and "
            "unpack each split's pictures into images/ and its labels of 15 classes, oriented "
            "boxes, into labelTxt/: train/images, train/labelTxt, val/images, val/labelTxt"
        ),
        most_bytes=60 * 10**9,
        most_members=100_000,
    ),
}
