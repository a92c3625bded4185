"""A run's departures from its paper are those of its conditions, and none in the paper's own."""

from dataclasses import replace

from method.choices import HeadInit
from method.lapnet.choices import Backbone
from pipelines.evidence.papers import read_papers
from pipelines.runs.spec import Augment, DetectorName, Optimiser, Precision, RunSpec, Schedule

SSD, LAPNET = (read_papers()[name] for name in ("scale_aware_ssd", "lapnet"))


def test_the_ssd_s_departures_are_what_differs_and_no_more():
    paper = RunSpec(
        dataset="tomatod",
        input_size=512,
        init="torchvision",
        learning_rate=1e-4,
        schedule=Schedule.STEP,
        batch_size=4,
        iterations=23_625,
        precision=Precision.FP32,
        optimiser=Optimiser.ADAM,
        head_init=HeadInit.RELEASED,
    )
    assert SSD.departures(paper) == []
    assert SSD.departures(replace(paper, optimiser=Optimiser.ADAMW)) == ["S5 optimiser"]
    assert SSD.departures(RunSpec()) == [
        "S1 data",
        "S2 input size",
        "S4 first weights",
        "S5 optimiser",
        "S6 images seen",
        "S7 precision",
        "S8 first weights of the heads",
    ]
    rival = replace(paper, detector=DetectorName.RETINANET_R50, head_init=HeadInit.XAVIER)
    assert SSD.departures(rival) == []


def test_lapnet_s_departures_are_what_differs_and_no_more():
    paper = RunSpec(
        dataset="voc",
        input_size=512,
        detector=DetectorName.LAPNET,
        backbone=Backbone.DARKNET53,
        init="zoo",
        optimiser=Optimiser.SGD,
        learning_rate=0.005,
        schedule=Schedule.POLYNOMIAL,
        augment=(Augment.SCALE, Augment.FLIP),
        batch_size=28,
        iterations=120_000,
        precision=Precision.FP32,
    )
    assert LAPNET.departures(paper) == []
    every = [condition.label for condition in LAPNET.conditions]
    assert LAPNET.departures(RunSpec(width=0.5)) == every


def test_what_a_run_does_is_said_in_words():
    spec = RunSpec(iterations=120, batch_size=4, weights_learning_rate=0.05)
    said = {c.name: c.describe(spec) for c in LAPNET.conditions}
    assert said["images seen"] == "480"
    assert said["optimiser"] == "adamw, 0.001, cosine, batch 4, learned weights 0.05"
    assert said["augmentation"] == "none"
