"""Aerial pictures drawn from a seed: small objects of seven of DOTA's classes, seen from above.

The built-in set for pre-training on small objects. Number and relative size of the objects follow
NWPU VHR-10 (Cheng et al. 2014), whose classes are DOTA's too. A site is laid out first, in
fractions of the image's side, and then painted at the size asked for.
"""

import numpy as np

from pipelines.data.drawn import aerial_objects as objects
from pipelines.data.drawn.aerial_objects import ASPHALT, CONCRETE, Label, pick, shaded
from pipelines.data.drawn.aerial_painting import photograph
from pipelines.data.drawn.aerial_site import Pose, Site, Zone
from pipelines.data.drawn.aerial_survey import Survey
from pipelines.data.drawn.drawing import Scene, boxes_in_image, streams

CLASSES = tuple(label.name.lower().replace("_", "-") for label in Label)


def draw_aerial(seed: int, index: int, size: int = 256) -> Scene:
    """Draw picture `index` of the data set `seed`, `size` (128 to 1024) pixels square.

    The result depends on the arguments alone; `scenes.draw_scene` says on which machines.
    """
    rng, pixels = streams(seed, index, size)
    site = _site(Survey(rng))
    image = photograph(site, rng, pixels, size)
    boxes = boxes_in_image([thing.extent for thing, _ in site.labelled], size)
    classes = np.array([label for _, label in site.labelled], np.int64)
    return Scene(image, boxes, classes)


def _site(survey: Survey) -> Site:
    places = (_airport, _port, _town, _depot, _river, _park)
    shares = (0.20, 0.21, 0.11, 0.16, 0.17, 0.15)
    places[int(survey.rng.choice(len(places), p=shares))](survey)
    return survey.site


def _airport(survey: Survey) -> None:
    """An apron with its terminal between two taxiways, beside a road, in meadows."""
    survey.fields(2.0)
    tone = shaded(survey.rng, pick(survey.rng, (ASPHALT, CONCRETE)), 0.12)
    half = survey.between(0.3, 0.6)
    survey.road(-half - 0.16 * survey.zoom, 0.095 * survey.zoom, shaded(survey.rng, ASPHALT, 0.1))
    for left in (-0.5, 0.4):
        survey.pave(left, -1.5, 0.09, 3.0, tone)
    length = survey.between(1.0, 1.5)
    survey.pave(-0.6, -half, length, 2 * half, tone)
    for at in np.arange(-half, half, 0.3 * survey.zoom):
        survey.pave(-0.6, float(at), length, 0.005, (0.66, 0.58, 0.28))
    survey.scatter(objects.house, 0.3, 2, Zone.PAVED)
    survey.scatter(objects.house, 0.2, 4)
    survey.rows(Label.PLANE, Zone.PAVED, 0.85)
    survey.rows(Label.VEHICLE, Zone.PAVED, 0.6)
    survey.traffic(1.0)
    survey.scatter(objects.crate, 0.06, 14, Zone.PAVED)
    survey.trees(20)


def _port(survey: Survey) -> None:
    """A coast with ships, at a quay often with jetties, and tanks behind."""
    quay = survey.chance(0.6)
    survey.fields(0.8)
    survey.road(-0.3, 0.095 * survey.zoom, shaded(survey.rng, ASPHALT, 0.1))
    bank = survey.bank(0.002 if quay else 0.02)
    survey.sea(bank, np.array([(-1.6, 1.8), (1.6, 1.8)]), 0.06)
    if quay or survey.chance(0.3):
        survey.piers(bank, int(survey.rng.integers(1, 4)))
    survey.ships(0.7)
    survey.rows(Label.STORAGE_TANK, Zone.LAND, 0.7)
    survey.traffic(1.0)
    survey.scatter(objects.house, 0.12, 14)
    survey.trees(30)


def _town(survey: Survey) -> None:
    """Streets of houses, with pools, trees and sometimes a tennis court."""
    survey.fields(0.35)
    tone = shaded(survey.rng, ASPHALT, 0.15)
    block = survey.zoom * survey.between(0.32, 0.5)
    for at in np.arange(-0.7, 0.7, block):
        survey.road(at, 0.1 * survey.zoom, tone)
    if survey.chance(0.7):
        survey.road(survey.between(-0.2, 0.2), 0.1 * survey.zoom, tone, across=True)
    if survey.chance(0.35):
        survey.rows(Label.TENNIS_COURT, Zone.LAND, 0.25)
    survey.traffic(1.0)
    for _ in range(3):
        survey.pond(0.02)
    survey.scatter(objects.house, 0.11, 36)
    survey.trees(40)


def _depot(survey: Survey) -> None:
    """Storage tanks on a yard or on the bare ground, beside a road."""
    survey.fields(1.0)
    survey.road(survey.between(-0.5, -0.3), 0.095 * survey.zoom, shaded(survey.rng, ASPHALT, 0.15))
    zone = Zone.LAND
    if survey.chance(0.6):
        zone = Zone.PAVED
        yard = shaded(survey.rng, pick(survey.rng, (CONCRETE, (0.52, 0.46, 0.37))), 0.12)
        survey.pave(-0.5, -0.15, 1.1, 0.6, yard)
    survey.rows(Label.STORAGE_TANK, zone, 0.85)
    survey.traffic(1.0)
    survey.scatter(objects.crate, 0.07, 12, zone)
    survey.pond(0.03)
    survey.scatter(objects.house, 0.16, 10)
    survey.trees(35)


def _river(survey: Survey) -> None:
    """A river with bridges and ships through farmland."""
    survey.fields(survey.between(0.4, 1.0))
    half, wide = survey.between(0.05, 0.16), 0.09 * survey.zoom
    tone = shaded(survey.rng, ASPHALT, 0.15)
    places = survey.rng.permutation([-0.4, -0.05, 0.3])[: int(survey.rng.integers(1, 4))]
    roads = [survey.road(float(x), wide, tone, across=True) for x in places]
    survey.road(-half - 0.2, wide, tone)
    bank, aside = survey.bank(0.015), np.array([0, half])
    survey.sea(bank - aside, bank + aside, 0.015)
    for road, x in zip(roads, places, strict=True):
        length = 2 * half + 0.06
        middle = survey.frame.ahead(float(x), float(np.interp(x, *bank.T)))
        pose = Pose(middle.x, middle.y, road.heading, length)
        survey.site.put(objects.bridge(survey.rng, 1.15 * wide / length), pose, None, Label.BRIDGE)
    survey.ships(0.6)
    survey.traffic(1.0)
    survey.scatter(objects.house, 0.10, 15)
    survey.trees(40)


def _park(survey: Survey) -> None:
    """Tennis courts on a meadow, a car park, ponds and trees."""
    survey.fields(1.5)
    survey.road(survey.between(-0.5, -0.35), 0.095 * survey.zoom, shaded(survey.rng, ASPHALT, 0.15))
    survey.pave(0.15, -0.25, 0.4, 0.5, shaded(survey.rng, ASPHALT, 0.15))
    survey.rows(Label.TENNIS_COURT, Zone.LAND, 0.7)
    survey.rows(Label.VEHICLE, Zone.PAVED, 0.8)
    survey.traffic(1.0)
    survey.scatter(objects.crate, 0.06, 4, Zone.PAVED)
    for _ in range(3):
        survey.pond(0.05)
    survey.scatter(objects.house, 0.12, 8)
    survey.trees(55)
