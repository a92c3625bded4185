"""What stands, floats or grows in the aerial pictures, seen from straight above, as polygons.

Every maker draws one thing at random with its length, from x = -0.5 to 0.5, as the unit; it heads
towards +x. Colours are display values (RGB) from 0 to 1.
"""

import math
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

Points = NDArray[np.float64]
Colour = tuple[float, float, float]

WHITE: Colour = (0.88, 0.88, 0.86)
ASPHALT: Colour = (0.36, 0.36, 0.37)
CONCRETE: Colour = (0.60, 0.59, 0.56)

_GLASS: Colour = (0.13, 0.16, 0.19)
_CARS: tuple[Colour, ...] = (
    WHITE,
    (0.70, 0.71, 0.72),
    (0.45, 0.46, 0.48),
    (0.12, 0.12, 0.13),
    (0.55, 0.12, 0.11),
    (0.16, 0.24, 0.45),
    (0.75, 0.66, 0.30),
)
_BOXES: tuple[Colour, ...] = (
    (0.60, 0.22, 0.15),
    (0.20, 0.33, 0.52),
    (0.28, 0.46, 0.33),
    (0.80, 0.78, 0.72),
    (0.72, 0.48, 0.20),
)
_COURTS: tuple[Colour, ...] = (
    (0.25, 0.42, 0.30),
    (0.23, 0.36, 0.52),
    (0.60, 0.36, 0.26),
    (0.42, 0.47, 0.44),
    (0.30, 0.48, 0.45),
)
_ROOFS: tuple[Colour, ...] = (
    (0.56, 0.36, 0.28),
    (0.44, 0.40, 0.37),
    (0.66, 0.64, 0.60),
    (0.32, 0.33, 0.36),
    (0.60, 0.50, 0.40),
)


class Label(IntEnum):
    """The classes, under DOTA's names."""

    PLANE = 0
    SHIP = 1
    STORAGE_TANK = 2
    VEHICLE = 3
    TENNIS_COURT = 4
    HARBOR = 5
    BRIDGE = 6


@dataclass(frozen=True)
class Part:
    """A filled polygon: its corners (n×2) and its colour."""

    outline: Points
    colour: Colour


