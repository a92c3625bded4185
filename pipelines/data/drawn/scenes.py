"""Greenhouse tomato scenes drawn from a seed: the project's built-in object-detection data set.

The scenes follow the coarse published figures of TomatOD (Tsironis et al. 2020): 1,952 fruits of
three ripening stages in 222 training images, their relative sizes and the shares of the classes.
Everything is laid out first, in fractions of the image's side, and then painted at the size
asked for, so that a scene shows the same fruits at every size.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.data.drawn.camera import backdrop, expose
from pipelines.data.drawn.drawing import Corners, Scene, boxes_in_image, streams
from pipelines.data.drawn.painting import Array, Canvas, Foliage, Stem, Tomato

CLASSES = ("unripe", "semi-ripe", "fully-ripe")

# TomatOD, Tsironis et al. 2020: fruits per image (mean, deviation, most), relative size (box
# diagonal in percent of the image's) as a shifted log-normal law, and the shares of the classes
# 0.66 / 0.165 / 0.175 as cuts of a standard normal ripeness.
_FRUITS_MEAN, _FRUITS_SD, _FRUITS_MOST = 8.8, 3.8, 20
_SIZE_FLOOR, _SIZE_SCALE, _SIZE_MOST = 2.7, 2.5, 20.0
_SIZE_SD_BETWEEN, _SIZE_SD_WITHIN = 0.28, 0.52
_RIPENESS_CUTS = (0.412, 0.935)

# Lowest value and span of the display colour of leaves.
_LEAF_RGB = ((0.33, 0.10), (0.46, 0.08), (0.17, 0.10))

_LEAST_VISIBLE = 0.45
_LEAST_IN_IMAGE = 0.75
_LEAST_GAP = 0.66
_DISC_POINTS = 96


class _Fruits:
    """The fruits placed so far, back to front, and which points of their discs are hidden."""

    def __init__(self) -> None:
        self.fruits: list[Tomato] = []
        self.classes: list[int] = []
        self._x = self._y = np.zeros((0, _DISC_POINTS), np.float32)
        self._hidden = np.zeros((0, _DISC_POINTS), bool)

    def add(self, fruit: Tomato, label: int) -> bool:
        """Place a fruit before the others if it lies in the image and leaves them in sight."""
        x, y = _disc_points(fruit)
        outside = (np.abs(x - 0.5) > 0.5) | (np.abs(y - 0.5) > 0.5)
        gaps = [
            np.hypot(o.x - fruit.x, o.y - fruit.y) / (o.radius_x + fruit.radius_x)
            for o in self.fruits
        ]
        if 1 - outside.mean() < _LEAST_IN_IMAGE or min(gaps, default=1.0) < _LEAST_GAP:
            return False
        if not self.hide_behind(fruit, _LEAST_VISIBLE + 0.1):
            return False
        self.fruits.append(fruit)
        self.classes.append(label)
        self._x, self._y = np.vstack([self._x, x]), np.vstack([self._y, y])
        self._hidden = np.vstack([self._hidden, outside])
        return True

    def hide_behind(self, cover: Tomato | Foliage, least: float = _LEAST_VISIBLE) -> bool:
        """Put `cover` before all fruits if at least the share `least` of each stays in sight."""
        hidden = self._hidden | cover.cover(self._x, self._y)
        if (1 - hidden.mean(axis=1) < least).any():
            return False
        self._hidden = hidden
        return True


@dataclass(frozen=True)
class _Layout:
    """What stands where, before anything is painted."""

    sun: Array
    vines: list[Stem]
    fruits: _Fruits
    stalks: list[Stem]
    far: Foliage
    middle: Foliage
    near: Foliage
    near_stems: list[Stem]
    front: list[Foliage]
    front_stems: list[Stem]


def draw_scene(seed: int, index: int, size: int = 512) -> Scene:
    """Draw scene `index` of the data set `seed`, `size` (128 to 1024) pixels square.

    The result depends on the arguments alone: scenes may be drawn in any order or in parallel.
    The bytes are the same wherever the versions of numpy and Pillow and the CPU's instruction
    family are; elsewhere a pixel may differ by one level, as sines may differ in the last bit.
    """
    rng, pixels = streams(seed, index, size)
    layout = _lay_out(rng)
    image = _paint(layout, rng, pixels, size)
    boxes = boxes_in_image([_corners(fruit) for fruit in layout.fruits.fruits], size)
    return Scene(image, boxes, np.array(layout.fruits.classes, np.int64))


def _corners(fruit: Tomato) -> Corners:
    half_x, half_y = fruit.half_extent
    return fruit.x - half_x, fruit.y - half_y, fruit.x + half_x, fruit.y + half_y


def _unit(x: float, y: float, z: float) -> Array:
    vector = np.array([x, y, z])
    return (vector / np.sqrt((vector * vector).sum())).astype(np.float32)


def _linear(red: float, green: float, blue: float) -> Array:
    return np.array([red, green, blue], np.float32) ** 2


def _lay_out(rng: np.random.Generator) -> _Layout:
    nearness = _SIZE_SD_BETWEEN * rng.standard_normal()
    zoom = float(np.exp(0.7 * nearness))
    sun = _unit(rng.uniform(-0.7, 0.7), -rng.uniform(0.5, 0.9), rng.uniform(0.6, 0.9))
    vines = _vines(rng, zoom)
    fruits, stalks = _trusses(rng, nearness, vines)
    far, _ = _leaves(rng, rng.uniform(-0.1, 1.1, (int(rng.integers(40, 75)), 2)), 1.3 * zoom, 0.8)
    middle, _ = _leaves(rng, rng.uniform(-0.1, 1.1, (int(rng.integers(20, 50)), 2)), zoom, 0.9)
    near, near_stems = _leaves(rng, _nodes(rng, vines, int(rng.integers(14, 28))), zoom, 1.0)
    front: list[Foliage] = []
    front_stems: list[Stem] = []
    for place in _nodes(rng, vines, int(rng.integers(5, 12))):
        blades, stems = _leaves(rng, place[None], zoom, 1.1)
        if fruits.hide_behind(blades):
            front.append(blades)
            front_stems += stems
    return _Layout(sun, vines, fruits, stalks, far, middle, near, near_stems, front, front_stems)


def _disc_points(fruit: Tomato) -> tuple[Array, Array]:
    """Points spread evenly over the fruit's disc."""
    k = np.arange(_DISC_POINTS) + 0.5
    radius, turn = np.sqrt(k / _DISC_POINTS), k * np.pi * (3 - np.sqrt(5))
    a, b = radius * np.cos(turn) * fruit.radius_x, radius * np.sin(turn) * fruit.radius_y
    cos, sin = np.cos(fruit.tilt), np.sin(fruit.tilt)
    x, y = fruit.x + a * cos - b * sin, fruit.y + a * sin + b * cos
    return x.astype(np.float32), y.astype(np.float32)


