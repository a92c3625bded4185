"""What the rivals' libraries say of themselves, and a user can do nothing about."""

from __future__ import annotations

import logging
import warnings
from functools import partial

WARNED = (
    "pkg_resources is deprecated as an API",  # by Detectron2's model zoo
    "torch.meshgrid: in an upcoming release",  # by Detectron2's anchors
)
"""How the messages of warnings begin."""
LOGGED = {
    "fvcore.common.config": "Loading config ",  # the zoo's own files have tags of Python's
    "torch.fx._symbolic_trace": "is_fx_tracing will return true",  # by Detectron2's layers
}
"""Logger to how its message begins."""


def silence() -> None:
    """Let these messages, and no others, go unsaid."""
    for beginning in WARNED:
        warnings.filterwarnings("ignore", beginning, UserWarning)
    for name, beginning in LOGGED.items():
        logging.getLogger(name).addFilter(partial(_is_another, beginning))


def _is_another(beginning: str, record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith(beginning)
