"""Small objects on large photographs: squeezed they are lost, in tiles they are found."""

import json
from dataclasses import replace

import pytest

from method.choices import HeadInit
from pipelines.data import preparing
from pipelines.deploy.predict.predict import PREDICTIONS, predict_files
from pipelines.evaluation.coco import score_records
from pipelines.evaluation.run import run
from pipelines.own_data.preparing import ensure_prepared
from pipelines.own_data.run_page.write import METRICS, write_run_page
from pipelines.own_data.validation import validate
from pipelines.runs.folder import RunFolder
from pipelines.runs.spec import Precision, RunSpec
from tests.pipelines.large_photographs import HEIGHT, OBJECTS, WIDTH, write_large

LITTLE = RunSpec(
    input_size=256,
    iterations=60,
    batch_size=8,
    width=0.5,
    learning_rate=3e-3,
    attach=(3, 5),
    anchors=(24.0, 32.0, 40.0, 52.0),
    head_init=HeadInit.SMALL,
    precision=Precision.FP32,
    threads=1,
)
"""A minute of training from nothing; anchors for 20 px at 256."""


@pytest.mark.slow
def test_in_tiles_small_objects_are_found_and_squeezed_they_are_not(tmp_path, monkeypatch):
    monkeypatch.setattr(preparing, "DATA", tmp_path / "data")
    write_large(tmp_path / "own")
    ap50 = {}
    for name, tiles in (("squeezed", None), ("tiles", 256)):
        spec = replace(LITTLE, dataset=str(tmp_path / "own"), tiles=tiles)
        ensure_prepared(spec.preparation)
        run(spec, tmp_path / name)
        figures = score_records(RunFolder(tmp_path / name).matches()).figures
        ap50[name] = figures["AP50"]
        print(f"{name}: AP {figures['AP']:.1f}, AP50 {figures['AP50']:.1f}")
    assert ap50["squeezed"] < 5
    assert ap50["tiles"] > 80
    scored = RunFolder(tmp_path / "tiles")
    assert set(scored.matches()["image"]) == {1}
    predicted = prediction(scored.path, tmp_path / "own" / "images" / "test-1.jpg", tmp_path)
    found, again = best(scored.detections()), best(predicted["annotations"])
    assert [(i["width"], i["height"]) for i in predicted["images"]] == [(WIDTH, HEIGHT)]
    assert len(found) == OBJECTS
    for one, other in zip(found, again, strict=True):
        assert one == pytest.approx(other, abs=0.05)
    validate(scored.path, str(tmp_path / "own"), out=tmp_path / "val")
    measured = json.loads((tmp_path / "val" / METRICS).read_text())
    assert measured["figures"]["AP50"] == pytest.approx(ap50["tiles"], abs=0.1)
    assert measured["notes"] == [
        "detected in tiles of 256 px that share 0.2, merged: whole photographs are scored"
    ]
    assert (
        "once a tile of 256 px is stretched to 256×256"
        in write_run_page(scored.path, "tiles").read_text()
    )


def prediction(run_folder, photograph, folder):
    """What `predict` writes of a photograph with a run's detector."""
    predict_files(run_folder, [photograph], folder / "found", 0.0, whole=False, pictures=False)
    return json.loads((folder / "found" / PREDICTIONS).read_text())


def best(detections):
    """Boxes of as many detections as there are objects, the best first."""
    ranked = sorted(detections, key=lambda one: -one["score"])
    return [one["bbox"] for one in ranked[:OBJECTS]]
