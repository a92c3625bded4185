"""Two photographs with five objects and seven detections, of which each test knows everything."""

import numpy as np

from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord

SIDE = 100
NAMES = ("a", "b")
A1, A2, B1 = (0.0, 0.0, 10.0, 10.0), (20.0, 0.0, 10.0, 10.0), (40.0, 0.0, 10.0, 10.0)
B2, B3 = (0.0, 0.0, 10.0, 10.0), (50.0, 50.0, 10.0, 10.0)
OBJECTS = ((1, 1, A1), (1, 1, A2), (1, 2, B1), (2, 2, B2), (2, 2, B3))
"""Image, category, box."""

TRUE_A = (1, 1, A1, 0.9)
DUPLICATE = (1, 1, A1, 0.8)
LOCATION = (1, 1, (25.0, 0.0, 10.0, 10.0), 0.7)  # overlap with A2: 50 / 150
CLASS = (1, 1, B1, 0.6)
BOTH = (1, 1, (45.0, 0.0, 10.0, 10.0), 0.5)  # overlap with B1: 50 / 150
BACKGROUND = (1, 2, (70.0, 70.0, 10.0, 10.0), 0.4)
TRUE_B = (2, 2, B2, 0.3)
FOUND = (TRUE_A, DUPLICATE, LOCATION, CLASS, BOTH, BACKGROUND, TRUE_B)
"""Image, category, box, score. A2 is meant by LOCATION, B1 by CLASS, B3 by nothing."""


def make_split(objects=OBJECTS, names=NAMES, images=2, crowds=()):
    """Images of SIDE×SIDE pixels."""
    marked = [*((o, 0) for o in objects), *((o, 1) for o in crowds)]
    return CocoSplit(
        tuple(ImageRecord(i, f"{i}.png", SIDE, SIDE) for i in range(1, images + 1)),
        tuple(Category(k, name) for k, name in enumerate(names, start=1)),
        tuple(
            Annotation(n, image, category, box, crowd, box[2] * box[3])
            for n, ((image, category, box), crowd) in enumerate(marked, start=1)
        ),
    )


def results(found=FOUND):
    """COCO results."""
    return [
        {"image_id": image, "category_id": category, "bbox": list(box), "score": score}
        for image, category, box, score in found
    ]


class Drawn:
    """Photographs of one colour each, with their boxes."""

    def __init__(self, split=None):
        self.split = split or make_split()

    def image(self, index):
        return np.full((SIDE, SIDE, 3), 40 * index, np.uint8)
