"""COCO's twelve figures, and the match records from which they can be computed without a box.

pycocotools does the matching. What it finds is kept as records: for each detection and each area
range, at which overlap thresholds it is a true positive and at which it does not count. Every
figure follows from the records alone, by the same accumulation rule as pycocotools'.
"""

from __future__ import annotations

import contextlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from pipelines.data.prepared import PreparedSplit
from pipelines.data.records import CocoSplit
from pipelines.data.tiling import Tiling
from pipelines.evaluation.voc import voc_matches

THRESHOLDS = np.linspace(0.5, 0.95, 10)
"""Overlap thresholds, as pycocotools has them."""
AREAS = ("all", "small", "medium", "large")
"""Area ranges: any, below 32², to 96², above, in pixels of the original image."""
RECALLS = np.linspace(0, 1, 101)
MOST_DETECTIONS = 100
"""Of a class that count in an image; as many in each tile of a photograph that was cut."""

FIGURES = (
    "AP", "AP50", "AP75", "APs", "APm", "APl",
    "AR1", "AR10", "AR100", "ARs", "ARm", "ARl",
)  # fmt: skip
"""COCO's twelve, in pycocotools' order."""

RECORD_COLUMNS = (
    "image", "class", "score", "area",
    *(f"{kind}_{area}" for area in AREAS for kind in ("true", "ignored")),
    "true_voc", "ignored_voc",
    *(f"objects_{area}" for area in AREAS),
)  # fmt: skip
"""Columns of the match records.

A row with a score is a detection: `area` is its own range, `true_…` and `ignored_…` are bit masks
over the ten thresholds, lowest bit 0.50, `true_voc` and `ignored_voc` are 0 or 1 by VOC's rule. A
row without a score counts the objects of a class in an image that fall in each range. Detections of
an image and class stand best first. Where a data set knows which images were taken one after the
other, a last column `burst` says so.
"""


@dataclass(frozen=True)
class Score:
    """Figures of one run over one data set, in percent; absent classes and ranges are NaN."""

    figures: dict[str, float]
    """`FIGURES` by name."""
    class_ap: dict[str, float]
    """AP by class name."""


def match_records(
    annotations: Mapping[str, Any], detections: Sequence[Any], most: int = MOST_DETECTIONS
) -> pd.DataFrame:
    """Match detections with objects and record the outcome.

    Args:
        annotations: a data set in COCO form.
        detections: COCO results: image_id, category_id, bbox `xywh` in original pixels, score.
        most: the best so many of a class in an image are kept.

    Returns:
        A frame of `RECORD_COLUMNS`, classes by name, with each image's `burst` where the data set
        knows it.
    """
    evaluation = _evaluate(annotations, detections, most)
    names = {c["id"]: c["name"] for c in annotations["categories"]}
    by_place = {
        (e["category_id"], e["image_id"], AREAS[evaluation.params.areaRngLbl.index(label)]): e
        for e, label in _with_area_label(evaluation)
    }
    rows: list[tuple[Any, ...]] = []
    for category in evaluation.params.catIds:
        for image in evaluation.params.imgIds:
            places = [by_place.get((category, image, area)) for area in AREAS]
            if places[0] is not None:
                rows += _records(image, names[category], places, evaluation)
    frame = pd.DataFrame(rows, columns=list(RECORD_COLUMNS))
    whole = [c for c in RECORD_COLUMNS if c.startswith(("true", "ignored", "objects"))]
    frame = frame.astype(dict.fromkeys(whole, "Int64"))
    bursts = {image["id"]: image["burst"] for image in annotations["images"] if "burst" in image}
    return frame.assign(burst=frame["image"].map(bursts)) if bursts else frame


def match_split(split: PreparedSplit, detections: Sequence[Any]) -> pd.DataFrame:
    """Match records of detections in what a split is scored on: whole photographs."""
    tiling = split.photographs.tiling if split.photographs else None
    return match_records(split.scored.to_coco(), detections, most_counted(split.scored, tiling))


