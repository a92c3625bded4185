"""Runs as ONNX files with their model cards and checksums, in one folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pipelines.deploy.export.export import export
from pipelines.deploy.export.graph import Form
from pipelines.deploy.release.card import write_card
from pipelines.detectors.trained import open_run
from pipelines.runs.folder import WEIGHTS, RunFolder
from pipelines.system.errors import UserError
from pipelines.system.files import write_whole
from pipelines.system.hashing import file_sha256

SUMS = "SHA256SUMS"
CHECKED_IMAGES = 16


def release(runs: Sequence[Path], out: Path) -> None:
    """Write an ONNX file and a card of each run, and the checksums of all.

    Raises:
        UserError: a folder is no run that can be exported, its weights are not here, two runs have
            one name, or a file differs from PyTorch.
    """
    names = [run.resolve().name for run in runs]
    if twice := {name for name in names if names.count(name) > 1}:
        raise UserError(f"two runs are called {min(twice)}: a release names its files by the run")
    written = []
    for folder in runs:
        opened = open_run(folder)
        model = out / f"{opened.name}.onnx"
        if fault := export(opened, folder / WEIGHTS, model, Form(), CHECKED_IMAGES):
            raise UserError(f"{model} is not written: {fault}")
        parameters = sum(weights.numel() for weights in opened.detector.parameters())
        card = model.with_suffix(".md")
        write_whole(card, write_card(RunFolder(folder), model.name, file_sha256(model), parameters))
        written += [model, card]
    sums = "".join(f"{file_sha256(path)}  {path.name}\n" for path in sorted(written))
    write_whole(out / SUMS, sums)
    print(f"{out}: {len(runs)} models, each with its card; check them by `sha256sum -c {SUMS}`")
