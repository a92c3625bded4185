"""The far and the near end of a photograph: a greenhouse's blurred backdrop, and the exposure."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from pipelines.data.drawn.painting import Array, Foliage

_BACKDROP_SIDE = 160
_BLURRED_FRUIT = 0.15  # share of the pictures with a fruit far out of focus, not labelled


def backdrop(rng: np.random.Generator, far: Foliage, middle: Foliage, size: int) -> Array:
    """What lies out of focus (float32 3×size×size, linear): house, then leaves at two depths."""
    side = _BACKDROP_SIDE
    picture = Image.new("RGB", (side, side))
    _house(rng, ImageDraw.Draw(picture), side)
    for leaves, blur in ((far, 2.2), (middle, 1.5)):
        picture = picture.filter(ImageFilter.GaussianBlur(blur))
        draw = ImageDraw.Draw(picture)
        halves = leaves.outlines() * side
        both = np.stack([1 + leaves.fold, 1 - leaves.fold], axis=1)[:, :, None]
        colours = (np.sqrt(leaves.colour[:, None] * both) * 255).astype(int)
        for outline, colour in zip(
            halves.reshape(-1, halves.shape[2] * 2), colours.reshape(-1, 3), strict=True
        ):
            draw.polygon(outline.tolist(), tuple(colour.tolist()))
    picture = picture.filter(ImageFilter.GaussianBlur(0.6))
    picture = picture.resize((size, size), Image.Resampling.BICUBIC)
    display = np.asarray(picture, np.float32).transpose(2, 0, 1) / np.float32(255)
    return np.ascontiguousarray(display * display)


def _house(rng: np.random.Generator, draw: ImageDraw.ImageDraw, side: int) -> None:
    """Glass, hedge of far rows, gutter and floor in bands, with poles and glints of light."""
    eaves, gutter = side * rng.uniform(-0.3, 0.35), side * rng.uniform(0.65, 1.3)
    floor = gutter + side * rng.uniform(0.08, 0.25)
    bands = (
        (0.0, eaves, (205, 215, 215)),
        (eaves, gutter, (52, 74, 38)),
        (gutter, floor, (188, 188, 176)),
        (floor, float(side), (120, 104, 84)),
    )
    for top, bottom, colour in bands:
        if bottom > max(top, 0):
            draw.rectangle((0, top, side, bottom), colour)
    for _ in range(int(rng.integers(20, 60))):
        x, y = rng.uniform(0, side), rng.uniform(0, max(gutter, 1.0)) * rng.uniform(0.3, 1)
        r = rng.uniform(2, 9)
        level = int(rng.integers(120, 235))
        draw.ellipse((x - r, y - r, x + r, y + r), (level, level, level - 20))
    if rng.random() < _BLURRED_FRUIT:
        x, y, r = rng.uniform(0, side), rng.uniform(0, side), rng.uniform(5, 9)
        draw.ellipse((x - r, y - r, x + r, y + r), (150, int(rng.integers(40, 150)), 40))
    for x in rng.uniform(0, side, int(rng.integers(0, 4))):
        level, width = int(rng.integers(90, 220)), int(rng.integers(3, 8))
        draw.line((x, 0, x + rng.uniform(-8, 8), side), (level, level, level), width)


def expose(
    light: Array,
    rng: np.random.Generator,
    noise: np.random.Generator,
    *,
    unevenness: float = 1.0,
    blur: tuple[float, float] = (0.3, 0.9),
) -> NDArray[np.uint8]:
    """The photograph (uint8 size×size×3): uneven light, white balance, defocus and noise.

    `light` is float32 3×size×size, linear. `rng` gives what the photograph has in common at every
    size, `noise` the grain of the pixels. `unevenness` scales how much the light varies over the
    picture; `blur` is the range of the defocus in pixels of a picture 512 wide.
    """
    size = light.shape[1]
    blotches = np.exp(0.30 * unevenness * rng.standard_normal((7, 7)))
    ramp_x, ramp_y = unevenness * rng.uniform(-0.35, 0.35), unevenness * rng.uniform(-0.45, 0.15)
    axis = np.linspace(-1, 1, 7)
    field = blotches * (1 + ramp_x * axis[None] + ramp_y * axis[:, None])
    coarse = Image.fromarray(field.astype(np.float32))
    smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC))
    gain = rng.uniform(0.95, 1.5) * np.exp(0.07 * rng.standard_normal(3))
    light = light * smooth * gain.astype(np.float32)[:, None, None]
    np.clip(light, 0, None, out=light)
    display = np.sqrt(light)
    over = np.maximum(display - np.float32(0.8), 0)
    display -= over * over / (over + np.float32(0.4))
    sharp = np.clip(display * 255, 0, 255).astype(np.uint8).transpose(1, 2, 0)
    photo = Image.fromarray(np.ascontiguousarray(sharp))
    photo = photo.filter(ImageFilter.GaussianBlur(size / 512 * rng.uniform(*blur)))
    grain = noise.standard_normal((size, size, 3), np.float32) * np.float32(rng.uniform(2, 5))
    return np.clip(np.asarray(photo) + grain + np.float32(0.5), 0, 255).astype(np.uint8)
