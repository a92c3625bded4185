"""No claim is an orphan, and each kind of check answers as worked out by hand."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from pipelines.evaluation.timing import ROUNDS_FILE, Work, write_rounds
from pipelines.evidence.claims.ledger import CHECKS, COLUMNS, write_text
from pipelines.evidence.claims.statements import read_claims
from pipelines.evidence.claims.verdicts import Verdict
from pipelines.evidence.papers import read_papers
from pipelines.runs.parameters import read_parameters
from pipelines.runs.spec import DetectorName, Precision
from pipelines.system.errors import UserError
from pipelines.system.paths import REPOSITORY

PAPERS = read_papers()
CLAIMS = read_claims(PAPERS)

REPRODUCED = Verdict.REPRODUCED
NOT_PRINTED = {"table2/anchors", "figure1/bins", "figure1/range", "table8/repeats"}
"""Counted elsewhere, the names of Table 2's rows, and what is no figure."""


def printed_values(node, path=()):
    """Place of every number in the tables and figures of a paper's file."""
    if "/".join(path[:2]) in NOT_PRINTED:
        return
    if isinstance(node, dict):
        for key, child in node.items():
            yield from printed_values(child, (*path, str(key)))
    elif isinstance(node, list):
        for place, child in enumerate(node):
            yield from printed_values(child, (*path, str(place)))
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield "/".join(part for part in path if part not in ("blocks", "frames", "boxes"))


def test_every_printed_value_of_both_papers_has_a_claim():
    answered = {claim.place_in_file for claim in CLAIMS}
    values = {
        f"{paper.name}/{value}"
        for paper in PAPERS
        for part in ("tables", "figures")
        for value in printed_values(yaml.safe_load((REPOSITORY / paper.file).read_text())[part])
    }
    assert len(values) > 200
    assert values - answered == set()


def test_every_row_is_compared_with_its_table_s_reference():
    compared = {claim.source for claim in CLAIMS if claim.source.endswith("Δ")}
    assert "table7/rows/dns/AP50Δ" in compared
    assert "table2b/rows/1, 1, 1; cross-entropy/VOC07Δ" in compared
    assert "table3/rows/custom SSD, custom training/APΔ" in compared
    assert "table4/scale-aware-ssdΔ" in compared
    # Table 7 has three rows, of which one is the reference, and two metrics.
    assert sum(source.startswith("table7/") for source in compared) == 4


def test_no_two_claims_share_their_place():
    places = [claim.place_in_file for claim in CLAIMS]
    assert len(places) == len(set(places))


def test_every_claim_names_one_check_and_rows_that_are_declared():
    rows = set(read_parameters()["rows"])
    detectors = {name.value for name in DetectorName}
    for claim in CLAIMS:
        assert len(claim.check.keys() & CHECKS.keys()) == 1, claim.source
        named = [claim.check.get(key) for key in ("value", "protocol", "row")]
        named += [
            row
            for key in ("compare", "spread", "sooner", "repeats")
            for row in claim.check.get(key, ())
        ]
        named += [row for pair in claim.check.get("interaction", ()) for row in pair]
        assert {row for row in named if row} <= rows, claim.source
        assert set(claim.check.get("speed", ())) <= detectors


def test_every_claim_is_answered_and_no_study_has_to_be_complete(table):
    assert len(table) == len(CLAIMS)
    assert set(table["verdict"]) <= {verdict.value for verdict in Verdict}
    assert (table["why"] != "").all()
    assert tuple(table.columns[: len(COLUMNS)]) == COLUMNS


def test_the_text_has_every_claim_and_the_study_s_notice_before_them(study, table):
    text = write_text(table, replace(study, notice="Drawn scenes alone."), PAPERS, [])
    assert text.startswith("# The papers' claims, answered by `quick`\n\n**Drawn scenes alone.**")
    assert all(claim.text in text for claim in CLAIMS)
    assert "**Drawn scenes alone.**" not in write_text(table, study, PAPERS, [])


def test_a_claim_without_a_known_check_is_refused(study, ask):
    with pytest.raises(UserError, match=r"names one check of value, compare, .*, not none"):
        ask(study, guess="so", published=1)
    with pytest.raises(UserError, match="not value, compare"):
        ask(study, value="dns", compare=["dns", "basic"], published=1)


def test_a_claim_about_what_its_paper_does_not_have_is_refused(study, ask):
    wrong = r"papers/scale-aware-ssd\.yaml: claims/x: there is no "
    with pytest.raises(UserError, match=wrong + "'dnss'"):
        ask(study, printed="table7", rows=["dnss", "1:1"], metric="AP", published=3)
    with pytest.raises(UserError, match=wrong + "'published'"):
        ask(study, value="dns", metric="AP")
    with pytest.raises(UserError, match="there is no table or figure 'table99'"):
        ask(study, printed="table99", rows=["dns", "1:1"], metric="AP", published=3)


