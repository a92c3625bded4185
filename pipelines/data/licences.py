"""Under what terms a data set stands, and so what is trained on it."""

from __future__ import annotations

from pipelines.data.published.catalogue import PUBLISHED

DRAWN = "drawn by this project, Apache License 2.0"
_GIVEN = {
    "scenes": DRAWN,
    "aerial": DRAWN,
    "laboro": "CC BY-NC-SA 4.0: not for commercial use",
    "laboro-mosaics": "CC BY-NC-SA 4.0: not for commercial use",
    "laboro-mosaics-unstretched": "CC BY-NC-SA 4.0: not for commercial use",
    "nwpu": "for research",
    "coco-mini": "annotations CC BY 4.0; photographs are Flickr's, under Flickr's terms of use",
}


def licence_of(dataset: str) -> str:
    """In words; a folder of one's own has whatever terms its owner knows of."""
    if dataset in PUBLISHED:
        return PUBLISHED[dataset].licence
    return _GIVEN.get(dataset, "known to whoever gathered the photographs; say it here")
