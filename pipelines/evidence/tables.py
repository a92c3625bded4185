"""The papers' tables as queries over the ledger.

Tables 1 and 2 of the scale-aware SSD's paper follow from the network alone, its Table 4 from what
was timed, all others from runs. LapNet's are named `lapnet-table…`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from method.mobilenet import LAST_BLOCK, encoder_blocks
from method.receptive_field import receptive_field
from method.scale import REFERENCE_SIZE, a_scores
from method.ssd import CUSTOM_ATTACHMENT, ORIGINAL_ATTACHMENT, SSD, SSDConfig
from pipelines.evidence.conditions import Paper, explain_departures
from pipelines.evidence.costs import costs
from pipelines.evidence.deviations import deviations
from pipelines.evidence.findings import WITHIN, anchor_correlation, balance, convergence
from pipelines.evidence.forecast import REMARK as FORECAST_REMARK
from pipelines.evidence.forecast import forecast
from pipelines.evidence.paper_noise import noise_of
from pipelines.evidence.study import Study, class_columns, trained_table
from pipelines.runs.parameters import read_parameters
from pipelines.runs.spec import DetectorName
from pipelines.system.files import replaced_folder
from pipelines.system.paths import PAPERS

SSD_TABLES = (
    "table3", "table5", "table6", "table7", "table8", "augmentation", "released", "heads", "taps",
)  # fmt: skip
LAPNET_TABLES = ("table1", "table2a", "table2b", "table2b-sgd", "table3")
SLIP = "The paper's fields of the extra layers depart from its own recursion by 2 and 4 pixels."
SPEED = "One image at a time at 512×512"
SPEED_REMARK = (
    "A two-stage detector decodes and suppresses in its midst and has no row without. "
    "Untrained detectors are timed where the profile has no run at this input size."
)
CONVERGENCE = (
    f"When validation AP first stays within {WITHIN:g} point of its final value (paper: §5.3)"
)
BALANCE = "Samples in a minibatch, and negatives to one positive, over the training (paper: §3.3)"
DEVIATIONS = "In what the runs of this profile depart from their papers"
COSTS = "What the trainings of each row cost, and what one more seed would"
FORECAST = "What the papers' own experiments would cost, reckoned from this study's runs"
CORRELATION = "Does the A-score go with AP? Over the anchor sets of Table 5 (paper: §5.1)"


def table1(paper: Mapping[str, Any]) -> pd.DataFrame:
    """Output side and receptive field of each block of MobileNet v2 at 512×512."""
    encoder = encoder_blocks(LAST_BLOCK)
    rows = []
    for number, (name, (side, field)) in enumerate(paper["table1"].items()):
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


def table2(paper: Mapping[str, Any]) -> pd.DataFrame:
    """Receptive field and A-score of each head, original and custom.

    The paper prints 141 and 207 (557 and 687) for the extra layers; the recursion that gives the
    rest of its figures gives 139 and 203 (555 and 683).
    """
    anchors = paper["table2"]["anchors"]
    rows: list[dict[str, Any]] = [{"anchor": str(anchor)} for anchor in anchors] + [
        {"anchor": "mean"}
    ]
    for name, attach in (("original", ORIGINAL_ATTACHMENT), ("custom", CUSTOM_ATTACHMENT)):
        printed = paper["table2"][name]
        own = [head.size for head in SSD(SSDConfig(classes=3, attach=attach)).fields]
        scores = a_scores(own, anchors)
        for i, row in enumerate(rows[:-1]):
            row[f"{name}, field, paper"] = str(printed["fields"][i])
            row[f"{name}, field"] = str(own[i])
            row[f"{name}, A-score, paper"] = f"{printed['a_scores'][i]:.1f}"
            row[f"{name}, A-score"] = f"{scores[i]:.1f}"
        rows[-1] |= {
            f"{name}, field, paper": "",
            f"{name}, field": "",
            f"{name}, A-score, paper": f"{printed['mean']:.1f}",
            f"{name}, A-score": f"{sum(scores) / len(scores):.1f}",
        }
    return pd.DataFrame(rows)


def table4(paper: Mapping[str, Any], speed: pd.DataFrame) -> pd.DataFrame:
    """Frames/s of each detector, and how many times the original SSD's, beside the paper's.

    The paper names neither precision nor threads, nor says whether its time includes suppression.
    `paper` is `scale_aware_ssd` of papers.yaml, `speed` what `speed.csv` holds.
    """
    printed = speed["detector"].map(paper["table4"])
    ratio = printed / paper["table4"][DetectorName.SSD_MOBILENET_V2]
    timed_there = printed.notna()
    return pd.DataFrame(
        {
            "detector": speed["detector"],
            "decoding and NMS": speed["postprocessing"].map({True: "yes", False: "no"}),
            "precision": speed["precision"],
            "frames/s, paper (RTX 3090)": printed.map("{:.0f}".format, na_action="ignore").fillna(
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


def write_tables(folder: Path, papers: Mapping[str, Any], study: Study) -> None:
    """All tables of both papers, the page of deviations, and what the study cost.

    Args:
        folder: where they go.
        papers: papers.yaml.
        study: the profile's study.
    """
    write_ssd_tables(folder, papers[Paper.SSD], study)
    write_lapnet_tables(folder, papers[Paper.LAPNET], study)
    write_table(folder, "deviations", deviations(study, papers), DEVIATIONS)
    write_table(folder, "costs", costs(study), COSTS)
    timed = study.folder / "speed.csv"
    if timed.exists() and study.spec.input_size == REFERENCE_SIZE:
        table = forecast(study, read_parameters(), pd.read_csv(timed))
        write_table(folder, "forecast", table, FORECAST, FORECAST_REMARK)


def declared_tables(names: Sequence[str], paper: Mapping[str, Any], study: Study) -> list[str]:
    """The tables of which the study declares some row."""
    return [
        name
        for name in names
        if any(study.row_spec(row["row"]) for row in paper[name]["rows"].values() if "row" in row)
    ]


def write_ssd_tables(folder: Path, paper: Mapping[str, Any], study: Study) -> None:
    """Tables 1 to 8 of the scale-aware SSD's paper, and what its text claims beside them."""
    write_table(folder, "table1", table1(paper), "Receptive fields of MobileNet v2 at 512×512")
    write_table(folder, "table2", table2(paper), "Alignment of heads and anchors", SLIP)
    timed = study.folder / "speed.csv"
    if timed.exists():
        write_table(folder, "table4", table4(paper, pd.read_csv(timed)), SPEED, SPEED_REMARK)
    remark = f"{study.notice} {explain_departures(Paper.SSD)}".strip()
    for name in declared_tables(SSD_TABLES, paper, study):
        table = trained_table(Paper.SSD, paper[name], study, noise_of(paper["table8"]))
        write_table(folder, name, table, paper[name]["caption"], remark)
    write_table(folder, "convergence", convergence(study), CONVERGENCE)
    write_table(folder, "balance", balance(study), BALANCE)
    write_table(folder, "correlation", anchor_correlation(paper, study), CORRELATION)


def write_lapnet_tables(folder: Path, paper: Mapping[str, Any], study: Study) -> None:
    """Tables 1, 2a, 2b and 3 of LapNet's paper."""
    remark = f"{study.notice} {explain_departures(Paper.LAPNET)}".strip()
    for name in declared_tables(LAPNET_TABLES, paper, study):
        table = trained_table(Paper.LAPNET, paper[name], study)
        if name == "table1":
            table = table.join(class_columns(paper[name], study))
        write_table(folder, f"lapnet-{name}", table, paper[name]["caption"], remark)


def make_tables(profile: str) -> None:
    """All tables of a profile's study, in its folder.

    Raises:
        UserError: there is no such profile, or no ledger yet.
    """
    study = Study.open(profile)
    papers = yaml.safe_load(PAPERS.read_text(encoding="utf-8"))
    with replaced_folder(study.folder / "tables") as folder:
        write_tables(folder, papers, study)
