"""Timing: what is measured, in which order, and what is made of the figures."""

import io
import json
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from baselines.tf_od import environment
from method.ssd import SSD
from pipelines import speed as command
from pipelines.detectors.build import build_detector
from pipelines.evaluation import speed
from pipelines.evaluation.speed import (
    CANDIDATES,
    WARM_UP,
    Contender,
    at_hand,
    choose_contenders,
    measure,
    time_in_turn,
)
from pipelines.evaluation.timing import Work, read_rounds, summarise
from pipelines.runs.registry import ENTRIES
from pipelines.runs.spec import DetectorName, Precision, RunSpec
from pipelines.system.errors import UserError

CPU = torch.device("cpu")
CUSTOM, ORIGINAL = DetectorName.SCALE_AWARE_SSD, DetectorName.SSD_MOBILENET_V2
TENSORFLOW = DetectorName.SSD_MOBILENET_V2_TF
TINY = RunSpec(input_size=64, width=0.25)


def trained_run(folder, spec):
    """A run folder as far as speed looks at it."""
    folder.mkdir(parents=True)
    record = {"specification_hash": spec.hash}
    (folder / "run.json").write_text(json.dumps(record))
    detector = build_detector(spec, 3, torch.zeros(1, 3, 64, 64, dtype=torch.uint8))
    save_file(detector.state_dict(), folder / "model.safetensors")


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def test_each_round_times_everything_once_on_one_image_in_changing_order():
    calls = []
    names = "abcdef"
    works = {name: lambda batch, name=name: calls.append((name, int(batch))) for name in names}
    timings = time_in_turn(works, [torch.tensor(0), torch.tensor(1)], 10, CPU)
    rounds = [calls[i : i + 6] for i in range(0, len(calls), 6)]
    assert len(rounds) == WARM_UP + 10 == 12
    assert all(sorted(name for name, _ in one) == list(names) for one in rounds)
    assert [{image for _, image in one} for one in rounds] == [{i % 2} for i in range(12)]
    assert len({tuple(name for name, _ in one) for one in rounds}) > 5
    assert {name: len(taken) for name, taken in timings.items()} == dict.fromkeys(names, 10)


@pytest.mark.parametrize(
    ("capabilities", "precisions"),
    [
        ({"avx512_bf16": True}, {Precision.FP32, Precision.BF16}),
        ({"avx512_bf16": False, "avx2": True}, {Precision.FP32}),
        ({"bf16": True, "neon": True}, {Precision.FP32, Precision.BF16}),
    ],
)
def test_a_processor_is_timed_in_the_precisions_that_it_has(capabilities, precisions, monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: capabilities)
    works = (Work(CUSTOM, precision, postprocessing=True) for precision in Precision)
    assert {work.precision for work in works if speed._is_timed(work, TINY, CPU)} == precisions


def test_the_table_is_complete_on_a_tiny_configuration(monkeypatch):
    monkeypatch.setattr("torch.cpu.get_capabilities", lambda: {"avx512_bf16": True})
    rivals = (DetectorName.SSDLITE, DetectorName.FASTER_RCNN_R50)
    specs = {f"{name}-s0": RunSpec(input_size=64, detector=name) for name in rivals}
    contenders = choose_contenders(TINY, specs, Path())
    timings, table = measure(contenders, TINY, rounds=2)
    assert {len(taken) for taken in timings.values()} == {2}
    table = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    assert not table.isna().any(axis=None)
    combinations = table[["detector", "precision", "postprocessing"]].itertuples(index=False)
    assert {tuple(row) for row in combinations} == {
        (d, p, post)
        for d in (CUSTOM, ORIGINAL, *rivals)
        for p in (Precision.BF16, Precision.FP32)  # of the three that a CPU tells apart
        for post in (True, False)
        if post or d is not DetectorName.FASTER_RCNN_R50
    }
    assert len(table) == 3 * 4 + 2
    assert (table["rounds"] == 2).all()
    assert (table["input_size"] == 64).all()
    assert (table["threads"] == 1).all()
    assert (table["median_ms"] <= table["p95_ms"]).all()
    assert (table["frames_a_second"] * table["median_ms"]).tolist() == pytest.approx(
        [1000] * len(table)
    )
    assert (table.loc[table["detector"] == ORIGINAL, "ratio_to_original"] == 1).all()
    # The custom SSD ends at block 8: fewer parameters and operations.
    cost = table.groupby("detector")[["parameters", "flops_an_image"]].first()
    assert (cost.loc[CUSTOM] < cost.loc[ORIGINAL]).all()


@pytest.mark.parametrize("name", [CUSTOM, ORIGINAL])
def test_an_untrained_detector_has_the_candidates_of_a_trained_one(name):
    spec = RunSpec(detector=name, input_size=128, width=0.25)
    pixels, classes = speed._test_images(spec)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    detector = speed._ready(Contender(spec), classes, images)
    assert isinstance(detector, SSD)
    with torch.inference_mode():
        scores = detector(images)[0].softmax(-1)[..., 1:]
    floor = detector.config.selection.score_floor
    assert (scores > floor).float().mean() == pytest.approx(CANDIDATES, rel=0.15)


