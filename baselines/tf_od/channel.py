"""Messages between this project's process and TensorFlow's: a line of JSON, then arrays.

Imports neither torch nor TensorFlow, so that both sides can.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]


def send(stream: IO[bytes], header: Mapping[str, Any], arrays: Arrays | None = None) -> None:
    """Write one message and flush it."""
    contiguous = {name: np.ascontiguousarray(value) for name, value in (arrays or {}).items()}
    forms = {name: [value.dtype.str, value.shape] for name, value in contiguous.items()}
    stream.write(json.dumps({"header": dict(header), "arrays": forms}).encode() + b"\n")
    for value in contiguous.values():
        stream.write(value.data if value.size else b"")
    stream.flush()


def receive(stream: IO[bytes]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read one message: its header and its arrays.

    Raises:
        EOFError: the other side has gone.
    """
    line = stream.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    message = json.loads(line)
    arrays = {}
    for name, (kind, shape) in message["arrays"].items():
        value = np.empty(shape, np.dtype(kind))
        if value.size:
            _fill(stream, value.reshape(-1).view(np.uint8).data)
        arrays[name] = value
    return message["header"], arrays


def _fill(stream: IO[bytes], buffer: memoryview) -> None:
    done = 0
    while done < len(buffer):
        read = stream.readinto(buffer[done:])  # type: ignore[attr-defined]
        if not read:
            raise EOFError
        done += read
