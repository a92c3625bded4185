"""Results as they were made pass; a corruption, sealed again or not, fails and is named."""

import gzip
import hashlib
import json
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from pipelines import ledger, tables
from pipelines.claims import __main__ as claims
from pipelines.figures import __main__ as figures
from pipelines.figures.__main__ import SIZES
from pipelines.hashing import file_sha256
from pipelines.ledger import RECORD_FILES
from pipelines.plan import read_parameters, study
from pipelines.runtime import REPOSITORY
from pipelines.scoring import match_records
from pipelines.spec import Precision, RunSpec
from pipelines.timings import DIGITS, ROUNDS_FILE, Work, summarise, write_rounds
from pipelines.train import write_gzip
from pipelines.verify import rebuild
from pipelines.verify.__main__ import Level, report, verify
from pipelines.verify.seals import check_sums, write_sums
from tests.pipelines.test_scoring import random_case

pytestmark = pytest.mark.slow

PAPERS = yaml.safe_load((REPOSITORY / "papers.yaml").read_text(encoding="utf-8"))
DECLARED = study(read_parameters(), "quick")
RUNS = ("sampler-basic-s0", "sampler-dns-s0", "sampler-dns-s1")
RUN, OTHER_SEED = "sampler-dns-s0", "sampler-dns-s1"
MATCHES = f"runs/{RUN}/matches.csv.gz"


@pytest.fixture(scope="module", autouse=True)
def remembered():
    """Tables, claims and figures of the same runs and sizes are built once for all tests."""
    built = {}

    def remember(what, build):
        def copied(own, papers, committed):
            sizes = (committed / "figures" / SIZES).read_bytes() if what == "figures" else b""
            key = (what, (own.folder / "ledger.csv").read_bytes(), sizes)
            if key not in built:
                before = set(own.folder.rglob("*"))
                build(own, papers, committed)
                new = [path for path in own.folder.rglob("*") if path not in before]
                built[key] = {p.relative_to(own.folder): p.read_bytes() for p in new if p.is_file()}
            for name, content in built[key].items():
                (own.folder / name).parent.mkdir(exist_ok=True)
                (own.folder / name).write_bytes(content)

        return copied

    with pytest.MonkeyPatch.context() as patch:
        builds = {what: remember(what, build) for what, build in rebuild.BUILDS.items()}
        patch.setattr(rebuild, "BUILDS", builds)
        yield


def write_data(folder):
    """The data set of all runs, prepared, and its manifest."""
    folder.mkdir(parents=True)
    truth, _ = random_case(0)
    images = [{**image, "file_name": f"{image['id']}.png"} for image in truth["images"]]
    content = json.dumps({**truth, "images": images}).encode()
    counts = [sum(a["category_id"] == c and not a["iscrowd"] for a in truth["annotations"])
              for c in (1, 2, 3)]  # fmt: skip
    splits = {}
    for split in ("train", "test"):
        (folder / f"{split}.json").write_bytes(content)
        np.save(folder / f"{split}-images.npy", np.zeros((len(images), 8, 8, 3), np.uint8))
        splits[split] = {
            "images": len(images),
            "boxes": sum(counts),
            "boxes_per_class": dict(zip(("class 1", "class 2", "class 3"), counts, strict=True)),
            "annotations_sha256": hashlib.sha256(content).hexdigest(),
        }
    manifest = {"format": 1, "input_size": 8, "splits": splits}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def write_run(folder, number, manifest):
    folder.mkdir(parents=True)
    rng = random.Random(number)
    truth, found = random_case(0)
    found = [{**d, "score": round(rng.random(), 3)} for d in found if rng.random() < 0.8]
    write_gzip(folder / "detections.json.gz", json.dumps(found))
    write_gzip(folder / "matches.csv.gz", match_records(truth, found).to_csv(index=False))
    history = {"step": [20, 40, 60], "positives": [9, 8, 7], "negatives": [27, 9, 5 + number]}
    pd.DataFrame({**history, "validation_AP": [3.5, 20, 20.5 + number]}).to_csv(
        folder / "history.csv", index=False
    )
    spec = DECLARED[folder.name]
    record = {
        "name": folder.name,
        "specification": spec.to_dict(),
        "specification_hash": spec.hash,
        "data": manifest,
        "code": {"code_hash": "0123456789ab"},
        "machine": {
            "device": "a processor", "threads": 1, "python": "3.11.9",
            "packages": {"torch": "1", "numpy": "1", "pillow": "1", "scipy": "1"},
        },
        "cost": {
            "parameters": 1000, "training_seconds": 10.5, "training_images": 480,
            "images_a_second": 45.7, "peak_memory_mib": 100.0,
        },
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record, indent=1))
    seal_run(folder)


