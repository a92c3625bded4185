"""Real photographs, where they are at hand, against their published counts."""

import numpy as np
import pytest

from pipelines.data.mosaic import MosaicSource
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.root import MOSAICS, data_root
from tests.pipelines.data.opened import file_names, ignore, sizes

LABORO = data_root() / "laboro_tomato"
NWPU = data_root() / "nwpu_vhr10"
COCO_MINI = data_root() / "coco_mini"
needs_coco_mini = pytest.mark.skipif(not COCO_MINI.is_dir(), reason=f"no {COCO_MINI}")
needs_nwpu = pytest.mark.skipif(not NWPU.is_dir(), reason=f"no {NWPU}")
needs_laboro = pytest.mark.skipif(not LABORO.is_dir(), reason=f"no {LABORO}")


@needs_laboro
def test_laboro_singles():
    whole = open_dataset(
        DatasetSpec("laboro", root=str(LABORO.parent), validation_fraction=0), report=ignore
    )
    assert sizes(whole) == {"train": 354, "test": 88}
    assert [len(source.split.annotations) for source in whole.values()] == [2357, 553]
    parts = open_dataset(DatasetSpec("laboro", root=str(LABORO.parent)), report=ignore)
    assert sizes(parts) == {"train": 301, "val": 53, "test": 88}
    assert not file_names(parts["train"]) & file_names(parts["val"])
    assert file_names(parts["train"]) | file_names(parts["val"]) == file_names(whole["train"])


@needs_laboro
def test_laboro_mosaics_without_val():
    reports: list[str] = []
    spec = DatasetSpec("laboro-mosaics", root=str(LABORO.parent), validation_fraction=0)
    sources = open_dataset(spec, report=reports.append)
    assert sizes(sources) == {"train": 88, "test": 22}
    singles = open_dataset(
        DatasetSpec("laboro", root=str(LABORO.parent), validation_fraction=0), report=ignore
    )
    for name, made in sources.items():
        assert isinstance(made, MosaicSource)
        single = singles[name].split.annotations_by_image()
        for group, found in zip(made.groups, made.split.annotations_by_image(), strict=True):
            members = [annotation for member in group for annotation in single[member]]
            assert [a.bbox[2:] for a in found] == [
                pytest.approx((a.bbox[2] * 256 / 640, a.bbox[3] * 256 / 640)) for a in members
            ]
            assert all(min(a.bbox) >= 0 for a in found)
            assert all(a.bbox[0] + a.bbox[2] <= 512 + 1e-9 for a in found)
            assert all(a.bbox[1] + a.bbox[3] <= 512 + 1e-9 for a in found)
    assert len(sources["test"].split.annotations) == 553
    assert any("train: 88 mosaics of 352 images; dropped the 2 left over" in r for r in reports)


@needs_laboro
def test_tomatoes_are_round_only_as_they_were_taken():
    ratios = {}
    for name in MOSAICS:
        mosaics = open_dataset(DatasetSpec(name, root=str(LABORO.parent)), report=ignore)["train"]
        ratios[name] = np.median([a.bbox[2] / a.bbox[3] for a in mosaics.split.annotations])
    assert ratios["laboro-mosaics"] > 1.25
    assert ratios["laboro-mosaics-unstretched"] == pytest.approx(1, abs=0.05)


@needs_laboro
def test_laboro_mosaics_show_their_images_at_half_of_512():
    source = open_dataset(DatasetSpec("laboro-mosaics", root=str(LABORO.parent)), report=ignore)[
        "val"
    ]
    assert len(source.split.images) == 13
    assert isinstance(source, MosaicSource)
    image = source.image(0)
    assert image.shape == (512, 512, 3)
    last = source.source.image(source.groups[0][3]).astype(float)
    blocks = last.reshape(128, 5, 128, 5, 3).mean((1, 3))
    tile = image[256:, 256:].astype(float).reshape(128, 2, 128, 2, 3).mean((1, 3))
    assert np.abs(tile - blocks).mean() < 2


@needs_nwpu
def test_nwpu_has_its_published_classes_and_no_faults():
    reports: list[str] = []
    whole = open_dataset(
        DatasetSpec("nwpu", root=str(NWPU.parent), validation_fraction=0), report=reports.append
    )
    assert sizes(whole) == {"train": 520, "test": 130}
    assert [len(source.split.annotations) for source in whole.values()] == [3108, 813]
    assert len(whole["train"].split.categories) == 10
    assert not reports
    parts = open_dataset(DatasetSpec("nwpu", root=str(NWPU.parent)), report=ignore)
    assert sizes(parts) == {"train": 442, "val": 78, "test": 130}


@needs_coco_mini
def test_coco_mini_has_its_published_counts_in_cocos_eighty_classes():
    reports: list[str] = []
    spec = DatasetSpec("coco-mini", root=str(COCO_MINI.parent), validation_fraction=0)
    sources = open_dataset(spec, report=reports.append)
    assert sizes(sources) == {"train": 128, "test": 128}
    assert [len(source.split.annotations) for source in sources.values()] == [929, 898]
    categories = sources["train"].split.categories
    assert len(categories) == 80
    assert (categories[0].name, categories[-1].id) == ("person", 90)
    assert all("clipped" in report for report in reports[:-1])
    assert reports[-1].endswith("has no test split, so results are measured on its val")