def _vines(rng: np.random.Generator, zoom: float) -> list[Stem]:
    """One to three main stems, from the bottom of the image to its top."""
    count = int(rng.integers(1, 4))
    slots = (np.arange(count) + rng.uniform(0.15, 0.85, count)) / count
    vines = []
    for x in slots:
        y = np.linspace(1.05, -0.05, 9)
        lean, bow = 0.10 * rng.standard_normal(2)
        path = x + lean * (0.5 - y) + bow * (y - 0.5) ** 2 + 0.006 * rng.standard_normal(9)
        colour = _linear(0.42, 0.52, 0.24) * np.float32(rng.uniform(0.7, 1.3))
        points = np.stack([path, y], axis=1).astype(np.float32)
        vines.append(Stem(points, float(zoom * rng.uniform(0.011, 0.019)), colour))
    return vines


def _nodes(rng: np.random.Generator, vines: list[Stem], count: int) -> NDArray[np.float64]:
    """Where leaves spring from the vines: count×2."""
    y = rng.uniform(-0.15, 1.0, count)
    paths = np.stack([np.interp(y, v.points[::-1, 1], v.points[::-1, 0]) for v in vines])
    x = paths[rng.integers(len(vines), size=count), np.arange(count)]
    return np.stack([x, y], axis=1)


