"""The papers' tables: what each builder of `papers/*.yaml` makes, written in three forms."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from method.choices import CUSTOM_ATTACHMENT, ORIGINAL_ATTACHMENT
from method.mobilenet import LAST_BLOCK, encoder_blocks
from method.receptive_field import receptive_field
from method.scale import REFERENCE_SIZE, a_scores
from method.ssd import SSD, SSDConfig
from pipelines.evidence.costs import costs
from pipelines.evidence.deviations import deviations
from pipelines.evidence.findings import anchor_correlation, balance, convergence, equal_cost
from pipelines.evidence.forecast import REMARK as FORECAST_REMARK
from pipelines.evidence.forecast import forecast
from pipelines.evidence.paper_tables import Builder, Table
from pipelines.evidence.papers import Paper, Papers, read_papers
from pipelines.evidence.study import Study
from pipelines.evidence.trained_code import study_changes
from pipelines.evidence.trained_tables import class_columns, trained_table
from pipelines.runs.parameters import read_parameters
from pipelines.runs.registry import ENTRIES
from pipelines.system.errors import note
from pipelines.system.files import replaced_folder

DEVIATIONS = "In what the runs of this profile depart from their papers"
COSTS = "What the trainings of each row cost, what one more seed would, and at what commits"
COSTS_REMARK = (
    "`git diff COMMIT -- method baselines pipelines` shows what has changed since a commit; with a "
    "+ the code differed from it then. `make verify` says where what a training runs has changed."
)
FORECAST = "What the papers' own experiments would cost, reckoned from this study's runs"


def receptive_fields(table: Table) -> pd.DataFrame:
    """Output side and receptive field of each block of MobileNet v2 at 512×512."""
    encoder = encoder_blocks(LAST_BLOCK)
    rows = []
    for number, (name, (side, field)) in enumerate(table.blocks.items()):
        own = receptive_field(encoder[: number + 1])
        rows.append(
            {
                "block": name,
                "output, paper": side,
                "output": REFERENCE_SIZE // own.stride,
                "receptive field, paper": field,
                "receptive field": own.size,
            }
        )
    return pd.DataFrame(rows)


def alignment(table: Table) -> pd.DataFrame:
    """Receptive field and A-score of each head, original and custom.

    The scale-aware SSD's paper prints 141 and 207 (557 and 687) for the extra layers; the recursion
    that gives the rest of its figures gives 139 and 203 (555 and 683).
    """
    anchors = table.anchors
    rows: list[dict[str, Any]] = [{"anchor": str(anchor)} for anchor in anchors] + [
        {"anchor": "mean"}
    ]
    for name, attach, printed in (
        ("original", ORIGINAL_ATTACHMENT, table.original),
        ("custom", CUSTOM_ATTACHMENT, table.custom),
    ):
        if printed is None:
            continue
        own = [head.size for head in SSD(SSDConfig(classes=3, attach=attach)).fields]
        scores = a_scores(own, anchors)
        for i, row in enumerate(rows[:-1]):
            row[f"{name}, field, paper"] = str(printed.fields[i])
            row[f"{name}, field"] = str(own[i])
            row[f"{name}, A-score, paper"] = f"{printed.a_scores[i]:.1f}"
            row[f"{name}, A-score"] = f"{scores[i]:.1f}"
        rows[-1] |= {
            f"{name}, field, paper": "",
            f"{name}, field": "",
            f"{name}, A-score, paper": f"{printed.mean:.1f}",
            f"{name}, A-score": f"{sum(scores) / len(scores):.1f}",
        }
    return pd.DataFrame(rows)


def speed_table(table: Table, device: str, speed: pd.DataFrame) -> pd.DataFrame:
    """Frames/s of each detector, and how many times the original SSD's, beside the paper's.

    Args:
        table: with the paper's own.
        device: that the paper's were measured on.
        speed: what `speed.csv` holds.
    """
    printed = speed["detector"].map(table.frames)
    ratio = printed / table.frames[table.reference]
    timed_there = printed.notna()
    return pd.DataFrame(
        {
            "detector": speed["detector"],
            "decoding and NMS": speed["postprocessing"].map({True: "yes", False: "no"}),
            "precision": speed["precision"],
            f"frames/s, paper ({device})": printed.map("{:.0f}".format, na_action="ignore").fillna(
                ""
            ),
            "frames/s": speed["frames_a_second"].map("{:.1f}".format),
            "ms, median": speed["median_ms"].map("{:.1f}".format),
            "ms, 95 %": speed["p95_ms"].map("{:.1f}".format),
            "× original, paper": ratio.map("{:.2f}".format).where(timed_there, ""),
            "× original [95 %]": [
                f"{ratio:.2f} [{low:.2f}, {high:.2f}]"
                for ratio, low, high in zip(
                    speed["ratio_to_original"],
                    speed["ratio_low"],
                    speed["ratio_high"],
                    strict=True,
                )
            ],
            "parameters, M": (speed["parameters"] / 1e6).map("{:.2f}".format),
            "GFLOPs": (speed["flops_an_image"] / 1e9).map("{:.2f}".format),
            "weights": speed["weights"],
            "device": speed["device"] + speed["threads"].map(", threads: {}".format),
        }
    )


def write_table(
    folder: Path, name: str, table: pd.DataFrame, caption: str, remark: str = ""
) -> None:
    """One table as CSV, Markdown and LaTeX; the Markdown is printed too."""
    table.to_csv(folder / f"{name}.csv", index=False)
    text = f"**{caption}**\n\n{table.to_markdown(index=False, disable_numparse=True)}\n"
    text += f"\n{remark}\n" if remark else ""
    print(text)
    (folder / f"{name}.md").write_text(text)
    latex = table.to_latex(index=False, caption=f"{caption}. {remark}".strip(), escape=True)
    (folder / f"{name}.tex").write_text(latex)


def write_tables(folder: Path, papers: Papers, study: Study) -> None:
    """All tables of the papers, the page of deviations, and what the study cost.

    Args:
        folder: where they go.
        papers: of `read_papers`.
        study: the profile's study.
    """
    for paper in papers:
        for table in paper.tables.values():
            built = BUILDERS[table.builder](paper, table, study)
            if built is not None:
                write_table(folder, table.file, built, table.caption, _remark(paper, table, study))
    write_table(folder, "deviations", deviations(study, papers), DEVIATIONS)
    write_table(folder, "costs", costs(study), COSTS, COSTS_REMARK)
    timed = study.folder / "speed.csv"
    if timed.exists() and study.spec.input_size == REFERENCE_SIZE:
        profiles = [profile for paper in papers for profile in paper.profiles]
        reckoned = forecast(study, read_parameters(), pd.read_csv(timed), profiles)
        write_table(folder, "forecast", reckoned, FORECAST, FORECAST_REMARK)


def _trained(paper: Paper, table: Table, study: Study) -> pd.DataFrame | None:
    """A query over runs; none where the study declares none of its rows."""
    if not _is_declared(table, study):
        return None
    built = trained_table(paper, table, study)
    return built.join(class_columns(table, study)) if table.classes else built


def _is_declared(table: Table, study: Study) -> bool:
    """Whether the study has the table's rows: one of them, or all where it is only shown whole."""
    declared = [study.row_spec(row) is not None for row in table.trained.values()]
    return all(declared) if table.whole else any(declared)


