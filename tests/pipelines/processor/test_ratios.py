"""The ratios, each really measured, on the smallest works."""

import re

import pytest

from pipelines.processor import ratios
from pipelines.processor.starts import command_names, help_ratios
from pipelines.system.paths import CHECKPOINTS
from tests.imports import commands

RATIO = r"\d+\.\d+x"


def test_the_commands_are_those_of_the_house():
    assert [f"pipelines.{name}" for name in command_names()] == commands()


def test_help_takes_longer_than_nothing_but_argparse():
    """Python starts, and imports argparse, for both."""
    (ratio,) = help_ratios(["fetch"], rounds=3).values()
    assert ratio > 1


@pytest.mark.slow
def test_every_ratio_is_printed_with_its_processor(capsys, monkeypatch):
    monkeypatch.setattr(ratios, "command_names", lambda: ["plan"])
    ratios.print_ratios(input_size=64, batch_size=2, rounds=1)
    said = capsys.readouterr().out
    for processor in ("as it is", "as if without bf16", "as if without AVX-512"):
        assert re.search(rf"^{processor} +{RATIO} +{RATIO} +{RATIO}$", said, re.MULTILINE)
    assert (
        "as if without bf16: imitated on this processor by ONEDNN_MAX_CPU_ISA=AVX512_CORE" in said
    )
    assert re.search(rf"--help: {RATIO} `import argparse`, at most {RATIO} \(plan\)", said)
    start = re.search(
        r"first step is done: (\d+\.\d)x `import torch` \(\d+\.\d s\), "
        r"one of a study's (\d+\.\d)x$",
        said,
        re.MULTILINE,
    )
    assert start
    alone, in_study = map(float, start.groups())
    assert alone > 1, "a run imports torch too"
    assert in_study < alone
    assert list(CHECKPOINTS.glob("benchmark*")) == []
