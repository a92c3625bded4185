"""Five folds over whole stretches of photographs: each is tested once, none beside its neighbours.

Photographs are put into groups (mosaics, or one by one) in the order of their file names. Every
chain of neighbours is cut at its widest gaps into stretches, and whole stretches are dealt to the
folds so that images, boxes and classes are as even as chance finds them. Where a stretch was cut
out of a chain, training and validation leave out what is a neighbour of a tested photograph, and
training of one that is validated on, as blocked cross-validation does (Roberts et al., Ecography
40, 2017).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.data.bursts import bursts, cut, neighbours

FOLDS = 5
STRETCHES = 4
"""Of a fold, about."""
VALIDATION_SHARE = 0.4
"""Of the next fold, what is validated on; more if all of that is beside tested photographs."""
TRIES = 20_000
"""Deals of the stretches to the folds, of which the most even is taken."""

Group = tuple[int, ...]
"""Positions of the photographs that make up one image."""


@dataclass(frozen=True)
class FoldSplit:
    """Groups of one fold's splits, and what became of the rest."""

    train: tuple[Group, ...]
    val: tuple[Group, ...]
    test: tuple[Group, ...]
    bursts: dict[Group, int]
    """Group to the number of its stretch, over all folds."""
    buffered: int
    """Photographs of train and val left out as neighbours of what is tested, or validated on."""
    left_over: int
    """Photographs that make up no whole group, in any fold."""


def fold_split(
    file_names: Sequence[str],
    counts: NDArray[np.int64],
    fold: int,
    *,
    group_size: int = 1,
    seed: int = 0,
) -> FoldSplit:
    """Divide photographs for one fold.

    Args:
        file_names: of N photographs.
        counts: N×C boxes of each class.
        fold: 0 to `FOLDS` - 1.
        group_size: photographs of a group.
        seed: of the deal.

    Raises:
        ValueError: there are too few photographs, or none to train on is left.
    """
    stretches, left_over = _stretches(file_names, counts, group_size)
    if len(stretches) < FOLDS:
        raise ValueError(f"{len(file_names)} photographs are too few for {FOLDS} folds")
    features = np.array([_features(stretch, counts) for stretch in stretches])
    owner = _deal(features, seed)
    test = [n for n in range(len(stretches)) if owner[n] == fold]
    others = [n for n in range(len(stretches)) if owner[n] != fold]
    following = sorted(others, key=lambda n: (owner[n] - fold) % FOLDS)
    wanted = VALIDATION_SHARE * sum(
        len(stretches[n]) for n in following if owner[n] == (fold + 1) % FOLDS
    )
    tested = [g for n in test for g in stretches[n]]
    val: list[int] = []
    validated: list[Group] = []
    while following and not (validated and sum(len(stretches[n]) for n in val) >= wanted):
        val.append(following.pop(0))
        validated += _apart(stretches[val[-1]], tested, file_names)
    trained = sorted(following)
    train = _apart([g for n in trained for g in stretches[n]], tested + validated, file_names)
    if not train:
        raise ValueError("beside what is tested and its neighbours nothing is left to train on")
    groups = sum(len(stretch) for stretch in stretches)
    return FoldSplit(
        train=tuple(train),
        val=tuple(validated),
        test=tuple(tested),
        bursts={g: n for n, own in enumerate(stretches) for g in own},
        buffered=group_size * (groups - len(train) - len(validated) - len(tested)),
        left_over=left_over,
    )


def _apart(
    groups: Sequence[Group], others: Sequence[Group], file_names: Sequence[str]
) -> list[Group]:
    """The groups without a photograph that is a neighbour of one of the others'."""
    names = [file_names[p] for group in others for p in group]
    return [g for g in groups if not neighbours([file_names[p] for p in g], names)]


def _stretches(
    file_names: Sequence[str], counts: NDArray[np.int64], size: int
) -> tuple[list[list[Group]], int]:
    """Groups by stretch, and the number of photographs left over."""
    aim = max(1.0, counts.sum() / (FOLDS * STRETCHES))
    found: list[list[Group]] = []
    remainders: list[int] = []
    for chain in bursts(file_names):
        whole = len(chain) - len(chain) % size
        remainders += chain[whole:]
        groups = [tuple(chain[i : i + size]) for i in range(0, whole, size)]
        boxes = [float(counts[list(g)].sum()) for g in groups]
        parts = max(1, round(sum(boxes) / aim))
        first = [file_names[g[0]] for g in groups]
        found += [[groups[i] for i in part] for part in cut(first, boxes, parts) if part]
    mixed = [tuple(remainders[i : i + size]) for i in range(0, len(remainders) - size + 1, size)]
    found += [[group] for group in mixed]
    return found, len(remainders) - size * len(mixed)


def _features(stretch: Sequence[Group], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Images, boxes, and boxes of each class."""
    own = counts[[p for g in stretch for p in g]]
    return np.array([len(stretch), own.sum(), *own.sum(axis=0)], float)


def _deal(features: NDArray[np.float64], seed: int) -> NDArray[np.int64]:
    """Stretch to fold, so that the greatest relative deviation from an even share is least."""
    count = len(features)
    random = np.random.default_rng(seed)
    even = np.arange(count) % FOLDS
    owners = np.stack([random.permutation(even) for _ in range(TRIES)])
    share = np.maximum(features.sum(axis=0) / FOLDS, 1e-9)
    sums = np.stack([(owners == fold).astype(float) @ features for fold in range(FOLDS)], axis=1)
    worst = np.abs(sums / share - 1).max(axis=(1, 2))
    best: NDArray[np.int64] = owners[worst.argmin()]
    return best