@dataclass(frozen=True)
class Thing:
    """Parts from bottom to top, and the height that throws a shadow."""

    parts: tuple[Part, ...]
    height: float

    @property
    def extent(self) -> tuple[float, float, float, float]:
        """Left, top, right and bottom of all parts."""
        points = np.concatenate([part.outline for part in self.parts])
        (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
        return float(left), float(top), float(right), float(bottom)


def moved(points: Points, x: float, y: float, heading: float, length: float) -> Points:
    """Points (n×2) scaled, turned, and shifted to (x, y)."""
    cos, sin = math.cos(heading) * length, math.sin(heading) * length
    return points @ np.array([(cos, sin), (-sin, cos)]) + (x, y)


def shaded(rng: Generator, colour: Colour, spread: float) -> Colour:
    """The colour, brighter or darker by about `spread`, its hue a little off."""
    bright, *hues = rng.standard_normal(4).tolist()
    light = math.exp(spread * bright)
    red, green, blue = (
        min(max(value * light * (1 + 0.15 * spread * hue), 0.0), 1.0)
        for value, hue in zip(colour, hues, strict=True)
    )
    return red, green, blue


def scaled(colour: Colour, factor: float) -> Colour:
    """The colour times a factor, at most white."""
    red, green, blue = (min(value * factor, 1.0) for value in colour)
    return red, green, blue


def pick(rng: Generator, colours: tuple[Colour, ...]) -> Colour:
    """One of the colours."""
    return colours[int(rng.integers(len(colours)))]


def plane(rng: Generator) -> Thing:
    """An airliner or a small aircraft: swept or straight wings, tail, engines."""
    straight = rng.random() < 0.25
    sweep = rng.uniform(0.0, 0.03) if straight else rng.uniform(0.14, 0.26)
    span, body = rng.uniform(0.40, 0.52), rng.uniform(0.045, 0.065)
    root = 0.14 if straight else rng.uniform(0.10, 0.17)
    skin = shaded(rng, WHITE, 0.06)
    wing_tone = shaded(rng, (0.72, 0.73, 0.75), 0.08)
    parts = []
    for offset in (0.34, 0.66)[: 0 if straight else int(rng.integers(1, 3))]:
        front = root - sweep * offset + 0.03
        for side in (-1, 1):
            parts.append(_bar(front - 0.09, front, side * span * offset, 0.035, (0.38, 0.38, 0.4)))
    parts.append(_wing(root, 0.17, sweep, span, 0.06, wing_tone))
    parts.append(_wing(-0.36, 0.10, 0.4 * sweep, 0.42 * span, 0.05, wing_tone))
    nose = np.array([0.5, 0.48, 0.42, 0.25, -0.25, -0.42, -0.5])
    half = body * np.array([0.0, 0.55, 0.9, 1.0, 1.0, 0.55, 0.12])
    parts.append(_mirrored(nose, half, skin))
    parts.append(_mirrored(nose[1:-1], 0.35 * half[1:-1], (0.95, 0.95, 0.93)))
    parts.append(_bar(-0.5, -0.34, 0, 0.02, shaded(rng, pick(rng, _BOXES), 0.1)))
    return Thing(tuple(parts), rng.uniform(0.10, 0.16))


def ship(rng: Generator) -> Thing:
    """A motor boat, a container ship or a tanker, with its bow ahead."""
    large = rng.random() < 0.55
    beam = rng.uniform(0.08, 0.11) if large else rng.uniform(0.12, 0.18)
    along = np.array([-0.5, -0.47, -0.1, 0.2, 0.36, 0.46, 0.5])
    half = beam * np.array([0.78, 0.92, 1.0, 0.97, 0.70, 0.30, 0.03])
    hull = (0.32, 0.18, 0.16) if large and rng.random() < 0.5 else (0.80, 0.80, 0.79)
    deck = pick(rng, ((0.48, 0.30, 0.25), (0.45, 0.48, 0.46), (0.62, 0.60, 0.56)))
    parts = [_mirrored(along, half, shaded(rng, hull, 0.12))]
    parts.append(_mirrored(0.94 * along, 0.78 * half, shaded(rng, deck, 0.12)))
    if not large:
        parts.append(_bar(-0.28, 0.16, 0, 1.2 * beam, WHITE))
        parts.append(_bar(0.06, 0.16, 0, 1.1 * beam, _GLASS))
        return Thing(tuple(parts), 0.08)
    parts.append(_bar(-0.43, -0.32, 0, 1.5 * beam, WHITE))
    if rng.random() < 0.5:
        for left in np.arange(-0.28, 0.26, 0.09):
            for side in (-0.5, 0.5):
                tone = shaded(rng, pick(rng, _BOXES), 0.1)
                parts.append(_bar(left, left + 0.075, side * beam * 0.72, 0.66 * beam, tone))
    else:
        parts.append(_bar(-0.28, 0.36, 0, 0.12 * beam, (0.75, 0.72, 0.66)))
        for left in (-0.2, 0.0, 0.2):
            parts.append(_bar(left, left + 0.025, 0, 1.4 * beam, (0.72, 0.70, 0.66)))
    return Thing(tuple(parts), rng.uniform(0.05, 0.09))


def storage_tank(rng: Generator) -> Thing:
    """A round tank with a domed or a sunken roof."""
    tone = shaded(rng, pick(rng, (WHITE, WHITE, (0.72, 0.71, 0.67), (0.56, 0.50, 0.44))), 0.05)
    wall = scaled(tone, 0.82)
    parts = [Part(0.5 * _ring(28), wall)]
    if rng.random() < 0.4:
        parts.append(Part(0.44 * _ring(24), scaled(tone, 0.45)))
        parts.append(Part(0.39 * _ring(24) + [0.04, 0.03], scaled(tone, 0.85)))
    else:
        parts.append(Part(0.45 * _ring(24), tone))
        parts.append(Part(0.07 * _ring(8), scaled(tone, 0.7)))
    return Thing(tuple(parts), rng.uniform(0.25, 0.5))


def vehicle(rng: Generator) -> Thing:
    """A car, or one time in five a lorry."""
    paint = shaded(rng, pick(rng, _CARS), 0.08)
    if rng.random() < 0.2:
        wide = rng.uniform(0.28, 0.36)
        load = shaded(rng, pick(rng, (WHITE, WHITE, *_BOXES)), 0.08)
        bed = _bar(-0.5, 0.24, 0, wide, load)
        joint = _bar(0.24, 0.30, 0, 0.6 * wide, (0.1, 0.1, 0.1))
        return Thing((joint, bed, _bar(0.30, 0.5, 0, 0.92 * wide, paint)), 0.14)
    half = rng.uniform(0.20, 0.235)
    along = np.array([-0.5, -0.46, 0.40, 0.5])
    body = _mirrored(along, half * np.array([0.75, 1.0, 1.0, 0.70]), paint)
    cabin = _bar(-0.36, 0.22, 0, 1.7 * half, _GLASS)
    roof = _bar(-0.26, 0.08, 0, 1.55 * half, paint)
    return Thing((body, cabin, roof), 0.14)


def tennis_court(rng: Generator) -> Thing:
    """A court on its slab, white lines and the net across."""
    wide = rng.uniform(0.50, 0.58)
    slab = shaded(rng, pick(rng, _COURTS), 0.12)
    inner = shaded(rng, pick(rng, _COURTS), 0.12) if rng.random() < 0.6 else slab
    line: Colour = (0.86, 0.87, 0.85)
    reach, half, single = 0.40, 0.36 * wide, 0.27 * wide
    parts = [_bar(-0.5, 0.5, 0, wide, slab), _bar(-reach, reach, 0, 2 * half, inner)]
    for y in (-half, -single, single, half):
        parts.append(_bar(-reach, reach, y, 0.016, line))
    for x, width in ((-reach, half), (-0.21, single), (0.21, single), (reach, half)):
        parts.append(_bar(x - 0.008, x + 0.008, 0, 2 * width, line))
    parts.append(_bar(-0.21, 0.21, 0, 0.016, line))
    parts.append(_bar(-0.008, 0.008, 0, 2.2 * half, (0.2, 0.2, 0.2)))
    return Thing(tuple(parts), 0.0)


def harbor(rng: Generator) -> Thing:
    """A jetty from the shore at x = -0.5 with fingers to both sides."""
    tone = shaded(rng, pick(rng, (CONCRETE, (0.52, 0.44, 0.35), (0.74, 0.73, 0.70))), 0.08)
    count, reach = int(rng.integers(3, 7)), rng.uniform(0.14, 0.28)
    parts = [
        _bar(x - 0.013, x + 0.013, 0, 2 * reach, scaled(tone, 0.94))
        for x in np.linspace(-0.3, 0.485, count)
    ]
    parts.append(_bar(-0.5, 0.5, 0, 0.065, tone))
    return Thing(tuple(parts), 0.02)


def bridge(rng: Generator, width: float) -> Thing:
    """A road bridge whose width is this share of its length."""
    deck = shaded(rng, pick(rng, (ASPHALT, CONCRETE, (0.48, 0.46, 0.44))), 0.08)
    parts = [_bar(-0.5, 0.5, 0, width, scaled(deck, 1.35)), _bar(-0.5, 0.5, 0, 0.8 * width, deck)]
    for left in np.arange(-0.46, 0.46, 0.1):
        parts.append(_bar(left, left + 0.05, 0, 0.04 * width, (0.8, 0.8, 0.76)))
    return Thing(tuple(parts), rng.uniform(0.04, 0.09))


def house(rng: Generator) -> Thing:
    """A gabled house, or a flat roof with its air conditioners."""
    wide = rng.uniform(0.5, 0.9)
    roof = shaded(rng, pick(rng, _ROOFS), 0.12)
    if rng.random() < 0.6:
        halves = [
            _bar(-0.5, 0.5, side * wide / 4, wide / 2, scaled(roof, 1 + 0.13 * side))
            for side in (-1, 1)
        ]
        return Thing(tuple(halves), 0.22)
    parts = [_bar(-0.5, 0.5, 0, wide, scaled(roof, 1.2)), _bar(-0.47, 0.47, 0, wide - 0.06, roof)]
    for x, y in rng.uniform(-0.36, 0.36, (int(rng.integers(1, 6)), 2)):
        parts.append(_bar(x, x + 0.07, y * wide, 0.07, scaled(roof, 1.25)))
    return Thing(tuple(parts), 0.25)


def crate(rng: Generator) -> Thing:
    """A container or a hut: as large as a vehicle, but none."""
    wide = rng.uniform(0.3, 0.9)
    tone = shaded(rng, pick(rng, (*_BOXES, *_ROOFS)), 0.12)
    lid = _bar(-0.46, 0.46, 0, 0.86 * wide, scaled(tone, 1.1))
    return Thing((_bar(-0.5, 0.5, 0, wide, tone), lid), 0.2)


def tree(rng: Generator) -> Thing:
    """A crown, lighter in its middle."""
    crown = _ring(11) * rng.uniform(0.36, 0.5, (11, 1))
    tone = shaded(rng, (0.17, 0.26, 0.13), 0.22)
    bright = 0.55 * np.roll(crown, 3, axis=0) + rng.uniform(-0.1, 0.1, 2)
    return Thing((Part(crown, tone), Part(bright, scaled(tone, 1.3))), 0.35)


def _ring(count: int) -> Points:
    turn = np.arange(count) * (2 * np.pi / count)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


def _bar(left: float, right: float, y: float, width: float, colour: Colour) -> Part:
    top, bottom = y - width / 2, y + width / 2
    return Part(np.array([(left, top), (right, top), (right, bottom), (left, bottom)]), colour)


def _mirrored(along: Points, half: Points, colour: Colour) -> Part:
    """The shape of half width `half` at the places `along` the axis."""
    sides = [np.stack([along, half], axis=1), np.stack([along, -half], axis=1)[::-1]]
    return Part(np.concatenate(sides), colour)


def _wing(
    front: float, chord: float, sweep: float, span: float, tip: float, colour: Colour
) -> Part:
    """A pair of wings that start at `front` and end, `sweep` further back, at ±span."""
    lead = np.array([(front, 0.0), (front - sweep, span), (front - sweep - tip, span)])
    rear = np.array([(front - chord, 0.0)])
    return Part(np.concatenate([lead, rear, lead[:0:-1] * [1, -1]]), colour)
