"""The ground of an aerial picture: flat patches, what stands on them, and what may stand where.

Lengths are fractions of the image's side, x to the right and y down; angles are radians.
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from pipelines.data.drawn.aerial_objects import Colour, Part, Points, Thing, moved, shaded

_MAP_SIDE = 160
_LEAST_IN_IMAGE = 0.75
_TRIED_SPOTS = 64
_PROBES = np.stack(np.meshgrid(np.linspace(0, 1, 7), np.linspace(0, 1, 7)), axis=2).reshape(-1, 2)
_CORNERS = np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)])


class Zone(IntEnum):
    """What a spot of the ground is, and so what may be put there."""

    LAND = 0
    PAVED = 1
    ROAD = 2
    WATER = 3


@dataclass(frozen=True)
class Pose:
    """Where a thing stands, where it heads, and how long it is."""

    x: float
    y: float
    heading: float
    length: float

    def of(self, points: Points) -> Points:
        """Points (n×2) of the thing's own frame on the ground."""
        return moved(points, self.x, self.y, self.heading, self.length)

    def ahead(self, along: float, aside: float = 0.0) -> "Pose":
        """The same pose further along its heading and to the right of it, in its own lengths."""
        ((x, y),) = self.of(np.array([(along, aside)]))
        return Pose(float(x), float(y), self.heading, self.length)


@dataclass(frozen=True)
class Road:
    """A straight road: its middle line's two ends and its width."""

    start: Points
    end: Points
    width: float

    @property
    def heading(self) -> float:
        """Direction from start to end."""
        x, y = self.end - self.start
        return float(np.arctan2(y, x))


class Site:
    """A place in the making: patches of ground and things, each in the order of painting."""

    def __init__(self, soil: Colour) -> None:
        self.soil = soil
        self.patches: list[Part] = []
        self.roads: list[Road] = []
        self.things: list[Thing] = []
        self.labelled: list[tuple[Thing, int]] = []
        self._zones = _Map()
        self._taken = _Map()

    @property
    def zones(self) -> NDArray[np.uint8]:
        """The zone of every spot of the image, 160×160."""
        return self._zones.values

    def lay(self, outline: Points, colour: Colour, zone: Zone | None = None) -> bool:
        """Cover a polygon of ground (n×2), unless it is out of the image; say if it was covered.

        Its zone changes where one is given.
        """
        if (outline.max(axis=0) <= 0).any() or (outline.min(axis=0) >= 1).any():
            return False
        self.patches.append(Part(outline, colour))
        if zone is not None:
            self._zones.fill(outline, zone)
        return True

    def lay_road(self, rng: Generator, road: Road, tone: Colour) -> None:
        """Cover the ground with a road: shoulders, tarmac and a broken middle line."""
        length = float(np.hypot(*(road.end - road.start)))
        x, y = (road.start + road.end) / 2
        pose = Pose(float(x), float(y), road.heading, length)
        width = road.width / length
        self.lay(pose.of(_strip(-0.5, 0.5, 1.3 * width)), shaded(rng, (0.50, 0.47, 0.41), 0.1))
        self.lay(pose.of(_strip(-0.5, 0.5, width)), tone, Zone.ROAD)
        dash = 0.6 * width
        for left in np.arange(-0.5, 0.5, 2 * dash):
            self.lay(pose.of(_strip(left, left + dash, 0.05 * width)), (0.78, 0.77, 0.70))
        self.roads.append(road)

    def spot(self, rng: Generator, zone: Zone) -> tuple[float, float] | None:
        """A random point of the zone, or None where the zone has next to no room."""
        points = rng.random((_TRIED_SPOTS, 2))
        found = points[self._free(points, zone)]
        return (float(found[0, 0]), float(found[0, 1])) if len(found) else None

    def put(self, thing: Thing, pose: Pose, zone: Zone | None, label: int | None = None) -> bool:
        """Set a thing down if most of it is in the image, all on this zone, and on nothing else.

        zone: None for any. label: the class of a labelled object.
        """
        left, top, right, bottom = thing.extent
        spread = np.array([right - left, bottom - top])
        if not self.lies_on(pose.of(_PROBES * spread + [left, top]), zone):
            return False
        placed = Thing(
            tuple(Part(pose.of(part.outline), part.colour) for part in thing.parts),
            thing.height * pose.length,
        )
        self.things.append(placed)
        if label is not None:
            self.labelled.append((placed, label))
        self._taken.fill(pose.of(_CORNERS * spread + [left, top]), True)
        return True

    def lies_on(self, points: Points, zone: Zone | None) -> bool:
        """Whether most points (n×2) are in the image, and those all on this zone and not taken."""
        seen = points[((points >= 0) & (points < 1)).all(axis=1)]
        return len(seen) >= _LEAST_IN_IMAGE * len(points) and bool(self._free(seen, zone).all())

    def _free(self, points: Points, zone: Zone | None) -> NDArray[np.bool_]:
        """Which points (n×2, in the image) are of this zone, or any, and not taken."""
        columns, rows = (points * _MAP_SIDE).astype(int).T
        free = self._taken.values[rows, columns] == 0
        return free if zone is None else free & (self.zones[rows, columns] == zone)


class _Map:
    """A coarse picture of the ground whose `values` (160×160) are 0 where nothing was filled."""

    def __init__(self) -> None:
        self._picture = Image.new("L", (_MAP_SIDE, _MAP_SIDE))
        self.values: NDArray[np.uint8] = np.asarray(self._picture)

    def fill(self, outline: Points, value: int) -> None:
        """Set the values within a polygon (n×2)."""
        ImageDraw.Draw(self._picture).polygon((outline * _MAP_SIDE).ravel().tolist(), fill=value)
        self.values = np.asarray(self._picture)


def _strip(left: float, right: float, width: float) -> Points:
    return _CORNERS * [right - left, width] + [left, -width / 2]
