"""Rules on classes: too few objects, objects in one split alone, names that are nearly the same."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pipelines.own_data.inspection.kinds import EVERYWHERE, Kind, Suspicion
from pipelines.own_data.inspection.objects import Objects
from pipelines.own_data.inspection.wording import counts_listed, listed, out_of

FEWEST = 10
"""Training objects below which a class is hardly learnt."""


def scarce_classes(splits: Mapping[str, Objects]) -> list[Suspicion]:
    """Classes with fewer than FEWEST objects in train.

    Those with none there and some in another split are `untrained_classes`.
    """
    counts = splits["train"].class_counts
    untrained = (counts == 0) & (sum(own.class_counts for own in splits.values()) > 0)
    return _suspect_classes(
        splits["train"],
        (counts < FEWEST) & ~untrained,
        Kind.SCARCE_CLASS,
        f"fewer than {FEWEST} objects to learn from",
    )


def untrained_classes(splits: Mapping[str, Objects]) -> list[Suspicion]:
    """Classes with objects in another split and none in train, which no detector will find."""
    trained = splits["train"].class_counts > 0
    return [
        suspicion
        for own in splits.values()
        for suspicion in _suspect_classes(
            own,
            (own.class_counts > 0) & ~trained,
            Kind.UNTRAINED_CLASS,
            "no object in train, so that they cannot be found here",
        )
    ]


def unmeasured_classes(splits: Mapping[str, Objects]) -> list[Suspicion]:
    """Classes with objects in train and none in test, of which accuracy says nothing."""
    if "test" not in splits:
        return []
    train, tested = splits["train"], splits["test"].class_counts > 0
    return _suspect_classes(
        train,
        (train.class_counts > 0) & ~tested,
        Kind.UNMEASURED_CLASS,
        "no object in test, so that their accuracy stays unknown",
    )


def alike_names(splits: Mapping[str, Objects]) -> list[Suspicion]:
    """Declared classes whose names differ only in case, spaces, hyphens, or a plural's s or es."""
    names = splits["train"].class_names
    folded = [re.sub(r"[\s_-]+", "", name).casefold() or name for name in names]
    alike = [
        f"{names[i]!r} and {names[j]!r}"
        for i, j in combinations(range(len(names)), 2)
        if folded[i] in _numbers(folded[j]) or folded[j] in _numbers(folded[i])
    ]
    if not alike:
        return []
    sentence = f"perhaps one class under two names: {listed(alike)}"
    return [Suspicion(Kind.ALIKE_NAMES, EVERYWHERE, sentence, len(alike))]


def _numbers(name: str) -> tuple[str, str, str]:
    """A name and what its plural would be."""
    return name, f"{name}s", f"{name}es"


def _suspect_classes(
    objects: Objects, suspect: NDArray[np.bool_], kind: Kind, what: str
) -> list[Suspicion]:
    """A suspicion about these classes, the rarest named first; none if there are none."""
    if not suspect.any():
        return []
    counts = objects.class_counts
    names = objects.class_names
    found = [k for k in np.argsort(counts, kind="stable") if suspect[k]]
    named = counts_listed({names[k]: int(counts[k]) for k in found})
    sentence = f"{out_of(len(found), len(names), 'classes')}: {what}: {named}"
    examples = objects.examples(np.flatnonzero(suspect[objects.label]))
    return [Suspicion(kind, objects.name, sentence, len(found), examples)]
