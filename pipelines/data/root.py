"""Where the named data sets lie."""

import os
from pathlib import Path

from pipelines.system.paths import REPOSITORY, declaring_repository

ROOT_VARIABLE = "DETECTION_DATA"
DEFAULT_ROOT = declaring_repository(REPOSITORY).parent / "shared" / "data"
"""Beside the repository."""

FOLDERS = {
    "laboro-mosaics": "laboro_tomato",
    "laboro-mosaics-unstretched": "laboro_tomato",
    "laboro": "laboro_tomato",
    "nwpu": "nwpu_vhr10",
    "coco-mini": "coco_mini",
}
"""Where under the data root the photographs of a name lie."""
MOSAICS = {"laboro-mosaics": 1.0, "laboro-mosaics-unstretched": 3 / 4}
"""Names whose photographs stand four to an image, to their width over height there. Laboro's were
taken at 3:4 and lie there stretched to squares."""


def data_root(root: str | None = None) -> Path:
    """The folder of the named data sets: as given, else by the variable, else the default."""
    return Path(root or os.environ.get(ROOT_VARIABLE) or DEFAULT_ROOT).expanduser()