def most_counted(photographs: CocoSplit, tiling: Tiling | None) -> int:
    """Detections of a class that count in a photograph: MOST_DETECTIONS for each tile of it."""
    if tiling is None:
        return MOST_DETECTIONS
    sizes = {(image.width, image.height) for image in photographs.images}
    return MOST_DETECTIONS * max(len(tiling.corners(*size)) for size in sizes)


class _Evaluation(COCOeval):  # type: ignore[misc]
    """COCOeval that tries only detections which overlap some object enough to match it.

    Most do not, and COCOeval's matching is a loop over all pairs at every threshold.
    """

    def evaluateImg(  # noqa: N802
        self, image: int, category: int, area: Sequence[float], most: int
    ) -> dict[str, Any] | None:
        """The record of one image, with all of its `most` best detections."""
        place = image, category
        found, ious = self._dts[place], self.ious[place]
        if not len(found) or not len(ious):
            result: dict[str, Any] | None = super().evaluateImg(image, category, area, most)
            return result
        order = np.argsort([-d["score"] for d in found], kind="mergesort")[:most]
        best = [found[i] for i in order]
        near = np.flatnonzero(ious[: len(best)].max(axis=1) >= THRESHOLDS[0])
        self._dts[place], self.ious[place] = [best[i] for i in near], ious[near]
        result = super().evaluateImg(image, category, area, most)
        self._dts[place], self.ious[place] = found, ious
        outside = np.array([not area[0] <= d["area"] <= area[1] for d in best])
        matches, ignored = np.zeros((2, len(THRESHOLDS), len(best)))
        ignored[:] = outside
        matches[:, near], ignored[:, near] = result["dtMatches"], result["dtIgnore"]
        return {
            **result,
            "dtIds": [d["id"] for d in best],
            "dtScores": [d["score"] for d in best],
            "dtMatches": matches,
            "dtIgnore": ignored.astype(bool),
        }


def _evaluate(annotations: Mapping[str, Any], detections: Sequence[Any], most: int) -> COCOeval:
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = dict(annotations)
        truth.createIndex()
        # A copy of each: loadRes writes fields of its own into what it is given.
        found = truth.loadRes([dict(d) for d in detections]) if len(detections) else COCO()
        evaluation = _Evaluation(truth, found, "bbox")
        evaluation.params.imgIds = sorted(truth.imgs)
        evaluation.params.maxDets = [most]
        evaluation.evaluate()
    return evaluation


def _with_area_label(evaluation: COCOeval) -> list[tuple[dict[str, Any], str]]:
    """Evaluations of single images, each with the name of its area range."""
    ranges = evaluation.params.areaRng
    labels = evaluation.params.areaRngLbl
    done = [e for e in evaluation.evalImgs if e is not None]
    return [(e, labels[ranges.index(e["aRng"])]) for e in done]


def _records(
    image: int, name: str, places: Sequence[Any], evaluation: COCOeval
) -> list[tuple[Any, ...]]:
    """Records of one image and class, from its evaluation in each area range."""
    bits = 1 << np.arange(len(THRESHOLDS))
    masks = []
    for place in places:
        matched, ignored = place["dtMatches"] > 0, place["dtIgnore"].astype(bool)
        masks += [bits @ (matched & ~ignored), bits @ ignored]
    masks += _match_as_voc(places[0], evaluation)
    rows: list[tuple[Any, ...]] = []
    no_counts = (pd.NA,) * len(AREAS)
    for i, (identity, score) in enumerate(
        zip(places[0]["dtIds"], places[0]["dtScores"], strict=True)
    ):
        area = evaluation.cocoDt.anns[identity]["area"]
        own = "small" if area < 32**2 else "medium" if area < 96**2 else "large"
        rows.append((image, name, score, own, *(int(mask[i]) for mask in masks), *no_counts))
    counts = [int((~place["gtIgnore"].astype(bool)).sum()) for place in places]
    no_masks = (pd.NA,) * len(masks)
    rows.append((image, name, np.nan, pd.NA, *no_masks, *counts))
    return rows


