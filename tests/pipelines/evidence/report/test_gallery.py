"""Detections on test images: which are true, which are false, and which images are shown."""

import json
import shutil
from dataclasses import replace

import pytest

from pipelines.evidence.report.gallery import build_gallery, choose_images
from pipelines.system.errors import UserError


def test_the_gallery_says_what_is_found_and_what_is_false(gallery, data):
    objects = [
        sum(a.image_id == i.id for a in data[1].split.annotations) for i in data[1].split.images
    ]
    assert [shot.objects for shot in gallery.shots] == sorted(objects)
    truth, original, custom = zip(*(shot.layers for shot in gallery.shots), strict=True)
    assert [len(layer.marks) for layer in truth] == sorted(objects)
    # One true box an image; the wrong one scores higher, but without the true ones there is no F1.
    assert sum(mark.true for layer in original for mark in layer.marks) == 6
    assert sum(not mark.true for layer in original for mark in layer.marks) == 1
    assert original == custom
    assert f"1 of {max(objects)} objects found" in original[-1].summary
    assert (gallery.sources[0].title, gallery.sources[2].run) == ("ground truth", "sampler-dns-s0")
    # The best AP50 is the original's, the last in the ledger.
    assert gallery.first == 1


def test_the_gallery_s_images_range_from_few_objects_to_many(data):
    split = data[1].split
    counts = [
        sum(a.image_id == split.images[i].id for a in split.annotations)
        for i in choose_images(split, 3)
    ]
    every = sorted(sum(a.image_id == i.id for a in split.annotations) for i in split.images)
    assert (counts[0], counts[-1]) == (every[0], every[-1])
    assert counts == sorted(counts)


def test_a_run_that_was_scored_on_other_images_is_not_shown(study, data, tmp_path):
    folder = tmp_path / "runs" / "sampler-dns-s0"
    shutil.copytree(study.folder / "runs" / "sampler-dns-s0", folder)
    record = json.loads((folder / "run.json").read_text())
    record["data"]["splits"]["test"]["annotations_sha256"] = "another"
    (folder / "run.json").write_text(json.dumps(record))
    with pytest.raises(UserError, match="other test images"):
        build_gallery(replace(study, folder=tmp_path), {"dns": "sampler-dns-s0"}, *data)
