"""Take the runs of a bundle into the study that it was made of."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipelines.cluster.bundle.contents import BUNDLE, TRAINED, Bundle, verify_sums
from pipelines.cluster.bundle.unscored import read_unscored
from pipelines.cluster.launch import pipeline_file
from pipelines.cluster.local import DVC, Launcher
from pipelines.data.prepared import MANIFEST, load_prepared
from pipelines.data.preparing import ensure_prepared
from pipelines.detectors.weights import weights_fingerprint
from pipelines.evaluation.run import score_and_write, validation_figures
from pipelines.runs.parameters import declared_runs, read_parameters, stage_names
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError, note
from pipelines.system.hashing import CODE, code_hash
from pipelines.system.machine import code_state
from pipelines.system.paths import REPOSITORY, RESULTS
from pipelines.training.health.record import tell
from pipelines.training.run import Detections, Trained


@dataclass(frozen=True)
class Arrived:
    """A run that came home and fits the study."""

    name: str
    trained: Trained
    validations: dict[int, Detections]
    data_folder: Path


def take_home(homes: Sequence[Path]) -> None:
    """Take in what came home, file by file, and say what it was; errors as of `take`."""
    for home in homes:
        names = take(home)
        print(f"{home}: took in {len(names)} runs: {', '.join(names)}")
    print("`dvc repro` of the study brings its tables up to date")


def take(home: Path) -> list[str]:
    """Score what came home and put it where training would have left it; tell DVC.

    Args:
        home: a `home-N.tar` of a bundle.

    Returns:
        Names of the runs taken in.

    Raises:
        UserError: a run is damaged, or is of another specification, code, data or first weights;
            then none is taken in.
    """
    with tempfile.TemporaryDirectory(prefix=".take-", dir=REPOSITORY) as scratch:
        folder = Path(scratch)
        _unpack(home, folder)
        bundle = Bundle.read(folder)
        parameters = read_parameters()
        if bundle.study not in parameters["profiles"]:
            raise UserError(f"{home}: is of a study {bundle.study!r}, which params.yaml has not")
        specs = declared_runs(parameters, bundle.study)
        code = _known_code(bundle)
        found = sorted(path for path in (folder / TRAINED).glob("*") if path.is_dir())
        if not found:
            raise UserError(f"{home}: no run in it is finished; call run.sh again where it trains")
        arrived = [_checked(path, specs, bundle, code) for path in found]
        stages = stage_names(parameters, bundle.study)
        for run in arrived:
            target = RESULTS / bundle.study / "trained" / run.name
            tell(score_and_write(target, _complete(run), run.data_folder), run.name)
        _commit_stages(bundle.study, [stages[run.name] for run in arrived])
    return [run.name for run in arrived]


def _unpack(home: Path, folder: Path) -> None:
    try:
        with tarfile.open(home) as tar:
            tar.extractall(folder, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise UserError(f"{home}: cannot be unpacked ({error}); copy it again") from None
    if not (folder / BUNDLE).is_file():
        raise UserError(f"{home}: has no {BUNDLE}; give a home-N.tar that run.sh made")


def _known_code(bundle: Bundle) -> str:
    """The hash of the code that the bundle was made of, if that code is known here.

    Raises:
        UserError: it is neither what lies here nor that of the commit which it names.
    """
    claimed = bundle.code
    if code_state()["code_hash"] == claimed["code_hash"]:
        return str(claimed["code_hash"])
    of_commit = claimed["commit"] and not claimed["changed"]
    if of_commit and commit_code_hash(claimed["commit"]) == claimed["code_hash"]:
        return str(claimed["code_hash"])
    raise UserError(
        f"the bundle was made of code {claimed['code_hash']} (commit {claimed['commit']}), which "
        "is neither the code here nor that commit's: check out the commit that it was made at"
    )


def commit_code_hash(commit: str) -> str | None:
    """`code_hash` of a commit's code; None where the commit is not known."""
    archive = subprocess.run(
        ["git", "-C", str(REPOSITORY), "archive", "--format=tar", commit, *CODE],
        capture_output=True,
        check=False,
    )
    if archive.returncode != 0:
        return None
    files: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.name.endswith(".py") else None
            if content is not None:
                files[member.name] = content.read()
    return code_hash(files)


def _checked(folder: Path, specs: dict[str, RunSpec], bundle: Bundle, code: str) -> Arrived:
    name = folder.name
    verify_sums(folder)
    trained, validations = read_unscored(folder)
    record = trained.record
    if name not in specs:
        raise UserError(f"{name}: {bundle.study} has no such run any more")
    spec = specs[name]
    made = RunSpec.parse(record["specification"], f"{name}: its specification")
    if made.hash != spec.hash or record["specification_hash"] != spec.hash:
        own, other = spec.to_dict(), made.to_dict()
        differ = [key for key in own if own[key] != other[key]] or ["its hash"]
        raise UserError(f"{name}: was trained by another specification ({', '.join(differ)})")
    if record["code"]["code_hash"] != code:
        raise UserError(
            f"{name}: was trained by code {record['code']['code_hash']}, not by the bundle's {code}"
        )
    data = ensure_prepared(spec.preparation)
    if record["data"] != json.loads((data / MANIFEST).read_text()):
        raise UserError(f"{name}: was trained on other data than {data.name} here")
    if record["first_weights_sha256"] != weights_fingerprint(spec.init):
        raise UserError(f"{name}: started from other weights than {spec.init} here")
    steps = {step for step in validations if step <= spec.iterations}
    due = {row["step"] for row in trained.history if "loss" not in row}
    if steps != due:
        raise UserError(f"{name}: its validations are not those of its history")
    code_of_run = {**record["code"], **{key: bundle.code[key] for key in ("commit", "changed")}}
    trained = replace(trained, record={**record, "code": code_of_run})
    return Arrived(name, trained, validations, data)


def _complete(run: Arrived) -> Trained:
    """The training with the validations' figures in its history."""
    if not run.validations:
        return run.trained
    split = load_prepared(run.data_folder, "val")

    def scored(row: dict[str, float]) -> dict[str, float]:
        if "loss" in row:
            return row
        return {**row, **validation_figures(split, run.validations[int(row["step"])])}

    return replace(run.trained, history=[scored(row) for row in run.trained.history])


def _commit_stages(profile: str, stages: list[str]) -> None:
    """Have DVC hold what lies there for the stages' results, as if it had run them."""
    if not (REPOSITORY / ".dvc").is_dir():
        note("this is no DVC repository; the runs lie in results/ alone")
        return
    # Stages call `python`
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    pipeline = pipeline_file(profile)
    Launcher(REPOSITORY, pipeline).repro("plan")
    command = [*DVC, "commit", "--force", *(f"{pipeline}:{stage}" for stage in stages)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UserError(f"dvc commit failed: {(done.stderr + done.stdout).strip()[-300:]}")
