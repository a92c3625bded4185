"""A data set of one's own of large drawn photographs with small objects."""

import json

import numpy as np
from PIL import Image

WIDTH, HEIGHT, SIDE = 4000, 3000, 20
OBJECTS = 240
NAMES = ("ripe", "unripe")
COLOURS = ((205, 45, 40), (150, 185, 70))


def write_large(folder, photographs=None):
    """Splits in COCO form, of so many photographs each."""
    (folder / "images").mkdir(parents=True)
    (folder / "annotations").mkdir()
    rng = np.random.default_rng(0)
    for split, count in (photographs or {"train": 2, "val": 1, "test": 1}).items():
        images, annotations = [], []
        for number in range(1, count + 1):
            name = f"{split}-{number}.jpg"
            pixels, boxes, labels = draw(rng)
            Image.fromarray(pixels).save(folder / "images" / name, quality=92)
            images.append({"id": number, "file_name": name, "width": WIDTH, "height": HEIGHT})
            annotations += [
                {"image_id": number, "category_id": int(label) + 1, "bbox": box.tolist()}
                for box, label in zip(boxes, labels, strict=True)
            ]
        coco = {
            "images": images,
            "annotations": [{"id": k, **one} for k, one in enumerate(annotations, start=1)],
            "categories": [{"id": k, "name": name} for k, name in enumerate(NAMES, start=1)],
        }
        (folder / "annotations" / f"{split}.json").write_text(json.dumps(coco))


def draw(rng):
    """A green ground, round fruits of SIDE pixels or a little less, and specks of their colours."""
    coarse = rng.integers(0, 70, (HEIGHT // 25, WIDTH // 25), dtype=np.uint8)
    ground = np.asarray(Image.fromarray(coarse).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
    pixels = np.stack([ground // 2 + 30, ground + 50, ground // 2 + 25], axis=-1).astype(np.uint8)
    for _ in range(2 * OBJECTS):
        paint_disc(pixels, rng.integers(0, (WIDTH - 8, HEIGHT - 8)), 6, COLOURS[rng.integers(2)])
    cells = rng.choice((WIDTH // 40) * (HEIGHT // 40), OBJECTS, replace=False)
    corners = np.stack([cells % (WIDTH // 40), cells // (WIDTH // 40)], axis=1) * 40
    corners += rng.integers(0, 40 - SIDE, corners.shape)
    sides, labels = rng.integers(SIDE - 4, SIDE + 1, OBJECTS), rng.integers(0, 2, OBJECTS)
    for corner, side, label in zip(corners, sides, labels, strict=True):
        paint_disc(pixels, corner, side, COLOURS[label])
    return pixels, np.stack([*corners.T, sides, sides], axis=1), labels


def paint_disc(pixels, corner, side, colour):
    """A disc that is brighter at its middle, in the square from `corner`."""
    (x, y), middle = corner, (side - 1) / 2
    down, across = np.mgrid[:side, :side]
    distance = np.hypot(across - middle, down - middle) / (side / 2)
    shade = np.clip(1.15 - 0.5 * distance**2, 0, 1)[..., None]
    window = pixels[y : y + side, x : x + side]
    window[distance <= 1] = (shade * colour).astype(np.uint8)[distance <= 1]
