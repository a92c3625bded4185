"""Whether the other splits show the same mixture of classes and sizes as `train`.

Objects of one image are alike, so that many of them say less than as many independent ones. Both
tests therefore divide their sample by the design effect, the variance between images over that of
independent objects (Rao and Scott, 1981).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2, chi2_contingency, ks_2samp, kstwobign

from pipelines.own_data.inspection.kinds import Kind, Suspicion
from pipelines.own_data.inspection.objects import Objects
from pipelines.own_data.inspection.wording import listed, percent

Counts = NDArray[np.int64]

SURE = 0.001
"""Probability of so large a difference by chance, below which a shift is reported."""
OTHER_CLASSES = 0.1
"""Share of the objects that would have to change class."""
OTHER_SIZES = 0.2
"""Largest distance between the shares of objects up to any size (Kolmogorov and Smirnov's D)."""
LEAST_EXPECTED = 5
"""Objects of a class to be expected in either split; rarer classes are tested as one."""
MOST_MOVED = 3
"""Classes named in a sentence."""


def class_shift(splits: Mapping[str, Objects]) -> list[Suspicion]:
    """Splits whose class shares differ from train's.

    By the chi-square test with p < SURE, and by OTHER_CLASSES or more.
    """
    found = []
    train = splits["train"]
    for own in _others(splits):
        tables = _common_classes(train.class_counts_by_image, own.class_counts_by_image)
        p, moved = compare_shares(*tables)
        if p < SURE and moved >= OTHER_CLASSES:
            sentence = (
                f"{percent(moved)} of the objects would have to change class to match train "
                f"(chi-square, p {_probability(p)}): {_largest_moves(train, own)}"
            )
            found.append(Suspicion(Kind.CLASS_SHIFT, own.name, sentence, len(own)))
    return found


def size_shift(splits: Mapping[str, Objects]) -> list[Suspicion]:
    """Splits whose relative sizes differ from train's.

    By Kolmogorov and Smirnov's test with p < SURE, and by a D of OTHER_SIZES or more.
    """
    found = []
    train = splits["train"]
    for own in _others(splits):
        p, distance = compare_sizes(train, own)
        if p < SURE and distance >= OTHER_SIZES:
            sentence = (
                f"median relative size {np.median(own.sizes):.2g} %, in train "
                f"{np.median(train.sizes):.2g} % (Kolmogorov-Smirnov, D {distance:.2f}, "
                f"p {_probability(p)})"
            )
            found.append(Suspicion(Kind.SIZE_SHIFT, own.name, sentence, len(own)))
    return found


def compare_shares(first: Counts, second: Counts) -> tuple[float, float]:
    """Class shares of two samples of images.

    Args:
        first, second: images×classes, objects.

    Returns:
        Probability of the difference by chance, and the share of objects that would have to
        change class; (1, 0) with fewer than two classes.
    """
    totals = np.stack([first.sum(axis=0), second.sum(axis=0)])
    if totals.shape[1] < 2:
        return 1.0, 0.0
    statistic = chi2_contingency(totals, correction=False).statistic
    shares = totals / totals.sum(axis=1, keepdims=True)
    p = chi2.sf(statistic / _share_design_effect([first, second]), totals.shape[1] - 1)
    return float(p), float(np.abs(shares[0] - shares[1]).sum() / 2)


def compare_sizes(first: Objects, second: Objects) -> tuple[float, float]:
    """Probability of the difference in relative sizes by chance, and D."""
    distance = ks_2samp(first.sizes, second.sizes).statistic
    pairs = len(first) * len(second) / (len(first) + len(second))
    effect = max(1.0, *(_size_design_effect(own) for own in (first, second)))
    return float(kstwobign.sf(distance * np.sqrt(pairs / effect))), float(distance)


def _others(splits: Mapping[str, Objects]) -> list[Objects]:
    """The splits to hold against train: those with objects, if train has some."""
    if not len(splits["train"]):
        return []
    return [own for name, own in splits.items() if name != "train" and len(own)]


def _common_classes(first: Counts, second: Counts) -> tuple[Counts, Counts]:
    """The counts with all rare classes in one last column, and without empty columns."""
    totals = np.stack([first.sum(axis=0), second.sum(axis=0)])
    expected = totals.sum(axis=1, keepdims=True) * totals.sum(axis=0) / totals.sum()
    common = expected.min(axis=0) >= LEAST_EXPECTED
    pooled = [np.column_stack([c[:, common], c[:, ~common].sum(axis=1)]) for c in (first, second)]
    used = sum(c.sum(axis=0) for c in pooled) > 0
    return pooled[0][:, used], pooled[1][:, used]


def _share_design_effect(tables: Sequence[Counts]) -> float:
    """Mean over classes, 1 at least: variance of a share between images over the binomial one."""
    between, independent = 0.0, 0.0
    for counts in tables:
        shares = counts.sum(axis=0) / counts.sum()
        residuals = counts - shares * counts.sum(axis=1, keepdims=True)
        between = between + (residuals**2).sum(axis=0)
        independent = independent + counts.sum() * shares * (1 - shares)
    effects = np.divide(between, independent, out=np.ones_like(between), where=independent > 0)
    shares = np.concatenate(tables).sum(axis=0) / np.concatenate(tables).sum()
    return max(1.0, float(np.average(effects, weights=1 - shares)))


def _size_design_effect(objects: Objects) -> float:
    """Variance of the mean logarithmic size between images over that of independent objects."""
    logarithms = np.log(objects.sizes)
    residuals = logarithms - logarithms.mean()
    independent = float((residuals**2).sum())
    if independent == 0:
        return 1.0
    return float((np.bincount(objects.image, residuals) ** 2).sum() / independent)


def _largest_moves(train: Objects, own: Objects) -> str:
    """`ripe 12 % (train 40 %)` for the classes whose share differs most."""
    here, there = (o.class_counts / len(o) for o in (own, train))
    most = np.argsort(-np.abs(here - there), kind="stable")[:MOST_MOVED]
    names = own.class_names
    return listed([f"{names[k]} {percent(here[k])} (train {percent(there[k])})" for k in most])


def _probability(p: float) -> str:
    return "below 1e-6" if p < 1e-6 else f"{p:.1g}"
