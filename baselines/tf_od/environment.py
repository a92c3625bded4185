"""Where TensorFlow's environment lies; imports neither torch nor TensorFlow."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(sys.prefix).parent / ".venv-tf/bin/python"
"""Of TensorFlow's environment, beside this one."""


def missing() -> str | None:
    """Why TensorFlow's detector cannot be had here; None where it can."""
    if PYTHON.exists():
        return None
    return (
        f"TensorFlow's environment {PYTHON.parent.parent} is missing: make it with "
        "`make setup-tf` (Python 3.11, 3 GB; `make repro` tries so by itself)"
    )
