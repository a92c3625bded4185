"""Prepared images whose objects are filled rectangles."""

import numpy as np

from pipelines.data.prepared import PreparedSplit
from pipelines.data.records import CocoSplit

SIZE = 64
MOSAICS = [[(4, 6, 10, 8), (40, 2, 6, 12)], [(20, 40, 9, 9)]]


def split_of(boxes_by_image):
    """Black images in which every object is a filled rectangle of a shade of its own."""
    images = np.zeros((len(boxes_by_image), SIZE, SIZE, 3), np.uint8)
    annotations: list[dict[str, object]] = []
    for image, boxes in enumerate(boxes_by_image):
        for x, y, width, height in boxes:
            number = len(annotations) + 1
            images[image, y : y + height, x : x + width] = 40 * number
            annotations.append(
                {
                    "id": number,
                    "image_id": image + 1,
                    "category_id": 1,
                    "bbox": [x, y, width, height],
                    "area": width * height,
                    "iscrowd": 0,
                }
            )
    coco = {
        "images": [
            {"id": i + 1, "file_name": f"{i}.png", "width": SIZE, "height": SIZE}
            for i in range(len(boxes_by_image))
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "fruit"}],
    }
    return PreparedSplit(images, CocoSplit.from_coco(coco))
