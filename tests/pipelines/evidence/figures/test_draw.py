"""All figures of a study; others' photographs stay in `gallery`."""

import pytest

from pipelines.evidence.figures import object_sizes
from pipelines.evidence.figures.draw import draw_figures
from pipelines.evidence.figures.style import save, styled
from pipelines.evidence.papers import read_papers
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from tests.pipelines.evidence.figures.runs import found, write_run

PAPERS = read_papers()
SIZES = PAPERS["scale_aware_ssd"].figures["figure1"]


def parameters(dataset):
    return {
        "rows": {row: {} for row in PAPERS.compared.values()} | {"sampler-dns": {"sampler": "dns"}},
        "profiles": {
            "small": {
                "settings": {"dataset": dataset, "input_size": 64, "width": 0.25},
                "overrides": {},
                "runs": {"train": ["anchors-25-38-58-87-s0", "sampler-dns-s0"]},
            }
        },
    }


@pytest.fixture
def results(prepared, tmp_path, monkeypatch):
    """Results with a run, of a profile whose data set, whatever its name, is the small one."""
    monkeypatch.setattr("pipelines.evidence.figures.draw.ensure_prepared", lambda *_: prepared)
    results = tmp_path / "results"
    write_run(results / "runs" / "sampler-dns-s0", prepared, [found(0.9)])
    return results


NUMBERS = [
    *(f"figures/figure{n}.{kind}" for n in (1, 2, 4) for kind in ("png", "svg")),
    "figures/figure1.csv",
]


def drawn(results, values):
    paths = draw_figures("small", values, PAPERS, results)
    return {str(path.relative_to(results)): path.read_bytes() for path in paths}


def test_other_data_s_pictures_go_to_the_gallery_and_the_same_figure_is_the_same_bytes(results):
    built_in = drawn(results, parameters("scenes"))
    assert set(built_in) == {*NUMBERS, "figures/figure3.png"}
    # A folder of the same name: what is drawn is the same, but it is somebody's photographs.
    others = drawn(results, parameters("somebody/scenes"))
    assert set(others) == {*NUMBERS, "gallery/figure3.png"}
    assert not (results / "figures" / "figure3.png").exists()
    assert others["gallery/figure3.png"] == built_in["figures/figure3.png"]
    assert all(others[name] == built_in[name] for name in NUMBERS)


def test_figure_1_can_be_drawn_again_from_its_file_alone(results, tmp_path):
    committed = drawn(results, parameters("scenes"))
    sizes = object_sizes.read_counts(results / "figures" / "figure1.csv")
    with styled():
        figure = object_sizes.draw(sizes, "scenes", SIZES, RunSpec().anchors)
        save(figure, tmp_path, "figure1", "png", "svg")
    assert (tmp_path / "figure1.svg").read_bytes() == committed["figures/figure1.svg"]


def test_without_a_finished_run_the_other_figures_are_drawn(results, capsys):
    (results / "runs").rename(results / "elsewhere")
    assert set(drawn(results, parameters("scenes"))) == set(NUMBERS)
    assert "Figure 3 is left out: no finished run on scenes" in capsys.readouterr().err


def test_a_column_for_a_row_that_is_not_declared_is_refused(results):
    values = parameters("scenes")
    values["profiles"]["small"]["shown"] = ["sampler-dns", "three"]
    with pytest.raises(UserError, match="there is no row 'three'"):
        drawn(results, values)
    assert not (results / "figures").exists()


def test_a_run_on_another_part_of_the_photographs_is_not_shown(results, prepared):
    alone = drawn(results, parameters("laboro-mosaics"))["gallery/figure3.png"]
    write_run(results / "runs" / "anchors-25-38-58-87-s0", prepared, [found(0.9)])
    assert drawn(results, parameters("laboro-mosaics"))["gallery/figure3.png"] != alone
    folded = parameters("laboro-mosaics")
    folded["profiles"]["small"]["overrides"] = {"anchors-25-38-58-87": {"fold": "0"}}
    assert drawn(results, folded)["gallery/figure3.png"] == alone
