"""What a fetch gives, leaves behind and says."""

from collections.abc import Set
from pathlib import Path

import pytest

from pipelines.data.formats.coco import read_coco
from pipelines.data.formats.voc import read_voc
from pipelines.data.published.catalogue import PUBLISHED, first_there
from pipelines.data.published.fetch import fetch
from pipelines.system.errors import UserError
from tests.pipelines.data.published.archives import TEST, TRAIN

SMALL = {
    "tomatod": {"train": TRAIN, "test": TEST},
    "laboro-big": {"train": TRAIN, "test": TEST},
    "voc": {"train": (2, 2), "test": (1, 1)},
    "coco": {"train": TRAIN, "test": TEST},
}


def get(name: str, root: Path, **options) -> Path:
    return fetch(name, root, **{"report": lambda _: None, "progress": False, **options})


def left(root: Path) -> set[str]:
    """All that lies under the root but locks and empty folders."""
    files = (path for path in root.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(root)) for path in files}


def counts(name: str, folder: Path) -> dict[str, tuple[int, int]]:
    """Images and boxes of each split, as the loaders read them."""
    if name == "voc":
        splits = {split: read_voc(folder, split) for split in ("train", "test")}
    else:
        splits = {}
        for split, layout in PUBLISHED[name].layout.items():
            file = first_there(folder, layout.annotations) or folder
            images = first_there(folder, layout.images) or folder
            splits[split] = read_coco(file, images, report=lambda _: None)
    return {k: (len(split.images), len(split.annotations)) for k, split in splits.items()}


def fails(name: str, root: Path, message: str, *, stays: Set[str] = frozenset(), **options) -> str:
    """It fails in one line, without the folder, and with nothing of itself but what `stays`."""
    with pytest.raises(UserError, match=message) as error:
        get(name, root, **options)
    assert "\n" not in str(error.value)
    assert left(root) - {".downloads/downloads.json"} == stays
    assert not (root / PUBLISHED[name].folder).exists()
    return str(error.value)
