"""Brushes of the greenhouse scenes: a leaflet, a stem and a tomato, each drawn in its own window.

Lengths are fractions of the image's side (x to the right, y down, z towards the camera), angles
are radians, colours are linear light (the square of the display value) from 0 to 1.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Window = tuple[slice, slice]

# Display colours (RGB) of a tomato's skin by ripeness: mature green, breaker, turning, red.
_SKIN_RIPENESS = np.array([0.0, 0.22, 0.40, 0.56, 0.76, 1.0])
_SKIN_RGB = np.array(
    [
        [0.49, 0.61, 0.27],
        [0.62, 0.68, 0.33],
        [0.76, 0.63, 0.28],
        [0.86, 0.50, 0.19],
        [0.85, 0.27, 0.14],
        [0.74, 0.11, 0.10],
    ]
)
_SEPAL_RGB = np.array([0.30, 0.44, 0.16], np.float32) ** 2


@dataclass(frozen=True)
class Foliage:
    """n leaflets, back to front: blades that start at (x, y) and point along `angle`.

    All fields are float32 of shape n, but `colour` is n×3. `bend` and `half_width` are fractions
    of the length, `fold` (-1 to 1) is how much one half is brighter than the other.
    """

    x: Array
    y: Array
    angle: Array
    length: Array
    half_width: Array
    bend: Array
    teeth: Array
    fold: Array
    colour: Array

    def frame(self, x: Array, y: Array) -> tuple[Array, Array, Array]:
        """Place along the midrib (0 to 1), offset from it and half width there: n×(shape of x)."""
        start_x, start_y, angle, length, bend = (
            field.reshape(-1, *[1] * x.ndim)
            for field in (self.x, self.y, self.angle, self.length, self.bend)
        )
        cos, sin = np.cos(angle) / length, np.sin(angle) / length
        dx, dy = x - start_x, y - start_y
        along = dx * cos + dy * sin
        u = np.clip(along, 0, 1)
        off = (dy * cos - dx * sin - bend * u * u) * length
        return along, off, self.half_width_at(u)

    def half_width_at(self, u: Array) -> Array:
        """Half width at `u` (n×..., 0 to 1): ovate and pointed, with teeth towards the tip."""
        column = (-1, *[1] * (u.ndim - 1))
        tooth = u * np.sqrt(u) * self.teeth.reshape(column)
        tooth -= np.floor(tooth)
        ovate = np.sqrt(u) * (1 - u) * (2.6 * self.half_width * self.length).reshape(column)
        return np.asarray(ovate * (np.float32(1.12) - np.float32(0.32) * tooth), np.float32)

    def cover(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """Which of the points (x, y) some blade hides."""
        _, off, half = self.frame(x, y)
        return np.asarray((np.abs(off) < half).any(axis=0))

    def outlines(self, steps: int = 11) -> Array:
        """Outlines of the two halves of every blade: n×2×(2 steps)×2."""
        u = np.linspace(0, 1, steps, dtype=np.float32) * np.ones((len(self.x), 1), np.float32)
        half = self.half_width_at(u)
        length = self.length[:, None]
        middle = self.bend[:, None] * length * u * u
        edges = np.stack([middle + half, middle - half], axis=1)
        off = np.concatenate([np.stack([middle, middle], axis=1), edges[:, :, ::-1]], axis=2)
        along = (np.concatenate([u, u[:, ::-1]], axis=1) * length)[:, None]
        cos, sin = np.cos(self.angle)[:, None, None], np.sin(self.angle)[:, None, None]
        px = self.x[:, None, None] + along * cos - off * sin
        py = self.y[:, None, None] + along * sin + off * cos
        return np.asarray(np.stack([px, py], axis=3))

    def blades(self) -> Iterator["Foliage"]:
        """The leaflets one by one."""
        columns = [getattr(self, field.name) for field in fields(self)]
        for k in range(len(self.x)):
            yield Foliage(*(column[k : k + 1] for column in columns))


@dataclass(frozen=True)
class Stem:
    """A stalk through `points` (n×2) of one width, with its colour."""

    points: Array
    width: float
    colour: Array


@dataclass(frozen=True)
class Tomato:
    """A fruit: ellipse, ripeness (0 green to 1 red) and what its skin shows.

    `pole` is the unit vector to the calyx, `patches` are k×4 waves (a vector and a phase) of the
    uneven ripening, `gloss` is the strength of the highlight, `tint` scales the skin's colour.
    """

    x: float
    y: float
    radius_x: float
    radius_y: float
    tilt: float
    ripeness: float
    pole: Array
    patches: Array
    gloss: float
    tint: Array

    def frame(self, x: Array, y: Array) -> tuple[Array, Array]:
        """The points in the ellipse's own axes, the rim at radius 1."""
        cos, sin = np.float32(np.cos(self.tilt)), np.float32(np.sin(self.tilt))
        dx, dy = x - np.float32(self.x), y - np.float32(self.y)
        a = (dx * cos + dy * sin) / np.float32(self.radius_x)
        return a, (dy * cos - dx * sin) / np.float32(self.radius_y)

    def cover(self, x: Array, y: Array) -> NDArray[np.bool_]:
        """Which of the points (x, y) the fruit hides."""
        a, b = self.frame(x, y)
        return np.asarray(a * a + b * b < 1)

    @property
    def half_extent(self) -> tuple[float, float]:
        """Half the width and half the height of the tilted ellipse."""
        cos, sin = np.cos(self.tilt), np.sin(self.tilt)
        return (
            float(np.hypot(self.radius_x * cos, self.radius_y * sin)),
            float(np.hypot(self.radius_x * sin, self.radius_y * cos)),
        )