def write_timings(folder):
    """Six rounds of both SSDs."""
    both = {"scale-aware-ssd": [20.0, 21.0, 19.0, 20.5, 22.0, 18.25],
            "ssd-mobilenet-v2": [30.0, 29.0, 31.0, 28.5, 33.0, 27.25]}  # fmt: skip
    timings = {Work(name, Precision.FP32, True): ms for name, ms in both.items()}
    write_rounds(timings, folder / ROUNDS_FILE)
    speed = summarise(timings)
    speed[["device", "weights"]] = "a processor", "untrained"
    speed[["threads", "input_size", "rounds"]] = 1, 512, 6
    speed[["parameters", "flops_an_image"]] = 1000, 10**9
    speed.to_csv(folder / "speed.csv", index=False, float_format=DIGITS)


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """Prepared data, and results of three runs of `quick` as the pipeline's stages make them."""
    place = tmp_path_factory.mktemp("honest")
    prepared, folder = place / "data" / "scenes-256", place / "quick"
    manifest = write_data(prepared)
    for number, name in enumerate(RUNS):
        write_run(folder / "runs" / name, number, manifest)
    write_timings(folder)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("pipelines.ledger", "pipelines.queries"):
            patch.setattr(f"{module}.RESULTS", place)
        patch.setattr("sys.argv", ["stage", "quick"])
        ledger.main()
        tables.main()
        claims.main()
        patch.setattr(figures, "ensure_prepared", lambda *_: prepared)
        for pictures in ("_show_boxes", "_show_anchors"):
            patch.setattr(figures, pictures, lambda *_: {})
        figures.draw_figures("quick", read_parameters(), PAPERS, folder)
    write_sums(folder)
    return place


@pytest.fixture
def results(honest, tmp_path):
    """A copy of the honest results, to be corrupted."""
    return shutil.copytree(honest / "quick", tmp_path / "quick")


def findings(results, data):
    return [f for level in verify("quick", results, PAPERS, data) for f in level.findings]


# What a forger does


def alter_digit(path, seed=0):
    """Change one digit of a file, which may be compressed, at a place drawn by the seed."""
    rng = random.Random(seed)
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text()
    place = rng.choice([i for i, character in enumerate(text) if character in "0123456789"])
    other = rng.choice([d for d in "0123456789" if d != text[place]])
    text = text[:place] + other + text[place + 1 :]
    if path.suffix == ".gz":
        write_gzip(path, text)
    else:
        path.write_text(text)