def test_trained_weights_serve_where_runs_differ_in_the_detector_alone(tmp_path):
    specs = {
        "alone-s0": RunSpec(input_size=64, width=0.25, class_weights=(1.0, 2.0, 3.0)),
        "custom-s0": TINY,
        "original-s0": RunSpec(input_size=64, width=0.25, detector=ORIGINAL),
    }
    trained_run(tmp_path / "alone-s0", specs["alone-s0"])
    trained_run(tmp_path / "custom-s0", specs["custom-s0"])
    unpaired = choose_contenders(TINY, specs, tmp_path)
    assert all(c.run is None for c in unpaired.values())
    trained_run(tmp_path / "original-s0", specs["original-s0"])
    paired = choose_contenders(TINY, specs, tmp_path)
    assert (paired[CUSTOM].weights, paired[ORIGINAL].weights) == ("custom-s0", "original-s0")
    assert paired.keys() == {CUSTOM, ORIGINAL}
    larger = RunSpec(input_size=128, width=0.25)
    assert all(c.run is None for c in choose_contenders(larger, specs, tmp_path).values())


def test_a_rival_is_timed_trained_where_it_is_trained(tmp_path):
    rival = RunSpec(input_size=64, detector=DetectorName.SSDLITE)
    untrained = choose_contenders(TINY, {"rival-s0": rival}, tmp_path)
    assert untrained[DetectorName.SSDLITE].weights == "untrained"
    trained_run(tmp_path / "rival-s0", rival)
    specs = {"rival-s0": rival}
    chosen = choose_contenders(TINY, specs, tmp_path)
    assert chosen[DetectorName.SSDLITE].weights == "rival-s0"
    assert chosen[CUSTOM].weights.startswith("untrained, 5.5% candidates")


def test_a_detector_that_is_not_there_is_not_timed(monkeypatch, tmp_path, capsys):
    contenders = {name: Contender(RunSpec(detector=name)) for name in ("lapnet", TENSORFLOW)}
    monkeypatch.setattr(environment, "PYTHON", tmp_path / "python")
    assert at_hand(contenders).keys() == {"lapnet"}
    assert f"note: {TENSORFLOW} is not timed: TensorFlow's environment" in capsys.readouterr().err
    (tmp_path / "python").touch()
    assert at_hand(contenders) == contenders
    assert capsys.readouterr().err == ""


def test_lapnet_is_timed_on_its_paper_s_backbones_too():
    lapnet = replace(TINY, detector=DetectorName.LAPNET)
    chosen = choose_contenders(TINY, {"lapnet-s0": lapnet}, Path())
    backbones = {name: c.spec.backbone for name, c in chosen.items() if name.startswith("lapnet")}
    assert backbones == {
        "lapnet": "mobilenet-v2",
        "lapnet-darknet53": "darknet53",
        "lapnet-inception-resnet-v2": "inception-resnet-v2",
    }
    assert all(chosen[name].run is None for name in backbones)


def test_trained_weights_are_those_that_are_timed(tmp_path):
    trained_run(tmp_path / "run-s0", RunSpec(input_size=64, width=0.25, seed=7))
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    detector = speed._ready(Contender(TINY, tmp_path / "run-s0"), 3, images)
    expected = build_detector(RunSpec(input_size=64, width=0.25, seed=7), 3, images)
    for name, value in expected.state_dict().items():
        assert torch.equal(detector.state_dict()[name], value), name


def test_broken_weights_are_named(tmp_path):
    trained_run(tmp_path / "run-s0", TINY)
    (tmp_path / "run-s0" / "model.safetensors").write_bytes(b"no weights")
    images = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    with pytest.raises(UserError, match=r"model\.safetensors: cannot be loaded"):
        speed._ready(Contender(TINY, tmp_path / "run-s0"), 3, images)


def test_the_command_writes_its_files_and_leaves_nothing_beside_them(tmp_path, monkeypatch):
    monkeypatch.setattr(speed, "RESULTS", tmp_path)
    monkeypatch.setattr(speed, "REFERENCE_SIZE", 64)
    light = replace(ENTRIES[DetectorName.LAPNET], heavy_backbones=())
    monkeypatch.setitem(ENTRIES, DetectorName.LAPNET, light)
    speed.time_study("quick", 1)
    written = sorted(p.name for p in (tmp_path / "quick").iterdir())
    assert written == ["speed.csv", "speed.json", "speed_rounds.csv"]
    table = pd.read_csv(tmp_path / "quick" / "speed.csv")
    assert table["rounds"].unique().tolist() == [1]
    given = summarise(read_rounds(tmp_path / "quick" / "speed_rounds.csv"))
    assert table["median_ms"].tolist() == pytest.approx(given["median_ms"].tolist(), rel=1e-4)
    record = json.loads((tmp_path / "quick" / "speed.json").read_text())
    assert record["machine"]["threads"] == table["threads"].iloc[0]


def test_no_rounds_are_refused(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["speed", "quick", "--rounds", "0"])
    with pytest.raises(UserError, match="--rounds must be 1 or more, not 0"):
        command.main()
