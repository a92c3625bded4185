"""A data set of one's own that a small detector learns in seconds: squares of two colours."""

import json

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 96, 72
COLOURS = {"ripe": (220, 40, 30), "unripe": (60, 190, 60)}
COUNTS = {"train": 48, "val": 8, "test": 16}


def write_fruit(folder):
    """COCO, a folder of photographs a split, one square of each class on each."""
    rng = np.random.default_rng(0)
    (folder / "annotations").mkdir(parents=True)
    for split, count in COUNTS.items():
        (folder / "images" / split).mkdir(parents=True)
        images: list[dict[str, object]] = []
        annotations: list[dict[str, object]] = []
        for number in range(1, count + 1):
            name = f"{split}-{chr(96 + number % 26 + 1)}{number}.png"
            pixels = rng.integers(90, 130, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            for category, colour in enumerate(COLOURS.values(), start=1):
                side = int(rng.integers(16, 26))
                x = (category - 1) * WIDTH // 2 + int(rng.integers(0, WIDTH // 2 - side))
                y = int(rng.integers(0, HEIGHT - side))
                pixels[y : y + side, x : x + side] = colour
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": number,
                        "category_id": category,
                        "bbox": [x, y, side, side],
                    }
                )
            Image.fromarray(pixels).save(folder / "images" / split / name)
            size = {"width": WIDTH, "height": HEIGHT}
            images.append({"id": number, "file_name": f"{split}/{name}", **size})
        held = {
            "images": images,
            "annotations": annotations,
            "categories": [{"id": k, "name": name} for k, name in enumerate(COLOURS, start=1)],
        }
        (folder / "annotations" / f"{split}.json").write_text(json.dumps(held))