def _match_as_voc(place: Mapping[str, Any], evaluation: COCOeval) -> list[NDArray[np.int64]]:
    """0 or 1 of each detection: true, and without count, by VOC's rule."""
    found = [evaluation.cocoDt.anns[i]["bbox"] for i in place["dtIds"]]
    objects = [evaluation.cocoGt.anns[i] for i in place["gtIds"]]
    true, ignored = voc_matches(
        np.array(found, float).reshape(-1, 4),
        np.array([o["bbox"] for o in objects], float).reshape(-1, 4),
        np.array([o["iscrowd"] for o in objects], bool),
    )
    return [true.astype(np.int64), ignored.astype(np.int64)]


def precision_curves(
    records: pd.DataFrame, name: str, area: str = "all", most: float = math.inf
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Interpolated precision and largest recall of one class.

    Args:
        records: match records, any subset of images.
        name: the class.
        area: one of `AREAS`.
        most: detections of the class counted an image; all that are recorded unless given.

    Returns:
        Precision at `RECALLS` for each of `THRESHOLDS` (10×101) and the recall reached (10), or
        None where the class has no object in that range.
    """
    own = records[records["class"] == name]
    objects = int(own[f"objects_{area}"].sum())
    if objects == 0:
        return None
    found = own[own["score"].notna()]
    found = found[found.groupby("image", sort=False).cumcount() < most]
    order = np.argsort(-found["score"].to_numpy(float), kind="mergesort")
    bits = 1 << np.arange(len(THRESHOLDS))[:, None]
    true = (found[f"true_{area}"].to_numpy(np.int64)[order] & bits) > 0
    ignored = (found[f"ignored_{area}"].to_numpy(np.int64)[order] & bits) > 0
    hits = np.cumsum(true, axis=1, dtype=float)
    misses = np.cumsum(~true & ~ignored, axis=1, dtype=float)
    recall = hits / objects
    precision = hits / (hits + misses + np.spacing(1))
    envelope = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    curves = np.zeros((len(THRESHOLDS), len(RECALLS)))
    for curve, line, reached in zip(curves, envelope, recall, strict=True):
        place = np.searchsorted(reached, RECALLS, side="left")
        inside = place < line.size
        curve[inside] = line[place[inside]]
    return curves, recall[:, -1] if recall.shape[1] else np.zeros(len(THRESHOLDS))


def score_records(records: pd.DataFrame) -> Score:
    """All figures from match records alone, in percent, equal to pycocotools'.

    But for AR1, AR10 and AR100, every recorded detection counts.
    """
    by_class = {str(name): own for name, own in records.groupby("class", sort=False)}
    names = list(by_class)

    @cache
    def curves_of(
        name: str, area: str, most: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
        return precision_curves(by_class[name], name, area, most)

    def precision(area: str, threshold: slice, only: Sequence[str] = names) -> float:
        curves = [curves_of(name, area, math.inf) for name in only]
        return _mean([c[0][threshold] for c in curves if c is not None])

    def recall(area: str, most: float = math.inf) -> float:
        curves = [curves_of(name, area, most) for name in names]
        return _mean([c[1] for c in curves if c is not None])

    every, half, three_quarters = slice(None), slice(0, 1), slice(5, 6)
    values = (
        precision("all", every), precision("all", half), precision("all", three_quarters),
        precision("small", every), precision("medium", every), precision("large", every),
        recall("all", 1), recall("all", 10), recall("all", 100),
        recall("small"), recall("medium"), recall("large"),
    )  # fmt: skip
    return Score(
        figures=dict(zip(FIGURES, values, strict=True)),
        class_ap={name: precision("all", every, [name]) for name in names},
    )


def _mean(values: Sequence[NDArray[np.float64]]) -> float:
    return 100 * float(np.mean(np.stack(values))) if values else float("nan")
