"""Make a bundle of a study's runs, where the study lies."""

from __future__ import annotations

import json
import shutil
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import nn

from method.mobilenet import LAST_BLOCK, encoder_blocks
from pipelines.cluster.bundle.contents import (
    BUNDLE,
    DATA,
    PHOTOGRAPHS,
    RECIPE,
    SPECS,
    SUMS,
    WEIGHTS,
    Bundle,
    PackedRun,
    write_sums,
)
from pipelines.cluster.bundle.packages import compiled_packages, pack_packages, pack_wheels
from pipelines.cluster.bundle.photographs import pack_photographs, unpack_photographs
from pipelines.cluster.bundle.pixels import pack_pixels
from pipelines.cluster.launch import parents
from pipelines.data.dataset_spec import TOLERANT
from pipelines.data.mosaic import photographs
from pipelines.data.preparation import Preparation
from pipelines.data.prepared import MANIFEST, load_prepared
from pipelines.data.prepared_files import annotation_files
from pipelines.data.preparing import ensure_prepared
from pipelines.data.registry import DatasetSpec, open_dataset
from pipelines.data.sources import ImageSource
from pipelines.detectors.ssd import ssd_config
from pipelines.detectors.weights import weights_fingerprint
from pipelines.runs.parameters import declared_runs, read_parameters, split_name
from pipelines.runs.registry import Family, Trainer
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError, note
from pipelines.system.hashing import CODE
from pipelines.system.machine import code_state
from pipelines.system.paths import REPOSITORY

PIXEL_SHARE = 0.42
"""Of the bytes of pixels, what photographs take when packed without loss, about."""
RUN_SH = """#!/bin/bash
# Trains the runs of this bundle; ./run.sh --help tells how. Needs Python 3.11 to 3.13 with torch
# 2.9 or newer and torchvision, and no network; PYTHON=... names another interpreter than python3.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
python=${PYTHON:-python3}
if [ -d wheels ] && [ ! -e packages/.unpacked ]; then
    for wheel in wheels/*.whl; do "$python" -m zipfile -e "$wheel" packages; done
    touch packages/.unpacked
fi
export PYTHONPATH="$PWD:$PWD/packages${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" -m pipelines.cluster.bundle.worker "$@"
"""


@dataclass(frozen=True)
class Wanted:
    """What a bundle is made of.

    Args:
        study: a profile of params.yaml.
        rows: of it; all where there are none.
        seeds: of these rows; all where there are none.
        python: version of the Python for which compiled packages are wanted, such as `3.12`.
        machine: and of which processor, as `uname -m` says.
        pixels: whether prepared pixels are packed even where photographs take less room.
    """

    study: str
    rows: Sequence[str] = ()
    seeds: Sequence[int] = ()
    python: str | None = None
    machine: str = "x86_64"
    pixels: bool = False


def chosen_runs(wanted: Wanted) -> dict[str, RunSpec]:
    """The runs of a bundle by name, every row's first seed before any row's second.

    Raises:
        UserError: the study has no such row, or nothing is left.
    """
    specs = declared_runs(read_parameters(), wanted.study)
    rows = list(dict.fromkeys(split_name(name)[0] for name in specs))
    if unknown := [row for row in wanted.rows if row not in rows]:
        raise UserError(f"{wanted.study} has no row {unknown[0]!r}; there are {', '.join(rows)}")
    place = {row: number for number, row in enumerate(wanted.rows or rows)}
    names = [name for name in specs if split_name(name)[0] in place]
    if wanted.seeds:
        names = [name for name in names if int(split_name(name)[1]) in wanted.seeds]
    trainable = [name for name in names if not _stays_here(specs[name])]
    if left_out := sorted(
        {split_name(name)[0] for name in names} - {split_name(n)[0] for n in trainable}
    ):
        note(f"left out, since TensorFlow trains them or nothing does: {', '.join(left_out)}")
    names = trainable
    if not names:
        raise UserError(
            f"{wanted.study}: no run of these rows and seeds can be trained from a bundle"
        )
    names.sort(key=lambda name: (int(split_name(name)[1]), place[split_name(name)[0]]))
    return {name: specs[name] for name in names}


def _stays_here(spec: RunSpec) -> bool:
    """Whether TensorFlow trains it, or it is only scored."""
    return spec.entry.trainer is Trainer.TENSORFLOW or not spec.iterations


def pack(wanted: Wanted, out: Path) -> None:
    """Make a bundle, and say what to do with it; arguments and errors as of `make_bundle`."""
    bundle = make_bundle(wanted, out)
    size = out.stat().st_size / 2**20
    print(f"{out}: {len(bundle.runs)} runs of {bundle.study}, {size:.1f} MiB")
    print(f"there: tar xf {out.name} && {out.stem}/run.sh --help")