class Canvas:
    """A square picture in the making: `light` is float32 3×size×size, linear."""

    def __init__(self, light: Array, sun: Array) -> None:
        self.light = light
        self.size = light.shape[1]
        self.sun = sun

    def window(self, x0: float, y0: float, x1: float, y1: float) -> tuple[Window, Array, Array]:
        """The pixels within a rectangle, with their centres x (1×w) and y (h×1)."""
        left, right, top, bottom = (
            int(min(max(edge, 0), self.size))
            for edge in (x0 * self.size, x1 * self.size + 1, y0 * self.size, y1 * self.size + 1)
        )
        step = np.float32(1 / self.size)
        x = (np.arange(left, right, dtype=np.float32) + np.float32(0.5)) * step
        y = (np.arange(top, bottom, dtype=np.float32) + np.float32(0.5)) * step
        return (slice(top, bottom), slice(left, right)), x[None], y[:, None]

    def _lay(
        self, at: Window, inside: Array, reach: float | np.float32, depth: float, colour: Array
    ) -> None:
        """Blend `colour` where `inside` (signed distance to the rim) is positive.

        Around the rim, out to `reach`, the picture below darkens by up to `depth`.
        """
        below = self.light[:, at[0], at[1]]
        shade = np.clip(inside / np.float32(reach) + 1, 0, 1)
        below *= 1 - np.float32(depth) * shade * shade
        alpha = np.clip(inside * np.float32(self.size) + np.float32(0.5), 0, 1)
        below += alpha * (colour - below)

    def foliage(self, leaves: Foliage) -> None:
        """Draw blades in focus: folded along their midribs, bulging between the veins."""
        ends_x = leaves.x + leaves.length * np.cos(leaves.angle)
        ends_y = leaves.y + leaves.length * np.sin(leaves.angle)
        pads = leaves.length * (leaves.half_width + np.abs(leaves.bend) + np.float32(0.12))
        corners = (
            np.minimum(leaves.x, ends_x) - pads,
            np.minimum(leaves.y, ends_y) - pads,
            np.maximum(leaves.x, ends_x) + pads,
            np.maximum(leaves.y, ends_y) + pads,
        )
        for blade, *corner in zip(leaves.blades(), *corners, strict=True):
            at, x, y = self.window(*corner)
            if x.size and y.size:
                self._blade(blade, at, x, y)

    def _blade(self, blade: Foliage, at: Window, x: Array, y: Array) -> None:
        along, off, half = (field[0] for field in blade.frame(x + 0 * y, y + 0 * x))
        length, fold = blade.length[0], blade.fold[0]
        width = length * blade.half_width[0]
        aside = np.abs(off)
        beyond = np.maximum(np.abs(along - np.float32(0.5)) - np.float32(0.5), 0)
        inside = half - aside - beyond * length
        vein = along * 6 - aside * (np.float32(2) / width)
        vein -= np.floor(vein)
        slope = np.clip(off * (3 / width), -1, 1)
        shade = np.float32(0.85) + np.float32(0.6) * vein * (1 - vein)
        shade += (vein - np.float32(0.5)) * slope * np.float32(0.28)
        shade *= 1 + fold * slope
        shade += np.clip(1 - aside * (24 / length), 0, 1) * np.float32(0.35)
        colour = blade.colour[0, :, None, None] * shade
        self._lay(at, inside, np.float32(0.12) * length, 0.45, colour)

    def stem(self, stem: Stem) -> None:
        """Draw a stalk as a chain of round bars lit from the side of the sun."""
        half = np.float32(stem.width / 2)
        reach = stem.width
        for (ax, ay), (bx, by) in zip(stem.points[:-1], stem.points[1:], strict=True):
            pad = half + reach
            at, x, y = self.window(
                min(ax, bx) - pad, min(ay, by) - pad, max(ax, bx) + pad, max(ay, by) + pad
            )
            if not (x.size and y.size):
                continue
            dx, dy = bx - ax, by - ay
            length = np.float32(np.hypot(dx, dy)) + np.float32(1e-9)
            along = np.clip(((x - ax) * dx + (y - ay) * dy) / length**2, 0, 1)
            from_x, from_y = x - ax - along * dx, y - ay - along * dy
            away = np.sqrt(from_x * from_x + from_y * from_y)
            lit = (from_x * self.sun[0] + from_y * self.sun[1]) / half
            shade = np.clip(np.float32(0.75) + np.float32(0.55) * lit, np.float32(0.2), 2)
            self._lay(at, half - away, reach, 0.25, stem.colour[:, None, None] * shade)

    def tomato(self, fruit: Tomato, neighbours: list[Tomato]) -> None:
        """Draw a fruit: uneven skin, Lambert shade, contact shadows, gloss and calyx."""
        radius = np.float32(fruit.radius_x)
        pad = 1.3 * float(radius)
        at, x, y = self.window(fruit.x - pad, fruit.y - pad, fruit.x + pad, fruit.y + pad)
        a, b = fruit.frame(x, y)
        rim = np.sqrt(a * a + b * b)
        nz = np.sqrt(np.maximum(1 - rim * rim, 0))
        sun = self.sun
        lambert = np.maximum(a * sun[0] + b * sun[1] + nz * sun[2], 0)
        sky = np.float32(0.5) - np.float32(0.5) * b
        lit = np.float32(0.18) + np.float32(0.30) * sky + np.float32(1.0) * lambert
        lit *= np.float32(0.55) + np.float32(0.45) * np.sqrt(nz)
        for other in neighbours:
            gap = np.sqrt((x - np.float32(other.x)) ** 2 + (y - np.float32(other.y)) ** 2)
            reach = radius * np.float32(0.6)
            near = np.clip(1 - (gap - np.float32(other.radius_x)) / reach, 0, 1)
            lit *= 1 - np.float32(0.4) * near * near
        colour = skin_colour(fruit, a, b, nz) * lit
        half_way = sun + np.array([0, 0, 1], np.float32)
        half_way /= np.sqrt((half_way * half_way).sum())
        mirror = np.maximum(a * half_way[0] + b * half_way[1] + nz * half_way[2], 0)
        for _ in range(4):
            mirror = mirror * mirror
        sharp = mirror * mirror
        colour += np.float32(fruit.gloss) * (np.float32(0.10) * mirror + sharp * sharp)
        calyx = calyx_cover(fruit, a, b, nz)
        colour += calyx * (_SEPAL_RGB[:, None, None] * (lit * np.float32(1.2)) - colour)
        self._lay(at, (1 - rim) * radius, 0.3 * float(radius), 0.5, colour)


