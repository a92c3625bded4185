"""Figure 1: boxes by their size, counted, kept in a file, and the published ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.evidence.figures import object_sizes
from pipelines.evidence.papers import read_papers
from pipelines.system.errors import UserError

FIGURES = read_papers()["scale_aware_ssd"].figures
SIZES, COUNTS = FIGURES["figure1"], FIGURES["figure4"]


def split_of(boxes, width=300, height=400):
    """Boxes in one image, whose diagonal is 500 pixels; the last box is a crowd region."""
    annotations = [
        Annotation(i, 1, 1, box, int(i == len(boxes)), box[2] * box[3])
        for i, box in enumerate(boxes, start=1)
    ]
    image = ImageRecord(1, "a.png", width, height)
    return CocoSplit((image,), (Category(1, "ripe"),), tuple(annotations))


def test_boxes_are_counted_by_their_diagonal_over_the_image_s():
    # Diagonals 25, 30, 50 and 100 of 500 pixels: 5, 6, 10 and 20 percent; the crowd region is not
    # an object.
    boxes = [(9, 9, 15, 20), (0, 0, 18, 24), (5, 0, 30, 40), (0, 0, 60, 80), (0, 0, 3, 4)]
    counts = object_sizes.size_counts(split_of(boxes))
    assert {size: count for size, count in enumerate(counts) if count} == {5: 1, 6: 1, 10: 1, 20: 1}


def test_shares_by_hand():
    assert object_sizes.shares(np.array([0, 3, 1])).tolist() == [0, 75, 25]


@given(st.lists(st.integers(1, 10**6), min_size=1))
def test_shares_add_up_to_a_hundred(counts):
    assert object_sizes.shares(np.array(counts)).sum() == pytest.approx(100)


def test_a_training_split_without_a_box_is_refused():
    with pytest.raises(UserError, match="no box"):
        object_sizes.size_counts(split_of([(0, 0, 30, 40)]))


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_sizes_come_back_from_their_file_as_they_were(tmp_path_factory, counts):
    path = tmp_path_factory.mktemp("sizes") / "figure1.csv"
    object_sizes.write_counts(path, np.array(counts))
    assert object_sizes.read_counts(path).tolist() == counts


@pytest.mark.parametrize("text", ["", "a,b\n1,2\n", '"relative size from, %",boxes\n0,x\n'])
def test_a_file_without_sizes_is_refused(tmp_path, text):
    (tmp_path / "figure1.csv").write_text(text)
    with pytest.raises(UserError, match=r"figure1\.csv: cannot be read"):
        object_sizes.read_counts(tmp_path / "figure1.csv")


def test_the_published_histogram_has_the_published_boxes():
    bins = SIZES.bins
    assert list(SIZES.classes) == list(COUNTS.boxes)
    # The class counts of TomatOD's training list.
    assert np.sum(list(bins.values()), axis=0).tolist() == [1301, 320, 332]
    counts = object_sizes.published_counts(SIZES)
    assert (counts.sum(), counts[4], counts[15], counts[22]) == (1953, 348 + 72 + 98, 0, 1)
