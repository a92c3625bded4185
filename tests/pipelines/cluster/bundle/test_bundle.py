"""A study leaves in a bundle, is trained with torch alone, and comes home as if trained here."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

from pipelines import bundle as command
from pipelines.cluster.bundle.contents import HOME_BYTES, write_sums
from pipelines.cluster.local import DVC
from pipelines.system.errors import run_cli
from tests.pipelines.cluster.bundle.plain_python import plain_python
from tests.pipelines.small_study import environment, make_small_study, processes_in, run_in

ROWS = ("sampler-dns", "sampler-basic")
RUNS = [f"{row}-s0" for row in ROWS]
FILES = ("history.csv", "detections.json.gz", "matches.csv.gz", "model.safetensors")
BUNDLE = [sys.executable, "-m", "pipelines.bundle"]
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Path:
    """Two small runs that validate twice."""
    folder = tmp_path_factory.mktemp("home") / "study"
    return make_small_study(folder, ROWS, validate_every=20)


@pytest.fixture(scope="module")
def bundle(study) -> Path:
    run_in(study, [*BUNDLE, "quick", "--rows", *ROWS, "--out", "bag.tar"])
    return study / "bag.tar"


@pytest.fixture(scope="module")
def python(tmp_path_factory) -> Path:
    return plain_python(tmp_path_factory.mktemp("plain") / "environment")


def unpack(bundle, folder):
    """An empty folder with the unpacked bundle in it."""
    folder.mkdir()
    subprocess.run(["tar", "xf", bundle, "-C", folder], check=True)
    return folder / "bag"


def call(bag, python, *arguments):
    """`run.sh`, as somebody calls it from elsewhere."""
    environment = {**os.environ, "PYTHON": str(python), "OMP_NUM_THREADS": "1"}
    environment.pop("PYTHONPATH", None)
    return subprocess.run(
        [bag / "run.sh", *map(str, arguments)], capture_output=True, text=True, env=environment
    )


@pytest.fixture(scope="module")
def timed_out(bundle, python, tmp_path_factory):
    """The bundle when its time is up before a run is done, and the call's outcome."""
    bag = unpack(bundle, tmp_path_factory.mktemp("away") / "empty")
    done = call(bag, python, "--minutes", "0.35")
    assert not list(bag.glob("home-*.tar"))
    return bag, done


