"""What `run.json` holds: what was trained, on what, by what, and what it cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError

Part = TypeVar("Part")


@dataclass(frozen=True)
class Cost:
    """What a training took."""

    parameters: int
    flops_an_image: int
    training_seconds: float
    training_images: int
    images_a_second: float
    peak_memory_mib: float
    joules: float | None = None
    """Of the processor and the GPU, where they can be read."""


@dataclass(frozen=True)
class Machine:
    """What a run was trained on."""

    device: str
    """The processor's or the GPU's name."""
    device_type: str
    """`cpu` or `cuda`."""
    threads: int
    python: str
    packages: Mapping[str, str]
    """Versions of those that decide what comes out."""
    processes: int = 1
    allocator_tuned: bool = False


@dataclass(frozen=True)
class Code:
    """What code trained it."""

    commit: str | None
    changed: bool
    """Whether the code differed from the commit."""
    code_hash: str


@dataclass(frozen=True)
class Record:
    """One run, as `run.json` holds it."""

    name: str
    spec: RunSpec
    specification_hash: str
    data: Mapping[str, Any]
    """Manifest of the prepared data."""
    code: Code
    machine: Machine
    cost: Cost
    files_sha256: Mapping[str, str]
    """File of the folder to its checksum."""
    agreement: str | None = None
    """`bitwise` or `statistical`; the oldest runs do not say."""
    first_weights_sha256: str | None = None
    health: Mapping[str, Any] | None = None
    learned: Mapping[str, Any] | None = None
    """LapNet's anchors and the weights of its losses."""
    trainer: Mapping[str, Any] | None = None
    """What is known of another process that did the training."""
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """All of it, as it is written."""

    @classmethod
    def parse(cls, values: Any, where: str) -> Record:
        """Read a record.

        Args:
            values: what the file holds.
            where: the file, for the message.

        Raises:
            UserError: it is no record, or lacks something.
        """
        if not isinstance(values, dict):
            raise UserError(f"{where}: is no record of a run")
        own = {name: values[name] for name in _names(cls) & values.keys()}
        own["values"] = values
        if "specification" in values:
            own["spec"] = RunSpec.parse(values["specification"], where)
        for name, kind in (("code", Code), ("machine", Machine), ("cost", Cost)):
            own[name] = _part(kind, values.get(name), f"{where}: {name}")
        return _made(cls, own, where)

    @property
    def specification_changed(self) -> bool:
        """Whether the specification is another than the one that was trained."""
        return self.spec.hash != self.specification_hash

    @property
    def splits(self) -> Mapping[str, Any]:
        """Split to its numbers of images and boxes, and its checksums."""
        splits: Mapping[str, Any] = self.data["splits"]
        return splits

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in the order of their labels."""
        return tuple(self.splits["train"]["boxes_per_class"])


def _names(kind: type) -> set[str]:
    return {own.name for own in fields(kind)}


def _part(kind: type[Part], values: Any, where: str) -> Part:
    if not isinstance(values, dict):
        raise UserError(f"{where}: is missing")
    return _made(kind, {name: values[name] for name in _names(kind) & values.keys()}, where)


def _made(kind: type[Part], values: Mapping[str, Any], where: str) -> Part:
    needed = [
        own.name
        for own in fields(kind)  # type: ignore[arg-type]
        if own.default is MISSING and own.default_factory is MISSING
    ]
    if lacking := [name for name in needed if name not in values]:
        raise UserError(f"{where}: holds no {lacking[0]}")
    return kind(**values)