def test_an_absolute_value_names_what_differs_from_the_paper(study, ask):
    given = ask(study, value="dns", metric="AP", published=37.3)
    assert (given.verdict, given.ours, given.n) == (Verdict.NOT_TESTABLE, "32.0", "2")
    assert given.difference == "-5.3"
    assert "S1 data" in given.why
    assert ask(study, value="absent", metric="AP", published=1.0).why == "no run of absent in quick"
    assert "cites" in ask(study, value=None, metric="AP", published=1.0).why


def test_spread_and_best_stand_beside_the_mean(study, ask):
    deviation = ask(study, value="dns", metric="AP", statistic="deviation", runs=15, published=1.9)
    assert deviation.ours == "2.8"  # sqrt((4 + 4) / 1)
    best = ask(study, value="dns", metric="AP", statistic="best", runs=15, published=37.3)
    assert best.ours == "34.0"
    # 34 but for the chance of 15 draws of 30 in a row
    assert "best of 15 draws from our runs: 34.0 on average" in best.why


def test_a_difference_is_that_of_the_seeds_both_rows_have(study, ask):
    given = ask(study, compare=["dns", "basic"], metric="AP", published=1.0)
    point = {row: study.samples(row) for row in ("dns", "basic")}
    mean = np.mean([point["dns"][s].point["AP"] - point["basic"][s].point["AP"] for s in (0, 1)])
    assert (given.ours, given.n) == (f"{mean:+.1f}", "2")
    assert given.difference == f"{mean - 1:+.1f}"


def test_an_interaction_is_a_difference_of_differences(study, ask):
    pairs = [["dns", "basic"], ["basic", "dns"]]
    given = ask(study, interaction=pairs, metric="AP", published="higher")
    points = {row: study.samples(row) for row in ("dns", "basic")}
    gain = np.mean([points["dns"][s].point["AP"] - points["basic"][s].point["AP"] for s in (0, 1)])
    assert (given.ours, given.n) == (f"{2 * gain:+.1f}", "2")
    assert given.why == f"{gain:+.1f} for dns, {-gain:+.1f} for basic"
    nothing = ask(study, interaction=[pairs[0], pairs[0]], metric="AP", published="higher")
    assert (nothing.ours, nothing.verdict) == ("+0.0", Verdict.INCONCLUSIVE)
    unfair = ask(study, interaction=[pairs[0], ["one", "one"]], metric="AP", published="higher")
    assert "images seen (3,200 against 800)" in unfair.why


def test_what_is_not_sure_says_how_many_seeds_it_would_take(study, ask):
    given = ask(study, compare=["dns", "basic"], metric="AP", published=0.1)
    assert given.verdict is Verdict.INCONCLUSIVE
    assert "seeds a row (for 0.1 points" in given.why


def test_rows_that_saw_other_numbers_of_images_are_no_fair_pair(study, ask):
    given = ask(study, compare=["dns", "one"], metric="AP", published=1.0)
    assert given.verdict is Verdict.NOT_TESTABLE
    assert "images seen (3,200 against 800)" in given.why


def test_convergence_is_counted_in_epochs_of_the_run_s_own_training_set(study, ask):
    # 80 images in batches of 8: ten steps an epoch; steps 100 against 300 and 320.
    alone = ask(study, converge="dns", published=[40, 50])
    assert (alone.verdict, alone.ours) == (Verdict.NOT_TESTABLE, "10.0")
    sooner = ask(study, sooner=["dns", "basic"], published=[-30, -40])
    # -20 and -22; t(1) = 12.706 times a standard error of 1
    assert (sooner.ours, sooner.interval) == ("-21.0", "[-33.7, -8.3]")
    assert sooner.verdict is Verdict.REPRODUCED


def test_a_ratio_of_spreads_of_two_seeds_is_never_sure(study, ask):
    # sqrt(8) over sqrt(2)
    given = ask(study, spread=["dns", "basic"], metric="AP", runs=15, published=0.79)
    assert (given.ours, given.verdict) == ("2.00", Verdict.INCONCLUSIVE)


def test_a_table_s_own_figures_are_held_against_the_text(study, ask):
    rows = ["RetinaNet R50 (Detectron2)", "custom SSD, custom training"]
    slip = ask(study, printed="table3", rows=rows, metric="AP", published=12.2)
    assert (slip.verdict, slip.why) == (Verdict.CONTRADICTED, "its own Table 3 gives 12.40")
    right = ask(study, printed="table3", rows=rows, metric="AP50", published=1.6)
    assert right.verdict is Verdict.REPRODUCED


def test_the_paper_s_loss_of_ap_by_pretraining_is_not_significant_by_its_own_spread(study, ask):
    given = ask(
        study,
        significant="table8",
        rows=["small objects", "no"],
        metric="AP",
        runs=15,
        published="lower",
    )
    assert (given.ours, given.verdict) == ("-1.0", Verdict.INCONCLUSIVE)


