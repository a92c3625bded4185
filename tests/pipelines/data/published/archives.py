"""Small archives in the true layouts of the published data sets."""

import io
import json
import tarfile
import zipfile
from collections.abc import Mapping

from PIL import Image

Files = Mapping[str, bytes]


def picture() -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (200, 60, 40)).save(stream, "jpeg")
    return stream.getvalue()


PICTURE = picture()
NAMES = ("unripe", "semi-ripe", "fully-ripe")


def coco_json(images: int, boxes: int, **change) -> bytes:
    """A COCO file with the boxes dealt out to the images, image by image."""
    content = {
        "images": [
            {"id": k, "file_name": f"{k}.jpg", "width": 8, "height": 8} for k in range(images)
        ],
        "categories": [{"id": k, "name": name} for k, name in enumerate(NAMES, start=1)],
        "annotations": [
            {
                "id": k + 1,
                "image_id": k % images,
                "category_id": k % 3 + 1,
                "bbox": [1, 1, 4, 4],
                "iscrowd": 0,
            }
            for k in range(boxes)
        ],
        **change,
    }
    return json.dumps(content).encode()


def pictures(folder: str, count: int) -> dict[str, bytes]:
    return {f"{folder}/{k}.jpg": PICTURE for k in range(count)}


def zipped(files: Files) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return stream.getvalue()


def tarred(files: Files, **links: str) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as opened:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            opened.addfile(info)
    return stream.getvalue()


TRAIN, TEST = (3, 7), (2, 4)
"""Images and boxes of the small sets."""


def voc_year(year: str, **parts: str) -> dict[str, bytes]:
    """One archive of VOC: image lists by part, the images of each named after it."""
    top = f"VOCdevkit/{year}"
    files = {}
    for part, name in parts.items():
        files[f"{top}/ImageSets/Main/{part}.txt"] = f"{name}\n".encode()
        files[f"{top}/JPEGImages/{name}.jpg"] = PICTURE
        files[f"{top}/Annotations/{name}.xml"] = (
            f"<annotation><filename>{name}.jpg</filename>"
            "<size><width>8</width><height>8</height></size>"
            "<object><name>cat</name><difficult>0</difficult><bndbox><xmin>1</xmin><ymin>1</ymin>"
            "<xmax>4</xmax><ymax>5</ymax></bndbox></object></annotation>"
        ).encode()
    return files


def tomatod_images(top: str) -> bytes:
    images = pictures(f"{top}train", TRAIN[0]) | pictures(f"{top}test", TEST[0])
    return zipped(images | {f"__MACOSX/{top}train/._0.jpg": b"junk", f"{top}.DS_Store": b"junk"})


def tomatod_annotations(top: str) -> bytes:
    one_list = [{"id": 1, "name": list(NAMES)}]
    train = coco_json(*TRAIN).replace(b'"iscrowd"', b'"is_crowd"')
    test = coco_json(*TEST, categories=one_list)
    return zipped({f"{top}tomatOD_train.json": train, f"{top}tomatOD_test.json": test})


def small_archives(name: str) -> list[bytes]:
    """The archives of a data set in their true layout, in the catalogue's order."""
    train, test = coco_json(*TRAIN), coco_json(*TEST)
    if name == "tomatod":
        return [tomatod_images(""), tomatod_annotations("tomatOD_annotations/")]
    if name == "laboro-big":
        annotations = {"annotations/train.json": train, "annotations/test.json": test}
        files = annotations | pictures("train", TRAIN[0]) | pictures("test", TEST[0])
        return [zipped({f"laboro_tomato_big/{file}": content for file, content in files.items()})]
    if name == "voc":
        years = [
            voc_year("VOC2007", trainval="000005"),
            voc_year("VOC2007", test="000001"),
            voc_year("VOC2012", trainval="2008_000002"),
        ]
        return [tarred(year) for year in years]
    jsons = {"instances_train2017": train, "instances_val2017": test, "captions_val2017": b"{}"}
    return [
        zipped(pictures("train2017", TRAIN[0])),
        zipped(pictures("val2017", TEST[0])),
        zipped({f"annotations/{file}.json": content for file, content in jsons.items()}),
    ]


def padded(archive: bytes) -> bytes:
    """The same archive, long enough to be interrupted: a comment or zeros behind it."""
    if not archive.startswith(b"PK"):
        return archive + bytes(20_000)
    stream = io.BytesIO(archive)
    with zipfile.ZipFile(stream, "a") as opened:
        opened.comment = b"-" * 40_000
    return stream.getvalue()