def make_bundle(wanted: Wanted, out: Path) -> Bundle:
    """Write a bundle, beside its place and then there.

    Raises:
        UserError: a run cannot be trained from a bundle, or something that it needs is not here.
    """
    specs = chosen_runs(wanted)
    _require_no_open_starts(specs)
    with tempfile.TemporaryDirectory(dir=out.resolve().parent, prefix=".bundle-") as scratch:
        folder = Path(scratch)
        runs = tuple(_pack_run(folder, name, spec) for name, spec in specs.items())
        _pack_data(folder, specs, pixels=wanted.pixels)
        _pack_weights(folder, specs)
        bundle = Bundle(wanted.study, code_state(), runs)
        (folder / BUNDLE).write_text(bundle.to_json())
        _pack_code(folder)
        pack_packages(folder, specs)
        if compiled := compiled_packages(specs):
            pack_wheels(folder, compiled, wanted.python, wanted.machine)
        script = folder / "run.sh"
        script.write_text(RUN_SH)
        script.chmod(0o755)
        files = sorted(path for path in folder.rglob("*") if path.is_file())
        write_sums(folder, files)
        fresh = out.with_name(f".{out.name}.new")
        with tarfile.open(fresh, "w") as tar:
            for path in [*files, folder / SUMS]:
                tar.add(path, f"{out.stem}/{path.relative_to(folder)}")
        fresh.replace(out)
    return bundle


def _require_no_open_starts(specs: Mapping[str, RunSpec]) -> None:
    """A run that starts from another's weights needs them here."""
    for name, spec in specs.items():
        if spec.init in ("torchvision", "zoo"):
            raise UserError(
                f"{name} starts from downloaded weights (init: {spec.init}); a bundle has no "
                "network: give init a file"
            )
    for name, parent in parents(study_of(specs)).items():
        if name in specs and not Path(specs[name].init).is_file():
            raise UserError(
                f"{name} starts from {parent}, which is not trained here; train that first, or "
                "make a bundle of it alone"
            )


def study_of(specs: Mapping[str, RunSpec]) -> dict[str, RunSpec]:
    """All runs of the study that these are of."""
    profile = next(iter(specs.values())).profile
    return declared_runs(read_parameters(), profile)


def _pack_run(folder: Path, name: str, spec: RunSpec) -> PackedRun:
    path = folder / SPECS / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(spec.changes()) + "\n")
    data = ensure_prepared(spec.preparation)
    sha256 = weights_fingerprint(spec.init)
    weights = f"{sha256[:16]}{Path(spec.init).suffix}" if sha256 else None
    return PackedRun(name, data.name, weights, sha256)


def _pack_data(folder: Path, specs: Mapping[str, RunSpec], *, pixels: bool) -> None:
    """Manifests as they are, and the splits that the runs read."""
    validating: dict[Preparation, bool] = {}
    for spec in specs.values():
        data = spec.preparation
        validating[data] = validating.get(data, False) or spec.validate_every > 0
    for data, validated in validating.items():
        source = ensure_prepared(data)
        opened: Mapping[str, ImageSource] = {}
        if not pixels and data.tiling is None:
            spec_of_data = DatasetSpec(data.dataset, fold=data.fold, tolerance=TOLERANT)
            opened = open_dataset(spec_of_data, report=lambda _: None)
        target = folder / DATA / source.name
        target.mkdir(parents=True)
        shutil.copyfile(source / MANIFEST, target / MANIFEST)
        for split in ("train", "test", *(["val"] if validated else [])):
            for file in annotation_files(source, split):
                shutil.copyfile(file, target / file.name)
            _pack_images(source, split, opened.get(split), target)


def _pack_images(prepared: Path, split: str, source: ImageSource | None, target: Path) -> None:
    """The photographs where they take less room and make the same pixels here, else the pixels."""
    images = load_prepared(prepared, split).images
    files = photographs(source) if source else []
    room = sum(path.stat().st_size for path, _ in files)
    if source and files and room < PIXEL_SHARE * images.nbytes:
        recipe, store = target / f"{split}{RECIPE}", target.parent.parent / PHOTOGRAPHS
        pack_photographs(source, recipe, store)
        entry = json.loads((prepared / MANIFEST).read_text())["splits"][split]
        with tempfile.TemporaryDirectory() as scratch:
            try:
                made = Path(scratch) / f"{split}-images.npy"
                unpack_photographs(recipe, store, made, images.shape[1], entry["images_sha256"])
                return
            except UserError:
                recipe.unlink()
    pack_pixels(images, target / f"{split}-images")


def _pack_weights(folder: Path, specs: Mapping[str, RunSpec]) -> None:
    """Of folded ImageNet weights only the layers that the deepest encoder has."""
    by_init: dict[str, list[RunSpec]] = {}
    for spec in specs.values():
        by_init.setdefault(spec.init, []).append(spec)
    for init, own in by_init.items():
        sha256 = weights_fingerprint(init)
        if sha256 is None:
            continue
        source = Path(init)
        target = folder / WEIGHTS / f"{sha256[:16]}{source.suffix}"
        target.parent.mkdir(exist_ok=True)
        if source.suffix == ".npz":
            count = max(_convolutions(spec) for spec in own)
            with np.load(source, allow_pickle=False) as layers:
                kept = {n: layers[n] for n in layers.files if int(n.split(".")[0]) < count}
            np.savez_compressed(target, **kept)
        elif source.suffix == ".index":
            raise UserError(f"init: {init} is TensorFlow's, which a bundle cannot train")
        else:
            shutil.copyfile(source, target)


def _convolutions(spec: RunSpec) -> int:
    """Of the encoder that a specification's detector has, MobileNet v2's layers."""
    own = spec.entry.family is Family.SSD
    encoder = encoder_blocks(ssd_config(spec, classes=1).attach[1] if own else LAST_BLOCK)
    return sum(isinstance(module, nn.Conv2d) for module in encoder.modules())


def _pack_code(folder: Path) -> None:
    for top in CODE:
        for source in sorted((REPOSITORY / top).rglob("*.py")):
            target = folder / source.relative_to(REPOSITORY)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