def truncate(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit_record(folder, change):
    """Apply `change` to a run's record, and give it the hashes of the files beside it."""
    record = json.loads((folder / "run.json").read_text())
    change(record)
    record["files_sha256"] = {name: file_sha256(folder / name) for name in RECORD_FILES[1:]}
    (folder / "run.json").write_text(json.dumps(record, indent=1))


def seal_run(folder):
    edit_record(folder, lambda record: None)


def edit_specification(folder, rehash, **changes):
    def change(record):
        record["specification"] |= changes
        if rehash:
            spec = RunSpec.parse(record["specification"], "a test")
            record["specification_hash"] = spec.hash

    edit_record(folder, change)


def perfect_matches(folder):
    """Make every detection a true one."""
    path = folder / "matches.csv.gz"
    matches = pd.read_csv(path)
    matches.loc[matches["score"].notna(), ["true_all", "true_voc"]] = [1023, 1]
    whole = [c for c in matches.columns if str(c).startswith(("true", "ignored", "objects"))]
    write_gzip(path, matches.astype(dict.fromkeys(whole, "Int64")).to_csv(index=False))
    seal_run(folder)


def remake(results, *parts):
    """Build these parts of the results anew from runs that may be forged."""
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        rebuild.rebuild_ledger(results / "runs", RUNS, place / "ledger.csv")
        own = rebuild.open_study("quick", results, place)
        for build in rebuild.BUILDS.values():
            build(own, PAPERS, results)
        for part in parts:
            made = place / part
            shutil.rmtree(results / part) if made.is_dir() else (results / part).unlink()
            (shutil.copytree if made.is_dir() else shutil.copyfile)(made, results / part)


def swap(one, other, names=(".",)):
    """Exchange two folders, or files of theirs."""
    for name in names:
        spare = one.with_name("spare")
        (one / name).rename(spare)
        (other / name).rename(one / name)
        spare.rename(other / name)


ALL = ("ledger.csv", "tables", "figures", "claims.csv", "claims.md")


def of_run(act, *arguments, **named):
    return lambda results: act(results / "runs" / RUN, *arguments, **named)


def of_file(act, name, *arguments):
    return lambda results: act(results / name, *arguments)


def swap_seeds(results):
    swap(results / "runs" / RUN, results / "runs" / OTHER_SEED)


def swap_seeds_and_names(results):
    swap_seeds(results)
    for name in (RUN, OTHER_SEED):
        edit_record(results / "runs" / name, lambda record, name=name: record.update(name=name))


def copy_seed(results):
    for name in RECORD_FILES[1:]:
        shutil.copyfile(results / "runs" / RUN / name, results / "runs" / OTHER_SEED / name)
    seal_run(results / "runs" / OTHER_SEED)


def forge(*parts):
    def act(results):
        perfect_matches(results / "runs" / RUN)
        if parts:
            remake(results, *parts)

    return act


def drop_run(results):
    shutil.rmtree(results / "runs" / RUN)


def other_data(results):
    def change(record):
        record["data"]["splits"]["test"]["boxes"] += 1

    edit_record(results / "runs" / RUN, change)


def alter_cell(column):
    """Change a cell of the ledger."""

    def act(results):
        path = results / "ledger.csv"
        ledger = pd.read_csv(path, dtype=str, keep_default_na=False).set_index("run")
        ledger.loc[RUN, column] += "1"
        ledger.to_csv(path)

    return act


def alter_time(results):
    path = results / ROUNDS_FILE
    path.write_text(path.read_text().replace(",20.5", ",10.5"))


OPEN = {
    "a digit in the match records": (of_file(alter_digit, MATCHES, 1), MATCHES),
    "a digit in the detections": (
        of_file(alter_digit, f"runs/{RUN}/detections.json.gz", 2), f"runs/{RUN}/detections.json.gz",
    ),
    "a digit in the history": (
        of_file(alter_digit, f"runs/{RUN}/history.csv", 3), f"runs/{RUN}/history.csv",
    ),
    "a digit in a record": (
        of_file(alter_digit, f"runs/{RUN}/run.json", 4), f"runs/{RUN}/run.json",
    ),
    "a digit in the ledger": (of_file(alter_digit, "ledger.csv", 5), "ledger.csv"),
    "a digit in a table": (of_file(alter_digit, "tables/table7.md", 6), "tables/table7.md"),
    "a digit in a plot": (of_file(alter_digit, "figures/balance.svg", 7), "figures/balance.svg"),
    "a digit in the claims": (of_file(alter_digit, "claims.csv", 8), "claims.csv"),
    "a run is missing": (drop_run, f"runs/{RUN}/run.json: is missing"),
    "a table is missing": (of_file(Path.unlink, "tables/table5.tex"), "tables/table5.tex"),
    "a table too many": (of_file(Path.touch, "tables/table9.csv"), "tables/table9.csv: is surplus"),
    "truncated match records": (of_file(truncate, MATCHES), MATCHES),
    "a truncated record": (
        of_file(truncate, f"runs/{RUN}/run.json"), f"runs/{RUN}/run.json: cannot be read",
    ),
    "a truncated plot": (of_file(truncate, "figures/figure2.png"), "figures/figure2.png"),
    "swapped seeds": (swap_seeds, f"runs/{RUN}/run.json: is the record of {OTHER_SEED}"),
    "an edited specification": (
        of_run(edit_specification, False, learning_rate=0.5),
        f"runs/{RUN}/run.json: the specification was changed",
    ),
}  # fmt: skip
"""Corruptions by name: what is done to the results, and how a finding must begin."""

SEALED = {
    "a digit in the match records": (of_file(alter_digit, MATCHES, 9), f"{MATCHES}: was changed"),
    "a digit in the history": (
        of_file(alter_digit, f"runs/{RUN}/history.csv", 10), f"runs/{RUN}/history.csv: was changed",
    ),
    "forged match records, with the run's hashes": (forge(), f"ledger.csv: {RUN}: AP is "),
    "these, with the ledger": (forge("ledger.csv"), "tables/table7.csv: line 3 is "),
    "these, with everything": (forge(*ALL), f"{MATCHES}: line "),
    "an edited specification": (
        of_run(edit_specification, False, learning_rate=0.5),
        f"runs/{RUN}/run.json: the specification was changed",
    ),
    "an edited specification, with its hash": (
        of_run(edit_specification, True, learning_rate=0.5),
        f"runs/{RUN}/run.json: is another run than params.yaml declares: learning_rate is 0.5, "
        "not 0.012",
    ),
    "swapped seeds, with their names": (
        swap_seeds_and_names,
        f"runs/{RUN}/run.json: is another run than params.yaml declares: seed is 1, not 0",
    ),
    "a seed's files copied": (
        copy_seed, f"runs/{OTHER_SEED}/detections.json.gz: is that of {RUN}, another seed",
    ),
    "other data": (other_data, f"runs/{RUN}/run.json: other data"),
    "a cell of the ledger": (alter_cell("AP50"), f"ledger.csv: {RUN}: AP50 is "),
    "a run is missing": (drop_run, f"ledger.csv: {RUN}: there is no such run"),
    "a digit in a table": (
        of_file(alter_digit, "tables/table7.csv", 11), "tables/table7.csv: line ",
    ),
    "a digit in LaTeX": (of_file(alter_digit, "tables/table3.tex", 12), "tables/table3.tex: line "),
    "a digit in the claims": (of_file(alter_digit, "claims.csv", 13), "claims.csv: line "),
    "a digit in a plot": (
        of_file(alter_digit, "figures/balance.svg", 14), "figures/balance.svg: line ",
    ),
    "a digit in the sizes": (of_file(alter_digit, f"figures/{SIZES}", 15), "figures: "),
    "another time": (alter_time, "speed.csv: line 2 is "),
    "a single time is missing": (
        of_file(truncate, ROUNDS_FILE), f"speed.csv, {ROUNDS_FILE}: cannot be compared",
    ),
    "a truncated ledger": (of_file(truncate, "ledger.csv"), f"ledger.csv: {RUNS[-1]}: "),
    "a truncated table": (of_file(truncate, "tables/table1.md"), "tables/table1.md: "),
    "a truncated plot": (of_file(truncate, "figures/figure4.png"), "figures/figure4.png: another"),
}  # fmt: skip
"""The same by a forger who writes the checksums anew."""


def test_results_as_the_pipeline_makes_them_have_no_finding(honest):
    levels = list(verify("quick", honest / "quick", PAPERS, honest / "data"))
    assert [level.name for level in levels] == ["files", "runs", "ledger", "rebuilt", "scored"]
    assert [finding for level in levels for finding in level.findings] == []
    assert levels[-1].done == "3 runs scored anew"


@pytest.mark.parametrize("name", OPEN)
def test_a_corruption_is_named(results, honest, name):
    corrupt, expected = OPEN[name]
    corrupt(results)
    assert any(f.startswith(expected) for f in findings(results, honest / "data"))


@pytest.mark.parametrize("name", SEALED)
def test_a_corruption_under_new_checksums_is_named(results, honest, name):
    corrupt, expected = SEALED[name]
    corrupt(results)
    write_sums(results)
    found = findings(results, honest / "data")
    assert any(f.startswith(expected) for f in found), found


def test_without_the_data_a_line_says_so(honest, tmp_path):
    *_, last = verify("quick", honest / "quick", PAPERS, tmp_path)
    assert not last.findings
    assert last.done == "0 runs scored anew; 3 left out: data/scenes-256 is not prepared here"


def test_a_digit_in_the_checksums_is_named(results):
    alter_digit(results / "SHA256SUMS", 16)
    count, found = check_sums(results)
    assert len(found) >= 1
    assert count == len((results / "SHA256SUMS").read_text().splitlines())


def test_sha256sum_reads_the_checksums(results):
    def check():
        command = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
        return subprocess.run(command, cwd=results, capture_output=True, text=True, check=False)

    assert check().returncode == 0
    alter_digit(results / "ledger.csv")
    assert "ledger.csv: FAILED" in check().stdout


def test_the_report_counts_and_prints_every_finding(capsys):
    levels = [Level("files", "3 files", ["a: is missing", "b: was changed"]), Level("runs", "none")]
    assert report(levels, "quick") == 2
    assert "FOUND a: is missing\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a\nb 1\n", "a\nb 2\n", "line 2 is 'b 1', the runs give 'b 2'"),
        ("a\n", "a\nb\n", "ends before line 2, the runs give 'b'"),
        ("a\nb\n", "a\n", "line 2 is 'b', the runs give no such line"),
        ("a\r\n", "a\n", "line ends differ"),
    ],
)
def test_the_first_line_in_which_texts_differ_is_shown_in_both_versions(old, new, said):
    assert rebuild.compare_texts(old, new) == said
