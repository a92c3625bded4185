"""The registry says all of a detector: one that is added is trained, timed and listed."""

import json
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from method.detection import Detections
from method.detector import StepLosses, Tensors, TrainableDetector
from pipelines.deploy.export.export import Options, export_run
from pipelines.deploy.export.graph import Form
from pipelines.detectors.build import build_detector
from pipelines.evaluation.run import run
from pipelines.evaluation.speed import choose_contenders, measure
from pipelines.evidence.ledger import ledger_row
from pipelines.evidence.papers import read_papers
from pipelines.evidence.study import Study
from pipelines.evidence.tables import write_tables
from pipelines.runs.registry import ENTRIES, DetectorName, Entry, Family, Trainer, registered
from pipelines.runs.spec import Precision, RunSpec
from pipelines.system.errors import UserError
from pipelines.system.paths import REPOSITORY

CELL, SIDE = 8, 20
"""Of a cell and of every box, pixels."""
NAME = "cells"
NO_FILE = "no ONNX file is made of cells"
CELLS = Entry(
    name=NAME,
    summary="the mean colour of each cell, and where objects stand most",
    builder=f"{__name__}:build",
    settings=frozenset({"optimiser"}),
    precisions=(Precision.FP32,),
    not_exported=NO_FILE,
)


PAPER = """
name: cells
short: Cells
title: A paper about cells
year: 2026
detectors: [cells]
conditions:
  - {number: C1, name: input size, paper: at least 512, here: ["{input_size}"],
     alike: {input_size: {at least: 512}}, detectors: [cells]}
tables:
  scores:
    {title: Table 1, file: scores, caption: Scores, factor: detector, reference: cells,
     rows: {Cells: {row: cells}}}
  times:
    {title: Table 2, file: times, caption: Times, builder: speed, reference: ssd-mobilenet-v2,
     frames: {ssd-mobilenet-v2: 100}}
"""


@dataclass(frozen=True)
class Filled(Tensors):
    """Of one image, which cells hold the centre of an object of which class: C×H×W, 0 or 1."""

    classes: torch.Tensor


