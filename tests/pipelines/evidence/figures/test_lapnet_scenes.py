"""LapNet's Figures 3 and 5 show what its anchors and its network make of a test image."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import same_color
from matplotlib.patches import Rectangle
from safetensors.torch import save_file
from torchvision.ops import box_convert, box_iou

from method.lapnet.detector import LapNet, LapNetConfig
from pipelines.data.prepared import PreparedSplit
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.evidence.figures import ambiguous_anchors, overlap
from pipelines.evidence.figures.close_up import View, shared_areas
from pipelines.evidence.figures.style import GREEN, save, styled
from pipelines.runs.spec import DetectorName, RunSpec
from pipelines.system.errors import UserError
from tests.pipelines.records import record_of

SIZE, STRIDE, SHAPES = 64, 8, 10


def split_of(*images):
    """64×64 images of (category, x, y, width, height)."""
    annotations = [
        Annotation(100 * number + k, number, category, box, 0, box[2] * box[3])
        for number, objects in enumerate(images, start=1)
        for k, (category, *box) in enumerate(objects)
    ]
    records = tuple(ImageRecord(i + 1, f"{i}.png", SIZE, SIZE) for i in range(len(images)))
    pixels = np.random.default_rng(0).integers(0, 255, (len(images), SIZE, SIZE, 3), np.uint8)
    categories = (Category(1, "green"), Category(2, "red"))
    return PreparedSplit(pixels, CocoSplit(records, categories, tuple(annotations)))


TRAIN = split_of([(1 + k % 2, 0, 0, 8 + k % 25, 8 + k // 2) for k in range(48)])
TEST = split_of(
    [(1, 40, 40, 12, 12), (1, 50, 40, 12, 12)],
    # The greens share 10×4 pixels, each of them much more with the red one.
    [(1, 6, 6, 16, 16), (2, 8, 8, 28, 16), (1, 18, 10, 16, 16), (1, 40, 40, 16, 16)],
    [(1, 4, 4, 10, 10)],
)
APART = split_of([(1, 0, 0, 16, 16), (2, 4, 4, 16, 16), (1, 40, 40, 16, 16)])


def fit_to_objects(detector, split):
    images = range(len(split.images))
    detector.fit_to_objects(
        [torch.from_numpy(split.boxes(i)) for i in images],
        [torch.from_numpy(split.labels(i)) for i in images],
    )


# The close-up of Figures 3 and 5


def test_shared_areas_by_hand():
    expected = np.zeros((4, 4))
    expected[0, 2] = expected[2, 0] = 4 * 12
    assert (shared_areas(TEST, 1) == expected).all()


@st.composite
def some_boxes(draw):
    corner, side = st.floats(0, 60), st.floats(1, 60)
    boxes = draw(st.lists(st.tuples(corner, corner, side, side), min_size=1, max_size=4))
    return np.array([(x, y, min(x + w, SIZE), min(y + h, SIZE)) for x, y, w, h in boxes], "f4")


@given(some_boxes())
def test_a_view_is_a_square_inside_the_image_and_holds_its_boxes(boxes):
    view = View.around(boxes, SIZE)
    assert min(view.left, view.top) >= 0
    assert max(view.end) <= SIZE + 1e-3
    grown = View(view.left - 1e-3, view.top - 1e-3, view.side + 2e-3)
    assert grown.holds(boxes.reshape(-1, 2)).all()
    assert not view.holds(np.array([[view.left - 1, view.top], [view.left, view.end[1] + 1]])).any()


# Figure 3


@pytest.fixture(scope="module")
def scene3():
    return overlap.find_scene(TRAIN, TEST)


def ious(boxes, shapes):
    """N×A×8×8 IoU of boxes with the anchors of these A shapes, one anchor at a time."""
    anchors = [
        ((x + 0.5) * STRIDE, (y + 0.5) * STRIDE, width, height)
        for width, height in shapes
        for y in range(SIZE // STRIDE)
        for x in range(SIZE // STRIDE)
    ]
    corners = box_convert(torch.tensor(anchors, dtype=torch.float32), "cxcywh", "xyxy")
    overlap = box_iou(torch.as_tensor(boxes), corners)
    return overlap.view(len(boxes), len(shapes), SIZE // STRIDE, SIZE // STRIDE).numpy()


def test_figure_3_takes_the_two_of_one_class_with_most_pixels_in_common(scene3):
    assert scene3.class_name == "green"
    assert scene3.boxes.tolist() == [[6, 6, 22, 22], [18, 10, 34, 26]]
    assert (scene3.pixels == TEST.images[1]).all()


def test_figure_3_shows_whose_each_anchor_is_and_its_overlap_over_the_object_s_highest(scene3):
    greens = TEST.boxes(1)[TEST.labels(1) == 1]
    overlap = ious(greens, scene3.shapes)
    best = np.where(overlap.max(axis=0) > 0, overlap.argmax(axis=0), -1)
    assert (scene3.owners == best[scene3.shape]).all()
    pono = np.zeros_like(scene3.pono)
    for number in (0, 1):
        highest = overlap[number][best == number].max()
        assert scene3.highest[number] == pytest.approx(highest)
        mine = best[scene3.shape] == number
        pono[mine] = overlap[number, scene3.shape][mine] / highest
        assert scene3.pono[mine].max() == 1
    np.testing.assert_allclose(scene3.pono, pono, atol=1e-5)


def test_figure_3_marks_the_cells_where_pono_is_1(scene3):
    anchors, pono = overlap.draw(scene3).axes[1:4:2]
    cells = [p for p in pono.patches if isinstance(p, Rectangle) and p.get_width() == STRIDE]
    marked = {cell.get_xy() for cell in cells}
    assert marked == {(STRIDE * x, STRIDE * y) for y, x in np.argwhere(scene3.pono == 1)}
    assert len(anchors.patches) == SHAPES


def test_without_two_that_overlap_figure_3_is_left_out(capsys):
    assert overlap.find_scene(TRAIN, APART) is None
    assert "overlaps are left out" in capsys.readouterr().err


# Figure 5


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A LapNet that predicts the anchors themselves."""
    folder = tmp_path_factory.mktemp("runs") / "lapnet-s0"
    folder.mkdir()
    spec = RunSpec(detector=DetectorName.LAPNET, input_size=SIZE)
    (folder / "run.json").write_text(json.dumps(record_of(spec, classes=TRAIN.class_names)))
    detector = LapNet(LapNetConfig(2, SIZE), seed=0)
    fit_to_objects(detector, TRAIN)
    torch.nn.init.zeros_(detector.network.offsets[-1].get_parameter("weight"))
    save_file(detector.state_dict(), folder / "model.safetensors")
    return folder


