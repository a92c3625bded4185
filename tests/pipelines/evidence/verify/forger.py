"""What a forger does to results, and how it must be found out."""

import gzip
import random
import shutil
import tempfile
from pathlib import Path

import pandas as pd

from pipelines.evaluation.timing import ROUNDS_FILE
from pipelines.evidence.ledger import ledger_row, write_ledger
from pipelines.evidence.verify import rebuild
from pipelines.runs.folder import RECORD_FILES, write_gzip
from pipelines.runs.spec import RunSpec
from tests.pipelines.evidence.verify.made import (
    MATCHES,
    OTHER_SEED,
    PAPERS,
    RUN,
    RUNS,
    SIZES,
    edit_record,
    seal_run,
)


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
        write_ledger([ledger_row(results / "runs" / name) for name in RUNS], place / "ledger.csv")
        own = rebuild.open_study("quick", results, place, samples={})
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
        of_file(alter_digit, f"runs/{RUN}/detections.json.gz", 2),
        f"runs/{RUN}/detections.json.gz",
    ),
    "a digit in the history": (
        of_file(alter_digit, f"runs/{RUN}/history.csv", 3),
        f"runs/{RUN}/history.csv",
    ),
    "a digit in a record": (
        of_file(alter_digit, f"runs/{RUN}/run.json", 4),
        f"runs/{RUN}/run.json",
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
        of_file(truncate, f"runs/{RUN}/run.json"),
        f"runs/{RUN}/run.json: cannot be read",
    ),
    "a truncated plot": (of_file(truncate, "figures/figure2.png"), "figures/figure2.png"),
    "swapped seeds": (swap_seeds, f"runs/{RUN}/run.json: is the record of {OTHER_SEED}"),
    "an edited specification": (
        of_run(edit_specification, False, learning_rate=0.5),
        f"runs/{RUN}/run.json: the specification was changed",
    ),
}
"""Corruptions by name: what is done to the results, and how a finding must begin."""

SEALED = {
    "a digit in the match records": (of_file(alter_digit, MATCHES, 9), f"{MATCHES}: was changed"),
    "a digit in the history": (
        of_file(alter_digit, f"runs/{RUN}/history.csv", 10),
        f"runs/{RUN}/history.csv: was changed",
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
        "not 0.025",
    ),
    "swapped seeds, with their names": (
        swap_seeds_and_names,
        f"runs/{RUN}/run.json: is another run than params.yaml declares: seed is 1, not 0",
    ),
    "a seed's files copied": (
        copy_seed,
        f"runs/{OTHER_SEED}/detections.json.gz: is that of {RUN}, another seed",
    ),
    "other data": (other_data, f"runs/{RUN}/run.json: other data"),
    "a cell of the ledger": (alter_cell("AP50"), f"ledger.csv: {RUN}: AP50 is "),
    "a run is missing": (drop_run, f"ledger.csv: {RUN}: there is no such run"),
    "a digit in a table": (
        of_file(alter_digit, "tables/table7.csv", 11),
        "tables/table7.csv: line ",
    ),
    "a digit in LaTeX": (of_file(alter_digit, "tables/table3.tex", 12), "tables/table3.tex: line "),
    "a digit in the claims": (of_file(alter_digit, "claims.csv", 13), "claims.csv: line "),
    "a digit in a plot": (
        of_file(alter_digit, "figures/balance.svg", 14),
        "figures/balance.svg: line ",
    ),
    "a digit in the sizes": (of_file(alter_digit, f"figures/{SIZES}", 15), "figures: "),
    "another time": (alter_time, "speed.csv: line 2 is "),
    "a single time is missing": (
        of_file(truncate, ROUNDS_FILE),
        f"speed.csv, {ROUNDS_FILE}: cannot be compared",
    ),
    "a truncated ledger": (of_file(truncate, "ledger.csv"), f"ledger.csv: {RUNS[-1]}: "),
    "a truncated table": (of_file(truncate, "tables/table1.md"), "tables/table1.md: "),
    "a truncated plot": (of_file(truncate, "figures/figure4.png"), "figures/figure4.png: another"),
}
"""The same by a forger who writes the checksums anew."""
