"""Frozen dataclasses from entries of a YAML file: every key is a field, and checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import yaml

from pipelines.system.errors import UserError

T = TypeVar("T")
NOUNS = {str: "text (in quotes)", bool: "true or false", int: "a whole number", float: "a number"}


def read_yaml(path: Path) -> Any:
    """What a YAML file holds.

    Raises:
        UserError: it is missing, or no YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise UserError(f"{path.name}: cannot be read: {error}") from None


def make(kind: type[T], entry: Any, where: str, **given: Any) -> T:
    """A dataclass whose fields are the keys of a mapping.

    Args:
        kind: the dataclass; a field without a default must be there.
        entry: what the file holds.
        where: file and place, for the message.
        given: fields that do not come from the entry.

    Raises:
        UserError: a key too many or too few, or a value of the wrong kind.
    """
    own: list[Field[Any]] = [f for f in fields(kind) if f.name not in given]  # type: ignore[arg-type]
    for key in mapping(entry, where):
        if key not in [f.name for f in own]:
            known = ", ".join(f.name for f in own)
            raise UserError(f"{where}: there is no {key!r}; there are {known}")
    lacking = [f.name for f in own if f.name not in entry and _is_needed(f)]
    if lacking:
        raise UserError(f"{where} lacks {', '.join(lacking)}")
    hints = get_type_hints(kind)
    return kind(**given, **{k: _convert(v, hints[k], f"{where}: {k}") for k, v in entry.items()})


def mapping(value: Any, where: str) -> Mapping[str, Any]:
    """The value, if it is a mapping whose keys are text.

    Raises:
        UserError: it is not.
    """
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return value
    raise UserError(f"{where} must be a mapping of names to values, not {str(value)[:60]!r}")


def _is_needed(field: Field[Any]) -> bool:
    return field.default is MISSING and field.default_factory is MISSING


def _convert(value: Any, kind: Any, where: str) -> Any:
    options = get_args(kind)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise UserError(f"{where} must be a list, not {value!r}")
        return tuple(_convert(item, options[0], where) for item in value)
    if get_origin(kind) is not None and issubclass(get_origin(kind), Mapping):
        if not isinstance(value, dict):
            raise UserError(f"{where} must be a mapping, not {str(value)[:60]!r}")
        return {
            _convert(key, options[0], where): _convert(item, options[1], f"{where}: {key}")
            for key, item in value.items()
        }
    if type(None) in options:
        return _convert(value, options[0], where)
    if kind is Any:
        return value
    if issubclass(kind, StrEnum):
        if value not in list(kind):
            raise UserError(f"{where} must be one of {', '.join(kind)}, not {value!r}")
        return kind(value)
    if type(value) is not kind and not (kind is float and type(value) is int):
        raise UserError(f"{where} must be {NOUNS[kind]}, not {value!r}")
    return value