def test_two_claims_never_ask_the_same_of_the_same_rows():
    asked = [
        (kind, claim.check.get("metric"), frozenset(map(str, claim.check[kind])))
        for claim in CLAIMS
        for kind in ("compare", "speed", "sooner", "spread")
        if kind in claim.check and None not in claim.check[kind]
    ]
    assert len(asked) > 40
    assert {one for one in asked if asked.count(one) > 1} == set()


def test_speed_is_the_ratio_of_whole_detections_in_fp32(own_study, ask):
    assert "not timed here" in ask(own_study, speed=["a", "b"], published=2.0).why
    pd.DataFrame(
        {
            "detector": ["a", "b", "a"],
            "precision": ["fp32", "fp32", "bf16"],
            "postprocessing": [True, True, True],
            "frames_a_second": [30.0, 20.0, 99.0],
            "weights": ["untrained", "b-s0", "b-s0"],
            "device": "AMD EPYC",
            "threads": 2,
            "rounds": 6,
        }
    ).to_csv(own_study.folder / "speed.csv", index=False)
    times = {
        Work("a", Precision.FP32, True): [10, 10, 20, 10, 20, 10],
        Work("b", Precision.FP32, True): [14, 16, 30, 15, 30, 13],
        Work("a", Precision.BF16, True): [1, 1, 1, 1, 1, 1],
    }
    write_rounds(times, own_study.folder / ROUNDS_FILE)
    ratio = ask(own_study, speed=["a", "b"], of=[200, 133])
    # Round by round 1.4, 1.6, 1.5, 1.5, 1.5, 1.3
    assert (ratio.verdict, ratio.ours, ratio.n) == (Verdict.REPRODUCED, "1.50", "6")
    assert ratio.interval == "[1.30, 1.60]"
    assert "untrained: a" in ratio.why
    frames = ask(own_study, frames="a", published=200)
    assert (frames.verdict, frames.ours) == (Verdict.NOT_TESTABLE, "30.0")
    assert "RTX 3090" in frames.why


def test_the_growth_of_anchors_is_the_mean_factor_from_one_to_the_next(study, ask):
    given = ask(study, derived="growth", anchors=[20, 41, 81, 164], published=1.7)
    assert (given.verdict, given.ours) == (Verdict.CONTRADICTED, "2.017")  # (164 / 20)^(1/3)
    given = ask(study, derived="growth", anchors=[25, 38, 58, 87], published=1.5)
    assert given.verdict is Verdict.REPRODUCED


def test_a_range_is_tested_by_the_sets_that_reach_its_ends(study, ask):
    given = ask(study, printed="table5", span="a_score", published=[1.5, 2.5])
    assert (given.verdict, given.ours) == (Verdict.CONTRADICTED, "1.9 to 2.3")
    assert ask(study, printed="table5", span="a_score", published=[1.9, 2.3]).verdict is REPRODUCED
    assert (
        ask(study, printed="table5", within="a_score", published=[1.8, 2.5]).verdict is REPRODUCED
    )
    assert (
        ask(study, printed="table5", within="a_score", published=[2.0, 2.5]).verdict
        is Verdict.CONTRADICTED
    )


def test_the_best_of_repeated_runs_is_held_against_the_headline(study, ask):
    best = ask(study, printed="table8", best="no", metric="AP", published=37.3)
    assert (best.verdict, best.ours) == (REPRODUCED, "37.3")


def test_a_paper_s_data_set_is_counted_where_the_study_has_it(own_study, ask):
    assert ask(own_study, dataset="boxes", splits=["train"], published=30).why == "data: tomatod"
    own_study.ledger["dataset"] = "tomatod"
    given = ask(own_study, dataset="boxes", splits=["train"], published=30)
    assert (given.verdict, given.ours) == (Verdict.REPRODUCED, "30")
    of_class = ask(own_study, dataset="class 2", splits=["train"], published=21)
    assert (of_class.verdict, of_class.difference) == (Verdict.CONTRADICTED, "-1")


def test_learned_weights_are_ranked_by_area_class_by_class(own_study, ask):
    for run in ("dns-s0", "dns-s1"):
        path = own_study.folder / "runs" / run / "run.json"
        record = json.loads(path.read_text())
        falling, rising = [3.0, 2.0, 1.0], [1.0, 2.0, 3.0]
        record["learned"] = {
            "anchors": [[[1, 1], [2, 2], [3, 3]]] * 2,
            "weights": {
                "grid_localisation": [falling, falling],
                "grid_classification": [falling, rising],
            },
        }
        path.write_text(json.dumps(record))
    given = ask(own_study, weights="area", row="dns", published="lower")
    # -1, -1, -1 and +1
    assert (given.ours, given.verdict) == ("-0.50", Verdict.REPRODUCED)
    assert ask(own_study, weights="count", row="dns", published="lower").why.startswith("2 classes")
