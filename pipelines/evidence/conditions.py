"""Conditions of a paper's experiments, and in what a run departs from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from string import Formatter
from typing import Any

from pipelines.evidence.entries import make, mapping
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError

ENCODER = "an ImageNet encoder"
"""First weights from a file of folded ImageNet weights."""
PUBLISHED = {
    "none": "random",
    "torchvision": "torchvision's published",
    "zoo": "the model zoo's published",
}
OTHER = "of another training here"
IMAGES, WEIGHTS = "images_seen", "first_weights"
"""What a condition can name besides the fields of a specification."""


class Relation(StrEnum):
    """How a run's value stands to the paper's where they are alike."""

    ONE_OF = "one of"
    AT_LEAST = "at least"
    EXACTLY = "exactly"
    """The same values in any order."""


@dataclass(frozen=True)
class Rule:
    """What one quantity of a run must be."""

    quantity: str
    relation: Relation
    values: tuple[Any, ...]

    def holds(self, spec: RunSpec) -> bool:
        """Whether it is so."""
        own = quantity(spec, self.quantity)
        if self.relation is Relation.AT_LEAST:
            return bool(own >= self.values[0])
        if self.relation is Relation.EXACTLY:
            return set(own) == set(self.values)
        return own in self.values


@dataclass(frozen=True)
class Condition:
    """One condition of a paper's experiments."""

    number: str
    name: str
    paper: str
    """What the paper does."""
    here: tuple[str, ...]
    """What a run does: formats of its quantities; one whose quantity is not set is left out."""
    alike: tuple[Rule, ...]
    """All hold where a run shares the condition."""
    detectors: tuple[str, ...] = ()
    """Whose runs it concerns; none for all."""

    @property
    def label(self) -> str:
        return f"{self.number} {self.name}"

    def is_shared(self, spec: RunSpec) -> bool:
        """Whether a run does as the paper, or is of a detector that this does not concern."""
        concerned = not self.detectors or spec.detector in self.detectors
        return not concerned or all(rule.holds(spec) for rule in self.alike)

    def describe(self, spec: RunSpec) -> str:
        """What a run does, in words."""
        parts = []
        for text in self.here:
            values = {name: quantity(spec, name) for name in _names(text)}
            if None not in values.values():
                parts.append(text.format(**{k: _in_words(v) for k, v in values.items()}))
        return ", ".join(parts)


def quantity(spec: RunSpec, name: str) -> Any:
    """A field of a specification, the images that it sees, or its first weights in words."""
    return _first_weights(spec) if name == WEIGHTS else getattr(spec, name)


def read_conditions(entries: Sequence[Any], detector: str, where: str) -> tuple[Condition, ...]:
    """The section `conditions` of a paper's file.

    Args:
        entries: what stands there.
        detector: of the paper, for which the values must be right.
        where: file and section, for the message.

    Raises:
        UserError: a condition lacks something, or names what no specification has.
    """
    return tuple(_read_condition(entry, detector, where) for entry in entries)


def _read_condition(entry: Any, detector: str, where: str) -> Condition:
    entry = mapping(entry, where)
    place = f"{where}: {entry.get('number', entry)}"
    rules = mapping(entry.get("alike", {}), f"{place}: alike")
    alike = tuple(_read_rule(name, value, detector, place) for name, value in rules.items())
    rest = {key: value for key, value in entry.items() if key != "alike"}
    condition = make(Condition, rest, place, alike=alike)
    try:
        condition.describe(RunSpec())
    except (AttributeError, ValueError, IndexError, KeyError) as error:
        raise UserError(f"{place}: here: {error}; name fields of a specification") from None
    return condition


def _read_rule(name: str, value: Any, detector: str, where: str) -> Rule:
    """`{dataset: voc}`, or with a relation `{dataset: {one of: [voc, coco]}}`."""
    if not isinstance(value, dict):
        return Rule(name, Relation.ONE_OF, (_parse(name, value, detector, where),))
    relation, values = next(iter(value.items()), ("", None))
    if len(value) != 1 or relation not in list(Relation):
        raise UserError(f"{where}: {name}: needs one of {', '.join(Relation)}, not {value}")
    if relation == Relation.EXACTLY:
        return Rule(name, Relation.EXACTLY, _parse(name, values, detector, where))
    listed = values if isinstance(values, list) else [values]
    return Rule(
        name, Relation(relation), tuple(_parse(name, one, detector, where) for one in listed)
    )


def _parse(name: str, value: Any, detector: str, where: str) -> Any:
    """A value of the type that the quantity has."""
    if name == IMAGES:
        if type(value) is not int:
            raise UserError(f"{where}: {name} must be a whole number, not {value!r}")
        return value
    if name == WEIGHTS:
        words = (*PUBLISHED.values(), ENCODER, OTHER)
        if value not in words:
            raise UserError(f"{where}: {name} must be one of {', '.join(words)}, not {value!r}")
        return value
    return getattr(RunSpec.parse({"detector": detector, name: value}, where), name)


def _names(text: str) -> list[str]:
    """Of the quantities in a format."""
    known = {IMAGES, WEIGHTS, *(field.name for field in fields(RunSpec))}
    names = [name for _, name, _, _ in Formatter().parse(text) if name is not None]
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"there is no {unknown[0]!r}")
    return names


def _in_words(value: Any) -> Any:
    return (", ".join(value) or "none") if isinstance(value, tuple) else value


def _first_weights(spec: RunSpec) -> str:
    return ENCODER if spec.init.endswith(".npz") else PUBLISHED.get(spec.init, OTHER)