def _trusses(
    rng: np.random.Generator, nearness: float, vines: list[Stem]
) -> tuple[_Fruits, list[Stem]]:
    """The fruits in trusses and the stalks they hang on.

    Ripeness and size are sums of normal parts of the image, the truss and the fruit; upper
    fruits of a truss ripen first.
    """
    shape = (_FRUITS_MEAN / _FRUITS_SD) ** 2
    total = int(np.clip(round(rng.gamma(shape, _FRUITS_MEAN / shape)), 1, _FRUITS_MOST))
    ripe_image = 0.35 * rng.standard_normal()
    fruits = _Fruits()
    stalks: list[Stem] = []
    for _ in range(50):
        count = 1 if rng.random() < 0.2 else int(rng.integers(2, 8))
        count = min(count, total - len(fruits.fruits))
        ripe_truss = ripe_image + 0.62 * rng.standard_normal()
        size_truss = nearness + 0.6 * _SIZE_SD_WITHIN * rng.standard_normal()
        vine = vines[int(rng.integers(len(vines)))].points[::-1]
        side = float(rng.choice([-1.0, 1.0]))
        start_y = float(rng.uniform(0.02, 0.85))
        start_x = float(np.interp(start_y, vine[:, 1], vine[:, 0]))
        reach = side * float(rng.uniform(0.02, 0.06) if rng.random() < 0.6 else rng.uniform(0, 0.2))
        x, y = start_x + reach, start_y + 0.03
        line = [(start_x, start_y), (start_x + 0.4 * reach, start_y - 0.008)]
        line += [(start_x + 0.8 * reach, start_y + 0.005), (x, y)]
        for place in range(count):
            own = size_truss + 0.8 * _SIZE_SD_WITHIN * rng.standard_normal()
            radius = float(min(_SIZE_FLOOR + _SIZE_SCALE * np.exp(own), _SIZE_MOST)) / 200
            order = 0.35 * (1 - 2 * (place + 0.5) / count)
            latent = ripe_truss + order + 0.67 * rng.standard_normal()
            label = int(np.searchsorted(_RIPENESS_CUTS, latent))
            for attempt in range(40):
                away, turn = radius * (1.1 + 0.25 * attempt), rng.uniform(0, 2 * np.pi)
                at = x + away * np.cos(turn), y + 0.6 * away * np.sin(turn) + 0.5 * radius
                fruit = _tomato(rng, float(at[0]), float(at[1]), radius, latent)
                if fruits.add(fruit, label):
                    knee = ((x + fruit.x) / 2, min(y, fruit.y - 0.9 * radius) - 0.3 * radius)
                    top = (fruit.x + fruit.pole[0] * radius, fruit.y + fruit.pole[1] * radius)
                    stalks.append(_stalk([(x, y), knee, top], 0.16 * radius))
                    break
            y += radius * rng.uniform(0.7, 1.4)
            x += radius * rng.uniform(-0.3, 0.5) * side
            line.append((x, y))
        stalks.append(_stalk(line, 0.2 * radius))
        if len(fruits.fruits) == total:
            break
    return fruits, stalks


def _stalk(line: list[tuple[float, float]], width: float) -> Stem:
    return Stem(np.array(line, np.float32), width, _linear(0.47, 0.57, 0.27))