@pytest.fixture(scope="module")
def trained(timed_out, python) -> Path:
    """The bundle that went on with both runs, after it was killed at their first checkpoint."""
    bag, _ = timed_out
    environment = {**os.environ, "PYTHON": str(python), "OMP_NUM_THREADS": "1"}
    worker = subprocess.Popen(
        [bag / "run.sh", "--jobs", "2", "--weights", "--checkpoint-seconds", "0"],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while not list((bag / ".checkpoints").glob("*.pt")):
        assert worker.poll() is None, "it ended before it was killed"
        time.sleep(0.05)
    for process in processes_in(bag):
        os.kill(process, signal.SIGKILL)
    worker.wait()
    assert not list(bag.glob("trained/*/"))
    done = call(bag, python, "--jobs", "2", "--weights")
    assert done.returncode == 0, done.stderr
    assert "2 of 2 runs of quick are done" in done.stdout
    assert "the time is up" not in done.stdout
    return bag


@pytest.fixture(scope="module")
def home(trained) -> Path:
    (home,) = trained.glob("home-*.tar")
    assert 0 < home.stat().st_size <= HOME_BYTES
    return home


def test_what_comes_home_is_what_training_here_leaves(study, home, tmp_path):
    usual = tmp_path / "usual"
    for name in RUNS:
        specification = f"results/quick/specs/{name}.json"
        run_in(
            study,
            [sys.executable, "-m", "pipelines.train", specification, str(usual / name)],
        )
    taken = run_in(study, [*BUNDLE, "--take", str(home)])
    assert all(name in taken for name in RUNS)
    for name in RUNS:
        here = study / "results/quick/trained" / name
        assert [(here / f).read_bytes() == (usual / name / f).read_bytes() for f in FILES] == [
            True
        ] * len(FILES)
        ours, theirs = (json.loads((f / "run.json").read_text()) for f in (here, usual / name))
        assert {k: v for k, v in ours.items() if k not in ("cost", "machine")} == {
            k: v for k, v in theirs.items() if k not in ("cost", "machine")
        }
        assert "validation_AP" in (here / "history.csv").read_text()
    stages = [f"train@{name}" for name in RUNS]
    assert "up to date" in run_in(study, [*DVC, "status", *stages])
    run_in(study, [*DVC, "repro", "ledger"])
    assert (study / "results/quick/ledger.csv").read_text().count("-s0") == len(RUNS)


def test_the_check_measures_this_machine(bundle, python, tmp_path):
    found = checked(unpack(bundle, tmp_path / "empty"), python)
    verdicts = {one["detector"]: one["verdict"] for one in found["agreement"]}
    assert verdicts["scale-aware-ssd"] == "agrees"
    assert found["speeds"][0]["images_a_second"] > 0
    assert found["jobs"] in {speed["at_once"] for speed in found["speeds"]}


def checked(bag, python):
    """What the check finds, in as much time as a machine needs that has other work to do."""
    for seconds in (25, 100, 400, 1600):
        done = call(bag, python, "--check", "--seconds", seconds)
        assert done.returncode == 0, done.stderr
        file = bag / "check.json"
        if file.exists() and (found := json.loads(file.read_text()))["agreement"]:
            return found
    raise AssertionError(done.stdout)


def test_when_the_time_is_up_it_says_so(timed_out):
    _, done = timed_out
    assert done.returncode == 0, done.stderr
    assert "0 of 2 runs of quick are done\nthe time is up" in done.stdout


def test_a_flipped_byte_is_named_before_anything_is_trained(bundle, python, tmp_path):
    bag = unpack(bundle, tmp_path / "empty")
    victim = next(iter(sorted(bag.glob("data/*/train-images/*.webp"))))
    content = bytearray(victim.read_bytes())
    content[len(content) // 2] ^= 1
    victim.write_bytes(content)
    done = call(bag, python)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert str(victim) in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (bag / "trained").exists()


def forged(home, folder, *, path="run.json", change=lambda text: text, reseal=True):
    """Another `home-1.tar`, in which one file of a run was changed."""
    with tarfile.open(home) as tar:
        tar.extractall(folder, filter="data")
    run = folder / "trained" / RUNS[0]
    file = folder / path if path == "bundle.json" else run / path
    before = file.read_text()
    file.write_text(change(before))
    assert file.read_text() != before
    if reseal:
        names = [p for p in sorted(run.iterdir()) if p.name != "SHA256SUMS"]
        write_sums(run, names)
    made = folder / "home-1.tar"
    with tarfile.open(made, "w") as tar:
        for name in ("bundle.json", "trained"):
            tar.add(folder / name, name)
    return made


def record(change):
    def of_text(text):
        values = json.loads(text)
        change(values["record"])
        return json.dumps(values)

    return of_text


FORGERIES = {
    "code": (record(lambda r: r["code"].update(code_hash="0" * 12)), "trained by code 000000"),
    "data": (record(lambda r: r["data"].update(input_size=65)), "other data than scenes-64"),
    "seed": (record(lambda r: r["specification"].update(seed=7)), "another specification (seed)"),
    "weights": (record(lambda r: r.update(first_weights_sha256="0")), "other weights than none"),
}


@pytest.fixture(scope="module")
def forgeries(home, tmp_path_factory):
    """By kind, a home with one thing changed."""
    folder = tmp_path_factory.mktemp("forged")
    made = {
        kind: forged(home, folder / kind, change=change) for kind, (change, _) in FORGERIES.items()
    }
    return made | {
        "unknown code": forged(home, folder / "bundle", path="bundle.json", change=unknown_code)
    }


def unknown_code(text):
    code = {"code_hash": "0" * 12, "commit": None, "changed": False}
    return json.dumps({**json.loads(text), "code": code})


TAKE_EACH = """
import sys
from pathlib import Path
from pipelines.cluster.bundle.taking import take
from pipelines.system.errors import UserError

for home in sys.argv[1:]:
    try:
        take(Path(home))
    except UserError as error:
        print(error)
"""


@pytest.fixture(scope="module")
def refusals(study, forgeries):
    """Why each is refused; nothing of any of them is taken in."""
    shutil.rmtree(study / "results/quick/trained", ignore_errors=True)
    said = run_in(study, [sys.executable, "-c", TAKE_EACH, *map(str, forgeries.values())])
    assert not list((study / "results/quick").glob("trained/*"))
    return dict(zip(forgeries, said.splitlines(), strict=True))


@pytest.mark.parametrize("kind", FORGERIES)
def test_a_run_of_something_else_is_refused_by_name(refusals, kind):
    assert refusals[kind].startswith(f"{RUNS[0]}: ")
    assert FORGERIES[kind][1] in refusals[kind]


def test_a_bundle_of_unknown_code_is_refused(refusals):
    assert "the bundle was made of code 000000000000" in refusals["unknown code"]


def test_a_damaged_run_is_refused_in_one_line(study, home, tmp_path):
    other = forged(home, tmp_path, change=lambda text: text.replace("0", "1", 1), reseal=False)
    shutil.rmtree(study / "results/quick/trained", ignore_errors=True)
    done = subprocess.run(
        [*BUNDLE, "--take", other],
        cwd=study,
        env=environment(study),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")
    assert "run.json: is missing or has another checksum" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list((study / "results/quick").glob("trained/*"))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["quick", "--rows", "sampler"], "quick has no row 'sampler'; there are "),
        (["quick", "--out", "bag.zip"], "--out must end with .tar"),
        (["quick", "--take", "home-1.tar"], "one of them"),
        (["quick", "--wheels", "three"], "--wheels must be a Python version such as 3.12"),
        (["quick", "--seeds", "5"], "no run of these rows and seeds"),
        (["--take", "none.tar"], "none.tar: cannot be unpacked"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(arguments, told, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["bundle", *arguments])
    with pytest.raises(SystemExit) as end:
        run_cli(command.main)
    errors = capsys.readouterr().err
    assert end.value.code == 2
    assert told in errors
    assert len(errors.splitlines()) == 1
