"""PASCAL VOC's average precision at an overlap of 0.5, by both of its definitions.

VOC matches otherwise than COCO: a detection belongs to the object that it overlaps most, and is
false if a better detection has that one already. What belongs to a difficult object does not count;
COCO's crowd regions are taken for difficult ones.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pycocotools import mask

OVERLAP = 0.5
ELEVEN_RECALLS = np.linspace(0, 1, 11)


class Definition(StrEnum):
    """What is made of the curve of precision over recall."""

    VOC07 = "VOC07"
    """Mean of the highest precision at or beyond eleven recalls (until 2009)."""
    VOC12 = "VOC12"
    """Area under the curve of the highest precision at or beyond each recall (from 2010 on)."""


def voc_matches(
    found: NDArray[np.float64], objects: NDArray[np.float64], difficult: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which detections of one class in one image are true, and which do not count.

    Args:
        found: N×4, `xywh`, best first.
        objects: M×4, `xywh`.
        difficult: M, objects that need not be found.
    """
    true, ignored = np.zeros(len(found), bool), np.zeros(len(found), bool)
    if not len(found) or not len(objects):
        return true, ignored
    overlap = mask.iou(found, objects, np.zeros(len(objects)))
    taken = np.zeros(len(objects), bool)
    for place, best in enumerate(overlap.argmax(axis=1)):
        if overlap[place, best] > OVERLAP:
            ignored[place] = difficult[best]
            true[place] = not difficult[best] and not taken[best]
            taken[best] = True
    return true, ignored


def voc_ap(records: pd.DataFrame, name: str, definition: Definition) -> float:
    """AP of one class in percent, from match records; NaN without objects."""
    own = records[records["class"] == name]
    objects = int(own["objects_all"].sum())
    if not objects:
        return float("nan")
    found = own[own["score"].notna()]
    order = np.argsort(-found["score"].to_numpy(float), kind="mergesort")
    true = found["true_voc"].to_numpy(bool)[order]
    counted = ~found["ignored_voc"].to_numpy(bool)[order]
    hits = np.cumsum(true)
    precision = hits / np.maximum(np.cumsum(counted), 1)
    highest = np.maximum.accumulate(precision[::-1])[::-1]
    recall = hits / objects
    if definition is Definition.VOC07:
        place = np.searchsorted(recall, ELEVEN_RECALLS)
        return 100 * float(highest[place[place < len(highest)]].sum()) / len(ELEVEN_RECALLS)
    return 100 * float(highest @ np.diff(recall, prepend=0))


def voc_map(records: pd.DataFrame, definition: Definition) -> float:
    """Mean over the classes that have objects, in percent."""
    values = [voc_ap(records, str(name), definition) for name in records["class"].unique()]
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")