def _equal_cost(paper: Paper, table: Table, study: Study) -> pd.DataFrame | None:
    about = paper.tables[table.of]
    return equal_cost(about, study) if _is_declared(about, study) else None


def _timed(paper: Paper, table: Table, study: Study) -> pd.DataFrame | None:
    timed = study.folder / "speed.csv"
    return speed_table(table, paper.device, pd.read_csv(timed)) if timed.exists() else None


BUILDERS: Mapping[Builder, Callable[[Paper, Table, Study], pd.DataFrame | None]] = {
    Builder.TRAINED: _trained,
    Builder.RECEPTIVE_FIELDS: lambda paper, table, study: receptive_fields(table),
    Builder.ALIGNMENT: lambda paper, table, study: alignment(table),
    Builder.SPEED: _timed,
    Builder.CONVERGENCE: lambda paper, table, study: convergence(table, study),
    Builder.BALANCE: lambda paper, table, study: balance(table, study),
    Builder.CORRELATION: lambda paper, table, study: anchor_correlation(
        paper.tables[table.of], study
    ),
    Builder.EQUAL_COST: _equal_cost,
}
"""None is written where a builder gives none."""


def _remark(paper: Paper, table: Table, study: Study) -> str:
    """What is said below a table."""
    if table.builder is Builder.SPEED:
        return " ".join([table.remark, *not_timed(table, study.folder)]).strip()
    if table.builder is not Builder.TRAINED:
        return table.remark
    said = (
        study.notice,
        table.remark,
        "The numbers are explained in `deviations.md`.",
        paper.remark,
        DIFFERENCES,
        TRAINED_AT,
    )
    return " ".join(part for part in said if part)


def not_timed(table: Table, folder: Path) -> list[str]:
    """What the detectors need that the paper times and the study's `speed.csv` does not have."""
    timed = set(pd.read_csv(folder / "speed.csv")["detector"])
    left_out = [ENTRIES[name] for name in table.frames if name in ENTRIES.keys() - timed]
    return [
        f"{entry.name} is not timed: it needs {entry.needs}." for entry in left_out if entry.needs
    ]


DIFFERENCES = (
    "Δ is the mean difference to the reference row over the seeds both have. Its 95 % interval "
    "comes from drawing test images anew and from the spread between seeds, pooled over the rows "
    "that have several, if there are any. A difference whose interval holds 0 says nothing."
)
TRAINED_AT = (
    "At what commits each row was trained stands in `costs.md`; what has changed since, `make "
    "verify` says."
)


def make_tables(profile: str) -> None:
    """All tables of a profile's study, in its folder.

    Raises:
        UserError: there is no such profile, or no ledger yet.
    """
    study = Study.open(profile)
    papers = read_papers()
    with replaced_folder(study.folder / "tables") as folder:
        write_tables(folder, papers, study)
    if changes := study_changes(study):
        note(changes)
