"""What a paper's own noise lets it tell."""

from pipelines.evidence.claims.verdicts import Verdict


def test_a_printed_difference_is_held_against_the_paper_s_own_noise(study, ask):
    given = ask(study, told="table7", rows=["1:1", "dns"], metric="AP50")
    assert given.verdict is Verdict.INCONCLUSIVE
    assert given.published == "-7"
    assert given.why.startswith("z -1.8: one run has a standard deviation of 2.7 AP50")
    original = "SSD MobileNet v2 (TF Object Detection API)"
    given = ask(
        study, told="table3", rows=["custom SSD, original training", original], metric="AP50"
    )
    assert given.verdict is Verdict.REPRODUCED  # +20.9: z 5.5


def test_a_difference_called_comparable_must_not_stand_out(study, ask):
    rows = ["custom SSD, custom training", "RetinaNet R50 (Detectron2)"]
    given = ask(study, told="table3", rows=rows, metric="AP50", **{"as": "comparable"})
    assert given.verdict is Verdict.REPRODUCED  # -1.6 / (2.7 √2): z -0.4
    given = ask(study, told="table3", rows=rows, metric="AP", **{"as": "comparable"})
    assert given.verdict is Verdict.CONTRADICTED  # -12.4 / (1.9 √2): z -4.6


def test_a_difference_in_the_text_is_one_of_two_single_runs(study, ask):
    given = ask(study, metric="AP", **{"told-size": 2, "as": "comparable"})
    assert given.verdict is Verdict.REPRODUCED
    assert given.why.startswith("z +0.7:")  # 2 / (1.9 √2)


def test_no_row_of_tables_5_to_7_stands_out_of_the_noise_of_a_run(study, ask):
    given = ask(study, published="all", **{"told-apart": ["table5", "table6", "table7"]})
    # Five, three and two rows beside the reference, two metrics each; the largest is the 5 AP50
    # of 20/41/81/164 below 25/38/58/87, and its 4 AP: 4 / (1.9 √2) = 1.49
    assert (given.ours, given.verdict) == ("0 of 20 differences", Verdict.INCONCLUSIVE)
    assert "the largest |z| is 1.5" in given.why
