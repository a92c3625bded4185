"""By hand, on the scale-aware SSD's own tables."""

import math

import pytest

from pipelines.evidence.paper_noise import Figure, could_tell, z_score
from pipelines.evidence.paper_tables import Row
from pipelines.evidence.papers import read_papers

PAPER = read_papers()["scale_aware_ssd"]
NOISE = PAPER.deviations


def rows(table):
    return PAPER.tables[table].rows


def test_the_noise_is_what_table_8_prints():
    assert NOISE == {"AP": 1.9, "AP50": 2.7}


def test_two_single_runs_differ_by_the_root_of_two_deviations():
    # 1.96 · 2.7 · √2 = 7.5 AP50, 1.96 · 1.9 · √2 = 5.3 AP
    for metric, bound in (("AP50", 7.48), ("AP", 5.27)):
        figure = Figure.of(80 + bound, NOISE[metric])
        assert z_score(figure, Figure.of(80, NOISE[metric])) == pytest.approx(1.96, abs=0.005)


def test_means_of_fifteen_runs_are_closer_to_the_truth():
    own, other = rows("table8")["small objects"], rows("table8")["no"]
    found = z_score(*(Figure.of(r.printed["AP50"], NOISE["AP50"], 15) for r in (own, other)))
    assert found == pytest.approx((79.0 - 81.3) / math.sqrt((2.2**2 + 2.7**2) / 15))
    assert could_tell(own, other, NOISE, 15) == "AP no (z -1.7), AP50 yes (z -2.6)"


def test_no_difference_of_tables_5_to_7_stands_out_of_the_paper_s_own_noise():
    largest = 0.0
    for name in ("table5", "table6", "table7"):
        own = rows(name)
        reference = PAPER.tables[name].reference_row
        assert reference is not None
        for row in own.values():
            assert "yes" not in could_tell(row, reference, NOISE)
            for metric in ("AP", "AP50"):
                z = z_score(
                    *(Figure.of(r.printed[metric], NOISE[metric]) for r in (row, reference))
                )
                largest = max(largest, abs(z))
    assert largest == pytest.approx(1.49, abs=0.01)  # AP of 20/41/81/164: -4 / (1.9 √2)
    dns, one = (rows("table7")[name] for name in ("dns", "1:1"))
    assert could_tell(dns, one, NOISE) == "AP no (z +1.1), AP50 no (z +1.8)"


def test_nothing_is_said_where_nothing_is_printed():
    assert could_tell(Row("a", {}, "ssdlite"), Row("b", {"AP": 30}), NOISE) == ""