class Cells(TrainableDetector[Filled]):
    """Boxes of one size, in the cells that have an object's colour or often hold one."""

    def __init__(self, classes: int, size: int) -> None:
        super().__init__()
        self.side = size // CELL
        self.look = nn.Conv2d(3, classes, 1)
        self.place = nn.Parameter(torch.zeros(classes, self.side, self.side))

    def forward(self, images):
        return self.look(F.avg_pool2d(images / 255 - 0.5, CELL)) + self.place

    def match(self, boxes, labels):
        filled = torch.zeros_like(self.place)
        column, row = ((boxes[:, :2] + boxes[:, 2:]) / 2 / CELL).long().T
        filled[labels - 1, row, column] = 1
        return Filled(filled)

    def losses(self, images, matches):
        filled = torch.stack([match.classes for match in matches])
        loss = F.binary_cross_entropy_with_logits(self(images), filled)
        return StepLosses({"classification": loss})

    @torch.no_grad()
    def detect(self, images):
        return [self._best(scores) for scores in self(images).float().sigmoid()]

    def _best(self, scores):
        best, places = scores.flatten().topk(10)
        label, cell = places // self.side**2, places % self.side**2
        centre = (torch.stack([cell % self.side, cell // self.side], dim=1) + 0.5) * CELL
        boxes = torch.cat([centre - SIDE / 2, centre + SIDE / 2], dim=1)
        return Detections(boxes.clamp(0, self.side * CELL), best, label + 1)


def build(spec, classes, calibration):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(spec.seed)
        return Cells(classes, spec.input_size)


@pytest.fixture
def cells():
    with registered(CELLS) as entry:
        yield entry


@pytest.fixture
def trained(cells, small_data, tmp_path):
    """A study of one run of it, with its data, its run folder and its ledger."""
    spec = RunSpec(
        dataset=small_data,
        input_size=64,
        detector=NAME,
        iterations=40,
        batch_size=4,
        learning_rate=0.05,
        precision=Precision.FP32,
        threads=1,
    )
    folder = tmp_path / "runs" / "cells-s0"
    run(spec, folder)
    ledger = pd.DataFrame([ledger_row(folder)])
    return Study("quick", {"profile": "quick"}, {"cells-s0": spec}, ledger, tmp_path)


def test_a_detector_that_a_test_registers_is_trained_and_scored(trained):
    record = json.loads((trained.folder / "runs/cells-s0/run.json").read_text())
    assert record["specification"]["detector"] == NAME
    assert record["agreement"] == "bitwise"
    history = pd.read_csv(trained.folder / "runs/cells-s0/history.csv")
    assert history["loss"].iloc[-1] < history["loss"].iloc[0]
    (row,) = trained.ledger.to_dict("records")
    assert (row["detector"], row["optimiser"]) == (NAME, "adamw")
    assert row["AP50"] > 90, "every object stands in one place"


def test_it_is_timed_as_it_is_trained_and_stands_in_every_table(trained, tmp_path):
    settings = replace(trained.specs["cells-s0"], detector=RunSpec.detector, width=0.25)
    contenders = choose_contenders(settings, trained.specs, trained.folder / "runs")
    _, speed = measure(contenders, settings, rounds=1)
    own = speed[speed["detector"] == NAME]
    assert set(own["precision"]) == {Precision.FP32}
    assert set(own["postprocessing"]) == {True, False}
    assert set(own["weights"]) == {"cells-s0"}
    assert (own["parameters"] == 3 + 1 + (64 / CELL) ** 2).all()
    speed.to_csv(trained.folder / "speed.csv", index=False)
    papers, tables = tmp_path / "papers", tmp_path / "tables"
    for folder in (papers, tables):
        folder.mkdir()
    (papers / "cells.yaml").write_text(PAPER)
    write_tables(tables, read_papers(papers), trained)
    scores, times, costs = (pd.read_csv(tables / f"{n}.csv") for n in ("scores", "times", "costs"))
    assert scores["detector"].tolist() == ["Cells"]
    assert scores["differs from the paper in"].tolist() == ["C1 input size"]
    assert scores["AP"].iloc[0] == pytest.approx(trained.ledger["AP"].iloc[0], abs=0.06)
    assert times["detector"].tolist().count(NAME) == len(own)
    assert costs["row"].tolist() == ["cells", "together"]


def test_its_export_says_why_there_is_none(trained, tmp_path):
    target = tmp_path / "cells.onnx"
    options = Options(target, Form(), images=1, int8=None, calibration=1, time=False)
    with pytest.raises(UserError, match=NO_FILE):
        export_run(trained.folder / "runs/cells-s0", options)
    assert not target.exists()


def test_it_refuses_what_its_entry_does_not_name(cells):
    blank = torch.zeros((1, 3, 64, 64), dtype=torch.uint8)
    spec = RunSpec(input_size=64, detector=NAME, precision=Precision.FP32)
    with pytest.raises(UserError, match="run with cells: width belongs to the detectors of this"):
        build_detector(replace(spec, width=0.5), 1, blank)
    with pytest.raises(UserError, match="run with cells: it trains with precision fp32 alone"):
        build_detector(replace(spec, precision=Precision.BF16), 1, blank)
    heeding = replace(CELLS, name="cells-by-width", settings=frozenset({"width"}))
    with registered(heeding):
        own = replace(spec, detector=heeding.name, width=0.5)
        assert isinstance(build_detector(own, 1, blank), Cells)


def test_a_detector_is_known_for_as_long_as_it_is_registered():
    with registered(CELLS):
        assert RunSpec.parse({"detector": NAME}, "here").entry == CELLS
        with (
            pytest.raises(ValueError, match="there is a detector cells already"),
            registered(CELLS),
        ):
            pass
        assert NAME in ENTRIES
    with pytest.raises(UserError, match=r"here: detector must be one of .*, not 'cells'"):
        RunSpec.parse({"detector": NAME}, "here")
    with pytest.raises(ValueError, match="detector must be one of"):
        RunSpec(detector=NAME)


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_an_entry_is_whole(entry):
    own = {field.name for field in fields(RunSpec) if field.metadata["of"]}
    assert entry.settings <= own
    assert ("optimiser" in entry.settings) == (entry.optimiser is None)
    assert (entry.optimiser is None) == (entry.trainer is Trainer.OWN)
    assert (entry.not_exported is None) == (entry.family is not Family.RIVAL)
    module = entry.builder.partition(":")[0].replace(".", "/")
    assert Path(REPOSITORY, f"{module}.py").exists()


def test_every_name_has_its_entry():
    assert {*DetectorName} <= ENTRIES.keys()


@pytest.mark.parametrize(
    ("detector", "devices", "expected"),
    [
        (DetectorName.LAPNET, ("cpu", "cpu"), "bitwise"),
        (DetectorName.LAPNET, ("cpu", "cuda"), "statistical"),
        (DetectorName.LAPNET, ("cuda",), "statistical"),
        (DetectorName.SSD_MOBILENET_V2_TF, ("cpu",), "statistical"),
    ],
)
def test_on_a_cpu_trainings_agree_to_the_bit(detector, devices, expected):
    assert ENTRIES[detector].agreement(*devices) == expected
