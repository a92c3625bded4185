"""Tables 1 and 2 must come out as the papers print them; trained tables are exact queries."""

import pandas as pd
import yaml

from pipelines.ledger import row_key
from pipelines.runtime import REPOSITORY
from pipelines.spec import RunSpec
from pipelines.tables import spread, table1, table2, table7

PAPER = yaml.safe_load((REPOSITORY / "papers.yaml").read_text())["scale_aware_ssd"]


def test_table_1_equals_the_paper():
    table = table1(PAPER)
    assert len(table) == 18
    assert (table["receptive field"] == table["receptive field, paper"]).all()
    assert (table["output"] == table["output, paper"]).all()


def test_table_2_equals_the_paper_but_for_its_slip():
    table = table2(PAPER)
    assert list(table["custom, field"][:4]) == ["43", "107", "139", "203"]
    assert list(table["custom, field, paper"][:4]) == ["43", "107", "141", "207"]
    assert list(table["original, field"][:4]) == ["299", "491", "555", "683"]
    # 43/25 = 1.72, 107/38 = 2.82, 139/58 = 2.40, 203/87 = 2.33; their mean 2.32.
    assert list(table["custom, A-score"]) == ["1.7", "2.8", "2.4", "2.3", "2.3"]
    assert table["custom, A-score"].iloc[-1] == table["custom, A-score, paper"].iloc[-1]


def test_table_7_takes_only_the_runs_that_the_row_asks_for():
    settings = {"profile": "quick"}
    dns = {**settings, "sampler": "dns", "class_weights": "1/4/3.7"}
    specs = [
        RunSpec.parse({**dns, "seed": 0}, "a"),
        RunSpec.parse({**dns, "seed": 1}, "b"),
        RunSpec.parse({**dns, "released": ["softmax-twice"]}, "c"),
        RunSpec.parse({**settings, "sampler": "dns"}, "d"),
    ]
    ledger = pd.DataFrame(
        {
            "row": [row_key(spec) for spec in specs],
            "AP": [30.0, 34.0, 99.0, 99.0],
            "AP50": [70.0, 71.0, 99.0, 99.0],
        }
    )
    table = table7(PAPER, ledger, settings).set_index("sampler")
    # mean 32; deviation sqrt((4 + 4) / 1) = 2.83
    assert table.loc["dns", "AP"] == "32.0 ± 2.8"
    assert (table.loc["dns", "n"], table.loc["basic", "n"]) == (2, 0)
    assert table.loc["basic", "AP"] == "no run"


def test_one_value_has_no_spread():
    assert spread(pd.Series([12.34])) == "12.3"
    assert spread(pd.Series([1.0, 3.0])) == "2.0 ± 1.4"
