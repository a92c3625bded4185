"""Lay out an aerial site step by step: fields, roads and water, rows of objects, houses, trees."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.random import Generator

from pipelines.data.drawn import aerial_objects as objects
from pipelines.data.drawn.aerial_objects import Colour, Label, Points, Thing, pick, scaled, shaded
from pipelines.data.drawn.aerial_site import Pose, Road, Site, Zone

# Length of an object in a picture from middle height, and its spread within the picture (log).
_LENGTH = {
    Label.PLANE: (0.098, 0.20),
    Label.SHIP: (0.105, 0.32),
    Label.STORAGE_TANK: (0.055, 0.16),
    Label.VEHICLE: (0.067, 0.08),
    Label.TENNIS_COURT: (0.092, 0.05),
    Label.HARBOR: (0.21, 0.25),
}
_MAKERS: dict[Label, Callable[[Generator], Thing]] = {
    Label.PLANE: objects.plane,
    Label.SHIP: objects.ship,
    Label.STORAGE_TANK: objects.storage_tank,
    Label.VEHICLE: objects.vehicle,
    Label.TENNIS_COURT: objects.tennis_court,
    Label.HARBOR: objects.harbor,
}
_NEIGHBOUR = {  # distance of the next one in a row, along the heading and aside of it, in lengths
    Label.PLANE: (1.3, 1.25),
    Label.STORAGE_TANK: (1.3, 1.3),
    Label.VEHICLE: (1.25, 0.62),
    Label.TENNIS_COURT: (1.12, 0.66),
}
_OBJECTS_MEAN, _OBJECTS_SD, _OBJECTS_MOST = 6.0, 4.8, 24
_ATTEMPTS = 30

_SOILS: tuple[Colour, ...] = (
    (0.27, 0.34, 0.20),
    (0.35, 0.38, 0.24),
    (0.44, 0.41, 0.29),
    (0.55, 0.48, 0.37),
    (0.40, 0.39, 0.36),
)
_WATERS: tuple[Colour, ...] = (
    (0.10, 0.17, 0.20),
    (0.15, 0.27, 0.34),
    (0.18, 0.28, 0.25),
    (0.11, 0.13, 0.15),
)


class Survey:
    """One site in the making. Places are given in `frame`, which lies across the image anyhow.

    zoom: how much larger things look than from middle height. wanted: how many labelled objects
    the site should have.
    """

    def __init__(self, rng: Generator) -> None:
        self.rng = rng
        self.zoom = float(np.exp(0.33 * rng.standard_normal()))
        x, y = rng.uniform(0.35, 0.65, 2)
        self.frame = Pose(float(x), float(y), float(rng.uniform(0, 2 * np.pi)), 1.0)
        self.soil = shaded(rng, pick(rng, _SOILS), 0.12)
        self.water = shaded(rng, pick(rng, _WATERS), 0.15)
        self.site = Site(self.soil)
        shape = (_OBJECTS_MEAN / _OBJECTS_SD) ** 2
        count = round(rng.gamma(shape, _OBJECTS_MEAN / shape))
        self.wanted = int(np.clip(count, 1, _OBJECTS_MOST))

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return bool(self.rng.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A number from low to high."""
        return float(self.rng.uniform(low, high))

    # ---- ground

    def fields(self, width: float) -> None:
        """Cover the land with fields of about this width, some of them furrowed."""
        steps = np.arange(-1.0, 1.0 + width, width)
        across = steps + 0.25 * width * self.rng.standard_normal(len(steps))
        for left, right in pairwise(across):
            down = steps + self.between(-0.5, 0.5) * width
            for top, bottom in pairwise(down):
                plot = _rectangle(left, top, right - left, bottom - top)
                tone = shaded(self.rng, pick(self.rng, (self.soil, self.soil, *_SOILS)), 0.10)
                if self.site.lay(self.frame.of(plot), tone) and self.chance(0.3):
                    for x in np.arange(left, right, 0.022):
                        furrow = _rectangle(x, top, 0.008, bottom - top)
                        self.site.lay(self.frame.of(furrow), scaled(tone, 0.9))

    def road(self, at: float, width: float, tone: Colour, *, across: bool = False) -> Road:
        """Lay a road along the frame, or across it, `at` from its middle."""
        ends = np.array([(-1.1, at), (1.1, at)])
        start, end = self.frame.of(ends[:, ::-1] if across else ends)
        road = Road(start, end, width)
        self.site.lay_road(self.rng, road, tone)
        return road

    def pave(self, left: float, top: float, width: float, height: float, tone: Colour) -> None:
        """Lay a rectangle of tarmac or concrete with its joints."""
        self.site.lay(self.frame.of(_rectangle(left, top, width, height)), tone, Zone.PAVED)
        for x in np.arange(left, left + width, 0.09 * self.zoom):
            joint = _rectangle(x, top, 0.004, height)
            self.site.lay(self.frame.of(joint), scaled(tone, 0.92))

    def bank(self, rough: float) -> Points:
        """An uneven line (n×2, in the frame) along the frame's middle."""
        x = np.linspace(-1.6, 1.6, 81)
        pace, phase = self.rng.uniform(2, 16, (4, 1)), self.rng.uniform(0, 2 * np.pi, (4, 1))
        waves = (np.sin(pace * x + phase) * 5 / (pace + 3)).sum(axis=0)
        return np.stack([x, rough * waves], axis=1)

    def sea(self, near: Points, far: Points, beach: float) -> None:
        """Fill the ground between two banks with water, and a strip of beach along both."""
        for edge, tone, zone in (
            (beach, shaded(self.rng, (0.55, 0.51, 0.41), 0.15), Zone.PAVED),
            (0.0, scaled(self.water, 1.25), Zone.WATER),
            (-0.02, self.water, Zone.WATER),
        ):
            aside = np.array([0, edge])
            outline = np.concatenate([near - aside, far[::-1] + aside])
            self.site.lay(self.frame.of(outline), tone, zone)

    def pond(self, radius: float) -> None:
        """A round pond or pool somewhere on the land."""
        radius *= self.zoom * self.between(0.7, 1.5)
        if spot := self.site.spot(self.rng, Zone.LAND):
            turn = np.linspace(0, 2 * np.pi, 24, endpoint=False)
            shape = np.stack([np.cos(turn), self.between(0.6, 1) * np.sin(turn)], axis=1)
            pose = Pose(*spot, self.frame.heading, radius)
            if self.site.lies_on(pose.of(shape), Zone.LAND):
                self.site.lay(pose.of(1.15 * shape), (0.50, 0.49, 0.45))
                self.site.lay(pose.of(shape), shaded(self.rng, (0.20, 0.36, 0.42), 0.2), Zone.WATER)

    # ---- objects

    def length(self, label: Label) -> float:
        """The length of the next object of a class."""
        middle, spread = _LENGTH[label]
        return float(middle * self.zoom * np.exp(spread * self.rng.standard_normal()))

    def share(self, of_the_rest: float) -> int:
        """How many objects this share of what is still wanted makes."""
        return round(of_the_rest * (self.wanted - len(self.site.labelled)))

    def rows(self, label: Label, zone: Zone, of_the_rest: float) -> None:
        """Objects of a class in rows along the frame: like ones side by side."""
        left = self.share(of_the_rest)
        along, aside = _NEIGHBOUR[label]
        for _ in range(_ATTEMPTS):
            if left <= 0:
                return
            columns, lines = self.rng.integers(1, 5), self.rng.integers(1, 3)
            length = self.length(label)
            heading = self.frame.heading + self.rng.integers(4) * np.pi / 2
            heading += 0.1 * self.rng.standard_normal() if self.chance(0.7) else self.between(0, 6)
            spot = self.site.spot(self.rng, zone)
            if spot is None:
                return
            first, thing = Pose(*spot, float(heading), length), _MAKERS[label](self.rng)
            for k in range(int(columns * lines)):
                if label is Label.VEHICLE or label is Label.PLANE:
                    thing = _MAKERS[label](self.rng)
                pose = first.ahead(along * (k // columns), aside * (k % columns))
                if left and self.chance(0.85):
                    left -= self.site.put(thing, pose, zone, label)

    def traffic(self, of_the_rest: float) -> None:
        """Vehicles in both lanes of the roads."""
        left = self.share(of_the_rest)
        for _ in range(_ATTEMPTS * min(left, 3)):
            if left <= 0 or not self.site.roads:
                return
            road = self.site.roads[int(self.rng.integers(len(self.site.roads)))]
            lane = int(self.rng.choice([-1, 1]))
            heading = road.heading + (np.pi if lane < 0 else 0) + 0.03 * self.rng.standard_normal()
            x, y = road.start + (road.end - road.start) * self.rng.uniform(0.1, 0.9)
            length = self.length(Label.VEHICLE)
            kerb = Pose(float(x), float(y), heading, length).ahead(0, 0.24 * road.width / length)
            left -= self.site.put(objects.vehicle(self.rng), kerb, Zone.ROAD, Label.VEHICLE)

    def piers(self, bank: Points, most: int) -> None:
        """Jetties from a bank out into the water beside it."""
        for x in self.rng.permutation(np.arange(-0.45, 0.5, 0.25))[:most]:
            length = self.length(Label.HARBOR)
            shore = float(np.interp(x, *bank.T))
            middle = self.frame.ahead(float(x), shore + length / 2 - 0.03)
            pose = Pose(middle.x, middle.y, self.frame.heading + np.pi / 2, length)
            self.site.put(objects.harbor(self.rng), pose, None, Label.HARBOR)

    def ships(self, of_the_rest: float) -> None:
        """Ships on the water, some under way with a wake behind."""
        left = self.share(of_the_rest)
        for _ in range(_ATTEMPTS * min(left, 3)):
            spot = self.site.spot(self.rng, Zone.WATER)
            if left <= 0 or spot is None:
                return
            pose = Pose(*spot, self.between(0, 2 * np.pi), self.length(Label.SHIP))
            if not self.site.put(objects.ship(self.rng), pose, Zone.WATER, Label.SHIP):
                continue
            left -= 1
            wake = pose.of(
                np.array([(0.3, 0.0), (-0.5, 0.13), (-1.5, 0.22), (-1.5, -0.22), (-0.5, -0.13)])
            )
            if self.chance(0.4) and self.site.lies_on(wake[2:4], Zone.WATER):
                self.site.lay(wake, scaled(self.water, 1.3))
                self.site.lay(pose.of(_rectangle(-1.1, -0.05, 0.7, 0.1)), scaled(self.water, 1.7))

    def scatter(
        self,
        maker: Callable[[Generator], Thing],
        length: float,
        count: int,
        zone: Zone = Zone.LAND,
    ) -> None:
        """Unlabelled things on a zone, along the frame's axes."""
        for _ in range(count):
            if spot := self.site.spot(self.rng, zone):
                heading = self.frame.heading + self.rng.integers(4) * np.pi / 2
                size = length * self.zoom * self.between(0.6, 1.4)
                self.site.put(maker(self.rng), Pose(*spot, float(heading), size), zone)

    def trees(self, count: int) -> None:
        """Trees on the land, every other one near the one before."""
        spot = None
        for _ in range(count):
            near = spot if spot and self.chance(0.6) else self.site.spot(self.rng, Zone.LAND)
            if near is None:
                return
            size = 0.05 * self.zoom * self.between(0.5, 1.3)
            spot = (near[0] + size * self.between(-1, 1), near[1] + size * self.between(-1, 1))
            pose = Pose(*spot, self.between(0, 6), size)
            self.site.put(objects.tree(self.rng), pose, Zone.LAND)


def _rectangle(left: float, top: float, width: float, height: float) -> Points:
    right, bottom = left + width, top + height
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)])