def skin_colour(fruit: Tomato, a: Array, b: Array, nz: Array) -> Array:
    """Unlit colour (3×h×w) of the skin at the unit normals (a, b, nz).

    A turning fruit is uneven: patches, and a blossom end ahead of its shoulders.
    """
    turning = 4 * fruit.ripeness * (1 - fruit.ripeness)
    from_pole = -(a * fruit.pole[0] + b * fruit.pole[1] + nz * fruit.pole[2])
    uneven = np.float32(0.7) * from_pole
    for px, py, pz, phase in fruit.patches:
        uneven = uneven + np.cos(px * a + py * b + pz * nz + phase) * np.float32(0.45)
    local = fruit.ripeness + np.float32(0.03 + 0.13 * turning) * uneven
    skin = np.stack([np.interp(local, _SKIN_RIPENESS, _SKIN_RGB[:, k]) for k in range(3)])
    skin = skin.astype(np.float32) * fruit.tint[:, None, None]
    return np.asarray(skin * skin)


def calyx_cover(fruit: Tomato, a: Array, b: Array, nz: Array) -> Array:
    """Share (0 to 1) of each pixel that the star of sepals around the pole covers."""
    pole = fruit.pole
    east = np.array([pole[2], 0, -pole[0]], np.float32)
    east /= np.sqrt((east * east).sum()) + np.float32(1e-6)
    north = np.cross(pole, east)
    e = a * east[0] + nz * east[2]
    n = a * north[0] + b * north[1] + nz * north[2]
    from_axis = np.sqrt(e * e + n * n)
    turn = np.arctan2(n, e) + from_axis * np.float32(0.5)
    star = np.abs(np.cos(np.float32(2.5) * turn + fruit.patches[0, 3]))
    reach = np.float32(0.12) + np.float32(0.60) * star * star * star
    facing = a * pole[0] + b * pole[1] + nz * pole[2] > 0
    return np.asarray(np.clip((reach - from_axis) * 12, 0, 1) * facing, np.float32)
