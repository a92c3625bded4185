"""One split of a detection data set in memory: images, categories and boxes, without pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class ImageRecord:
    """An image: id, file name (relative to the image folder), width and height in pixels.

    burst: number shared by images that were taken one after the other, if that is known.
    """

    id: int
    file_name: str
    width: int
    height: int
    burst: int | None = None


@dataclass(frozen=True, slots=True)
class Category:
    """A class of objects: its COCO category id and its name."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """One object: bbox is (x, y, width, height) in pixels of its image, area in square pixels.

    iscrowd is 0 for a single object, 1 for a region of many that evaluation ignores.
    """

    id: int
    image_id: int
    category_id: int
    bbox: Box
    iscrowd: int
    area: float


@dataclass(frozen=True)
class CocoSplit:
    """A checked split; images, categories and annotations are each sorted by id."""

    images: tuple[ImageRecord, ...]
    categories: tuple[Category, ...]
    annotations: tuple[Annotation, ...]

    def to_coco(self) -> dict[str, Any]:
        """A COCO dictionary of fresh lists, fit for json and for pycocotools."""
        return {
            "info": {},
            "images": [_image_entry(image) for image in self.images],
            "categories": [{"id": c.id, "name": c.name} for c in self.categories],
            "annotations": [
                {
                    "id": a.id,
                    "image_id": a.image_id,
                    "category_id": a.category_id,
                    "bbox": list(a.bbox),
                    "iscrowd": a.iscrowd,
                    "area": a.area,
                }
                for a in self.annotations
            ],
        }

    @classmethod
    def from_coco(cls, coco: dict[str, Any]) -> "CocoSplit":
        """The inverse of to_coco, for dictionaries that to_coco made: nothing is checked."""
        return cls(
            tuple(ImageRecord(**entry) for entry in coco["images"]),
            tuple(Category(**entry) for entry in coco["categories"]),
            tuple(
                Annotation(**{**entry, "bbox": tuple(entry["bbox"])})
                for entry in coco["annotations"]
            ),
        )

    def subset(self, indices: Sequence[int]) -> "CocoSplit":
        """The images at these positions of `images`, with their annotations and all categories."""
        images = sorted((self.images[index] for index in indices), key=lambda image: image.id)
        kept = {image.id for image in images}
        annotations = tuple(a for a in self.annotations if a.image_id in kept)
        return CocoSplit(tuple(images), self.categories, annotations)

    def annotations_by_image(self) -> tuple[tuple[Annotation, ...], ...]:
        """The annotations of each image, crowd regions included, in the order of `images`."""
        grouped: dict[int, list[Annotation]] = {image.id: [] for image in self.images}
        for annotation in self.annotations:
            grouped[annotation.image_id].append(annotation)
        return tuple(tuple(found) for found in grouped.values())


def _image_entry(image: ImageRecord) -> dict[str, Any]:
    entry = {
        "id": image.id,
        "file_name": image.file_name,
        "width": image.width,
        "height": image.height,
    }
    return entry if image.burst is None else {**entry, "burst": image.burst}