def points_of(line):
    return [tuple(point) for point in np.asarray(line.get_xydata())]


@pytest.fixture(scope="module")
def scene5(run):
    return ambiguous_anchors.find_scene(TEST, run)


def test_figure_5_shows_which_anchors_stay_positive_with_the_predicted_overlap(run, scene5):
    detector = ambiguous_anchors.trained_lapnet(run, TEST)
    greens = TEST.boxes(1)[TEST.labels(1) == 1]
    assert (scene5.boxes == greens).all()
    overlap = ious(greens, detector.shapes[0].numpy())
    best = overlap.argmax(axis=0)
    expected = {}
    for number in range(3):
        mine = (best == number) & (overlap[number] > 0)
        pono = overlap[number] / overlap[number][mine].max()
        for shape, y, x in np.argwhere(mine & (pono > 0.5)):
            place = ((x + 0.5) * STRIDE, (y + 0.5) * STRIDE, shape)
            # The two that overlap reach to 34 pixels, the view to 47.6.
            if max(place[:2]) > 47.6:
                continue
            # What is predicted is the anchor, so that Ô is the plain overlap.
            expected[place] = pono[shape, y, x] * overlap[number, shape, y, x] > 0.5
    places = [(x, y, s) for (x, y), s in zip(scene5.centres, scene5.shapes, strict=True)]
    assert dict(zip(places, scene5.positive, strict=True)) == expected
    assert len(set(expected.values())) == 2


def test_figure_5_draws_every_anchor_once_on_either_side_and_in_its_own_cell(scene5):
    left, right = ambiguous_anchors.draw(scene5).axes
    (before,), (positive, ambiguous) = left.lines, right.lines
    drawn = points_of(before)
    assert (abs(np.array(drawn) - scene5.centres) < STRIDE / 2).all()
    assert len(set(drawn)) == len(drawn)
    assert sorted(points_of(positive) + points_of(ambiguous)) == sorted(drawn)
    assert len(points_of(positive)) == scene5.positive.sum()
    assert same_color(positive.get_markerfacecolor(), GREEN)
    assert f"{len(drawn)} anchors" in left.get_title()


def test_without_weights_or_two_that_overlap_figure_5_is_left_out(run, tmp_path, capsys):
    assert ambiguous_anchors.find_scene(TEST, tmp_path / "lapnet-s0") is None
    assert "no weights of lapnet-s0" in capsys.readouterr().err
    assert ambiguous_anchors.find_scene(APART, run) is None
    assert "no two test objects of a class overlap" in capsys.readouterr().err


def test_another_input_size_is_refused(run, tmp_path):
    spec = RunSpec(detector=DetectorName.LAPNET, input_size=2 * SIZE)
    (tmp_path / "run.json").write_text(json.dumps(record_of(spec, classes=TRAIN.class_names)))
    (tmp_path / "model.safetensors").write_bytes((run / "model.safetensors").read_bytes())
    with pytest.raises(UserError, match="needs lapnet at 64; train the run again"):
        ambiguous_anchors.find_scene(TEST, tmp_path)


def test_broken_weights_are_refused(run, tmp_path):
    (tmp_path / "run.json").write_bytes((run / "run.json").read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot be loaded, train the run again"):
        ambiguous_anchors.find_scene(TEST, tmp_path)


def drawn_anew(run):
    yield "figure3.svg", overlap.draw, overlap.find_scene(TRAIN, TEST)
    yield "figure5.png", ambiguous_anchors.draw, ambiguous_anchors.find_scene(TEST, run)


def test_the_same_figure_is_the_same_bytes(run, tmp_path):
    copies = []
    with styled():
        for _ in range(2):
            for name, draw, scene in drawn_anew(run):
                save(draw(scene), tmp_path, *name.split("."))
                copies.append((tmp_path / name).read_bytes())
    assert copies[:2] == copies[2:]
