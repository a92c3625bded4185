"""Figure 4: boxes of each class, and the weights that follow."""

from pipelines.evidence.figures import class_counts
from pipelines.evidence.papers import read_papers

COUNTS = read_papers()["scale_aware_ssd"].figures["figure4"]


def test_figure_4_counts_the_boxes_of_all_splits():
    splits = {"train": {"a": 5, "b": 0, "c": 2}, "test": {"a": 1, "b": 0, "c": 4}}
    manifest = {"splits": {name: {"boxes_per_class": boxes} for name, boxes in splits.items()}}
    assert class_counts.boxes_by_class(manifest) == {"a": 6, "b": 0, "c": 6}


def test_the_paper_s_boxes_give_the_paper_s_class_weights():
    weights = class_counts.balance_weights(COUNTS.boxes)
    assert [round(weight, 1) for weight in weights.values()] == [1.0, 4.0, 3.7]
    assert class_counts.balance_weights({"a": 6, "b": 0, "c": 3}) == {"a": 1, "c": 2}
