"""The papers' files are read whole, and what is wrong in one is said with file and place."""

import pytest
import yaml

from pipelines.evidence.papers import read_papers
from pipelines.system.errors import UserError

PAPER = {"name": "a", "short": "A", "title": "A paper", "year": 2020}
CONDITION = {
    "number": "A1",
    "name": "data",
    "paper": "TomatOD",
    "here": ["{dataset}"],
    "alike": {"dataset": "tomatod"},
}
TABLE = {
    "title": "Table 1",
    "file": "table1",
    "caption": "Detectors",
    "factor": "detector",
    "reference": "plain",
    "rows": {"plain": {"row": "plain", "AP": 30}},
}
HEADS = {"fields": [43, 107], "a_scores": [1.7, 2.8], "mean": 2.2}
ALIGNED = {
    "title": "Table 2",
    "file": "table2",
    "caption": "Alignment",
    "builder": "alignment",
    "anchors": [25, 38, 58],
    "original": HEADS,
    "custom": HEADS,
}
CLAIM = {"id": "one", "place": "§1", "text": "So it is", "check": {"missing": "a figure"}}


def folder_of(place, **files):
    """A folder of papers with these files, by their names without an ending."""
    for name, content in files.items():
        (place / f"{name}.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return place


def with_(part, **changes):
    return {**part, **changes}


def without(part, key):
    return {name: value for name, value in part.items() if name != key}


def test_the_newest_paper_comes_first(tmp_path):
    folder_of(tmp_path, old=with_(PAPER, year=2019), new=with_(PAPER, name="b", short="B"))
    papers = read_papers(tmp_path)
    assert [paper.name for paper in papers] == ["b", "a"]
    assert (papers.findings, papers.choices) == ((), ())


def test_both_papers_of_the_project_are_read():
    papers = read_papers()
    assert [paper.short for paper in papers] == ["Scale-aware SSD", "LapNet"]
    ssd, lapnet = papers
    assert ssd.images_seen == 94_500  # 500 epochs of 189 images
    assert lapnet.images_seen == 120_000 * 16
    assert ssd.deviations == {"AP": 1.9, "AP50": 2.7}
    assert lapnet.deviations == {}
    assert papers.compared["custom SSD, custom training"] == "sampler-dns"
    assert papers.tables["lapnet-table2a"][1].trained["PONO, yes"] == "lapnet"
    assert papers.tables["balance"][1].trained["1:1"] == "sampler-one-to-one"
    assert papers.tables["table1"][1].trained == {}
    assert len(papers.findings) <= 12


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ([1], r"a\.yaml must be a mapping"),
        (without(PAPER, "year"), r"a\.yaml lacks year"),
        (with_(PAPER, year="2020"), "year must be a whole number, not '2020'"),
        (with_(PAPER, authors="A. Author"), "authors must be a list"),
        (with_(PAPER, speed=1), "there is no 'speed'; there are .*device"),
        (with_(PAPER, noise="table9"), "there is no table 'table9'; there are none"),
        (with_(PAPER, detectors=["yolo"]), "there is no detector 'yolo'; there are .*lapnet"),
        (
            with_(PAPER, conditions=[with_(CONDITION, detectors=["yolo"])]),
            "there is no detector 'yolo'; there are .*lapnet",
        ),
        (with_(PAPER, conditions=[without(CONDITION, "paper")]), "conditions: A1 lacks paper"),
        (
            with_(PAPER, conditions=[with_(CONDITION, alike={"datset": "x"})]),
            "conditions: A1: no parameter 'datset'",
        ),
        (
            with_(PAPER, conditions=[with_(CONDITION, alike={"input_size": {"above": 5}})]),
            "A1: input_size: needs one of one of, at least, exactly",
        ),
        (
            with_(PAPER, conditions=[with_(CONDITION, alike={"first_weights": "good"})]),
            "first_weights must be one of random",
        ),
        (
            with_(PAPER, conditions=[with_(CONDITION, here=["{size}"])]),
            "conditions: A1: here: there is no 'size'",
        ),
        (
            with_(PAPER, conditions=[with_(CONDITION, here=["{dataset:g}"])]),
            "conditions: A1: here: ",
        ),
        (with_(PAPER, conditions=[CONDITION, CONDITION]), "conditions: A1 stands there twice"),
        (with_(PAPER, tables={"t": without(TABLE, "file")}), r"a\.yaml: t lacks file"),
        (with_(PAPER, tables={"t": without(TABLE, "factor")}), "t: trained needs factor"),
        (with_(PAPER, tables={"t": with_(TABLE, builder="magic")}), "must be one of trained, "),
        (with_(PAPER, tables={"t": with_(TABLE, builder="speed")}), "t: speed needs frames"),
        (with_(PAPER, tables={"t": with_(TABLE, reference="x")}), "t: no row is 'x'"),
        (
            with_(PAPER, tables={"t": with_(TABLE, builder="speed", frames={"ssdlite": 9})}),
            "t: no row is 'plain'",
        ),
        (
            with_(
                PAPER, tables={"t": with_(TABLE, rows={"plain": {"row": "plain", "a_score": 2}})}
            ),
            "t: plain: a row with an a_score is named by its anchors",
        ),
        (
            with_(
                PAPER, tables={"t": with_(TABLE, rows={"x": {"row": "plain", "per_class": [1]}})}
            ),
            "t: x: per_class has 1 figures for 0 classes",
        ),
        (
            with_(PAPER, tables={"t": ALIGNED}),
            "t: each of its anchors needs one field and one A-score",
        ),
        (with_(PAPER, tables={"t": with_(TABLE, of="u")}), "no table 'u'; there are t"),
        (
            with_(
                PAPER, tables={"t": with_(TABLE, rows={"plain": {"row": "plain", "AP": [1, 2]}})}
            ),
            "t: plain: AP must be a figure or",
        ),
        (with_(PAPER, tables={"t": TABLE, "u": TABLE}), "tables: table1 stands there twice"),
        (with_(PAPER, noise="t", tables={"t": TABLE}), "its reference row must print"),
        (
            with_(PAPER, figures={"f": {"title": "F", "file": "f", "builder": "class-counts"}}),
            "f: class-counts needs boxes, weights, data",
        ),
        (with_(PAPER, claims=[without(CLAIM, "check")]), "claim one lacks check"),
        (with_(PAPER, claims=[CLAIM, CLAIM]), "claims: one stands there twice"),
    ],
)
def test_what_is_wrong_in_a_paper_s_file_is_said_with_its_place(tmp_path, entry, message):
    with pytest.raises(UserError, match=message):
        read_papers(folder_of(tmp_path, a=entry))


def test_a_folder_without_papers_or_with_two_of_one_name_is_refused(tmp_path):
    with pytest.raises(UserError, match="there is no paper; write one"):
        read_papers(tmp_path)
    with pytest.raises(UserError, match="papers' name: a stands there twice"):
        read_papers(folder_of(tmp_path, a=PAPER, b=PAPER))


def test_a_file_that_is_no_yaml_is_refused(tmp_path):
    (tmp_path / "a.yaml").write_text("name: [")
    with pytest.raises(UserError, match=r"a\.yaml: cannot be read"):
        read_papers(tmp_path)


def test_more_findings_than_a_reader_keeps_are_refused(tmp_path):
    with pytest.raises(UserError, match="13 findings"):
        read_papers(folder_of(tmp_path, a=PAPER, findings=[{"says": "x", "answers": {}}] * 13))
