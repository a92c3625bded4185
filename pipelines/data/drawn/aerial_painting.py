"""Paint an aerial site: ground with its grain, the shadows on it, what stands there, the camera."""

import math

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipelines.data.drawn.aerial_objects import Colour, Points
from pipelines.data.drawn.aerial_site import Site, Zone
from pipelines.data.drawn.camera import expose
from pipelines.data.drawn.painting import Array

_OVERSAMPLED = 2
_SHADOW_STEP = 4.0  # pixels of the oversampled picture


def photograph(site: Site, rng: Generator, noise: Generator, size: int) -> NDArray[np.uint8]:
    """The picture of a site (uint8 size×size×3).

    `rng` gives what the picture has in common at every size, `noise` the grain of the pixels.
    """
    turn, low = rng.uniform(0, 2 * np.pi), rng.uniform(0.4, 1.5)
    sun = low * np.array([np.cos(turn), np.sin(turn)])
    ground = _ground(site, size) * _grain(rng, site, size)
    ground *= 1 - np.float32(rng.uniform(0.45, 0.7)) * _shadows(site, sun, size)
    colour, cover = _things(site, size)
    display = ground * (1 - cover) + colour
    grey = display.mean(axis=0, keepdims=True)
    display = grey + np.float32(rng.uniform(0.55, 1.05)) * (display - grey)
    haze = np.float32(rng.uniform(0, 0.22))
    display = display * (1 - haze) + haze * np.array([0.60, 0.63, 0.66], np.float32)[:, None, None]
    return expose(display * display, rng, noise, unevenness=0.25, blur=(0.6, 2.0))


def _ground(site: Site, size: int) -> Array:
    picture = Image.new("RGB", (_OVERSAMPLED * size,) * 2, _bytes(site.soil))
    draw = ImageDraw.Draw(picture)
    for patch in site.patches:
        draw.polygon(_corners(patch.outline, size), fill=_bytes(patch.colour))
    return _channels(picture.reduce(_OVERSAMPLED))


def _grain(rng: Generator, site: Site, size: int) -> Array:
    """Uneven brightness (size×size, around 1): mottled land, smoother pavement and water."""
    strength = {Zone.LAND: 1.0, Zone.PAVED: 0.45, Zone.ROAD: 0.4, Zone.WATER: 0.35}
    rough = np.array([strength[zone] for zone in Zone], np.float32)[site.zones]
    mottle = np.zeros((size, size), np.float32)
    for cells, amount in ((6, 0.09), (24, 0.06), (110, 0.09)):
        mottle += _enlarged(amount * rng.standard_normal((cells, cells)), size)
    return np.exp(_enlarged(rough, size) * mottle)


def _shadows(site: Site, sun: Points, size: int) -> Array:
    """Share of each pixel in shadow (size×size)."""
    picture = Image.new("L", (_OVERSAMPLED * size,) * 2)
    draw = ImageDraw.Draw(picture)
    for thing in site.things:
        reach = sun * thing.height
        steps = math.ceil(np.hypot(*reach) * _OVERSAMPLED * size / _SHADOW_STEP)
        for step in range(1, steps + 1):
            away = reach * step / steps
            for part in thing.parts:
                draw.polygon(_corners(part.outline + away, size), fill=255)
    return np.asarray(picture.reduce(_OVERSAMPLED), np.float32) / np.float32(255)


def _things(site: Site, size: int) -> tuple[Array, Array]:
    """Colour (3×size×size, weighted by cover) and cover (size×size, 0 to 1) of all things."""
    picture = Image.new("RGBX", (_OVERSAMPLED * size,) * 2)
    draw = ImageDraw.Draw(picture)
    for thing in site.things:
        for part in thing.parts:
            draw.polygon(_corners(part.outline, size), fill=(*_bytes(part.colour), 255))
    layers = _channels(picture.reduce(_OVERSAMPLED))
    return layers[:3], layers[3]


def _corners(outline: Points, size: int) -> list[float]:
    return (outline * (_OVERSAMPLED * size) - 0.5).ravel().tolist()


def _bytes(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(255 * value) for value in colour)
    return red, green, blue


def _channels(picture: Image.Image) -> Array:
    channels = np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))
    return channels.astype(np.float32) * np.float32(1 / 255)


def _enlarged(coarse: NDArray[np.float32] | NDArray[np.float64], size: int) -> Array:
    picture = Image.fromarray(coarse.astype(np.float32))
    return np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC))
