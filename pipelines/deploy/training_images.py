"""Which images a model was trained on, by short hashes of what the network saw of them.

An exported file holds them, so that photographs of the training are recognised wherever they lie,
and neither a name nor a path of them leaves with the model.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pipelines.data.prepared import MANIFEST, load_prepared
from pipelines.data.preparing import prepared_folder
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import note

BYTES = 6
"""Of a hash: in one of five million sets of ten thousand images two share one by chance."""


def image_hashes(images: Iterable[NDArray[np.uint8]]) -> frozenset[str]:
    """Of S×S×3 images; one of a single colour, as empty tiles are, has none."""
    return frozenset(
        base64.b64encode(hashlib.sha256(image.tobytes()).digest()[:BYTES]).decode()
        for image in images
        if (image != image[0, 0]).any()
    )


def training_hashes(spec: RunSpec) -> frozenset[str]:
    """Of a run's training images; of none, which is said, where they are not prepared here."""
    folder = prepared_folder(spec.preparation)
    if (folder / MANIFEST).exists():
        return image_hashes(load_prepared(folder, "train").images)
    note(f"{spec.dataset} is not prepared here: val will not recognise the training's photographs")
    return frozenset()