def _tomato(rng: np.random.Generator, x: float, y: float, radius: float, latent: float) -> Tomato:
    centre, spread = np.mean(_RIPENESS_CUTS), np.diff(_RIPENESS_CUTS)[0]
    ripeness = 1 / (1 + np.exp(-1.15 * (latent - centre) / spread))
    waves = np.concatenate(
        [rng.uniform(-3.0, 3.0, (3, 3)), rng.uniform(0, 2 * np.pi, (3, 1))], axis=1
    )
    shade = rng.uniform(0.80, 1.12)
    tint = shade * (1 + 0.04 * rng.standard_normal(3))
    flat = np.sqrt(rng.uniform(0.90, 1.0))
    return Tomato(
        x, y, radius / flat, radius * flat, rng.uniform(-0.4, 0.4), float(ripeness),
        _unit(rng.uniform(-0.5, 0.5), -1.0, rng.uniform(-0.4, 0.9)),
        waves.astype(np.float32), float(rng.uniform(0.25, 1.0)), tint.astype(np.float32),
    )  # fmt: skip


def _leaves(
    rng: np.random.Generator, places: NDArray[np.float64], zoom: float, light: float
) -> tuple[Foliage, list[Stem]]:
    """Compound leaves from `places` (n×2): pairs of leaflets along a stalk and one at its end."""
    n = len(places)
    length = zoom * rng.uniform(0.07, 0.14, n)
    angle = np.pi / 2 + rng.normal(0, 0.9, n)
    angles = angle[:, None] + rng.uniform(-0.4, 0.4, (n, 1)) * np.arange(3)
    steps = 0.6 * length[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], axis=2)
    steps[:, 0] *= rng.uniform(0.7, 3.0, (n, 1))
    nodes = places[:, None] + np.cumsum(steps, axis=1)
    green = np.stack([rng.uniform(low, low + span, n) for low, span in _LEAF_RGB], axis=1)
    green *= light * np.exp(0.22 * rng.standard_normal((n, 1)))
    node, turn = np.array([0, 0, 1, 1, 2]), np.array([-1, 1, -1, 1, 0])
    shape = (n, len(node))
    turns = turn * rng.uniform(0.6, 1.3, shape) + rng.normal(0, 0.15, shape)
    lengths = length[:, None] * rng.uniform(0.5, 1.0, shape) * np.array([1, 1, 1, 1, 1.25])
    shades = green[:, None] * np.exp(0.16 * rng.standard_normal((*shape, 1)))

    def flat(values: NDArray[np.float64]) -> Array:
        return values.reshape(n * len(node)).astype(np.float32)

    blades = Foliage(
        x=flat(nodes[:, node, 0]),
        y=flat(nodes[:, node, 1]),
        angle=flat(angles[:, node] + turns),
        length=flat(lengths),
        half_width=flat(rng.uniform(0.24, 0.40, shape)),
        bend=flat(rng.uniform(-0.25, 0.25, shape)),
        teeth=flat(rng.integers(3, 7, shape).astype(np.float64)),
        fold=flat(rng.uniform(-0.4, 0.4, shape)),
        colour=np.square(shades).reshape(-1, 3).astype(np.float32),
    )
    lines = np.concatenate([places[:, None], nodes], axis=1).astype(np.float32)
    stems = [
        Stem(line, 0.06 * float(long), (hue**2 * 1.3).astype(np.float32))
        for line, long, hue in zip(lines, length, green, strict=True)
    ]
    return blades, stems


def _paint(
    layout: _Layout, rng: np.random.Generator, noise: np.random.Generator, size: int
) -> NDArray[np.uint8]:
    canvas = Canvas(backdrop(rng, layout.far, layout.middle, size), layout.sun)
    for stem in layout.vines + layout.near_stems:
        canvas.stem(stem)
    canvas.foliage(layout.near)
    for stem in layout.stalks:
        canvas.stem(stem)
    fruits = layout.fruits.fruits
    for fruit in fruits:
        gaps = [np.hypot(o.x - fruit.x, o.y - fruit.y) - o.radius_x for o in fruits]
        near = [o for o, gap in zip(fruits, gaps, strict=True) if gap < 1.6 * fruit.radius_x]
        canvas.tomato(fruit, [o for o in near if o is not fruit])
    for stem in layout.front_stems:
        canvas.stem(stem)
    for leaves in layout.front:
        canvas.foliage(leaves)
    return expose(canvas.light, rng, noise)
