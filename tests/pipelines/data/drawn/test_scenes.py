"""The scenes follow the figures of TomatOD and can be told apart by ripeness.

The figures are those of TomatOD (Tsironis et al. 2020); the tolerances allow for 150 scenes.
"""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.data.drawn.drawing import Scene
from pipelines.data.drawn.scenes import CLASSES, draw_scene

SIZE = 128
SEED = 7


@pytest.fixture(scope="module")
def scenes() -> list[Scene]:
    return [draw_scene(SEED, index, SIZE) for index in range(150)]


def relative_sizes(scene: Scene) -> NDArray[np.float64]:
    """Box diagonals in percent of the image's."""
    return 100 * np.hypot(scene.boxes[:, 2], scene.boxes[:, 3]) / (SIZE * np.sqrt(2))


def redness(scene: Scene, box: NDArray[np.float64]) -> float:
    """Mean of red minus green over the middle half of a box."""
    x, y, w, h = box
    rows = slice(int(y + h / 4), int(y + 3 * h / 4) + 1)
    columns = slice(int(x + w / 4), int(x + 3 * w / 4) + 1)
    patch = scene.image[rows, columns].astype(float)
    return float((patch[..., 0] - patch[..., 1]).mean())


def test_fruits_per_image(scenes):
    counts = np.array([len(scene.boxes) for scene in scenes])
    assert counts.mean() == pytest.approx(8.8, abs=0.9)
    assert counts.std() == pytest.approx(3.8, abs=0.8)
    assert counts.min() >= 1
    assert counts.max() <= 20


def test_relative_sizes(scenes):
    sizes = [relative_sizes(scene) for scene in scenes]
    pooled = np.concatenate(sizes)
    low, middle, high = np.percentile(pooled, [5, 50, 95])
    assert low == pytest.approx(3.6, abs=0.35)
    assert middle == pytest.approx(5.1, abs=0.45)
    assert high == pytest.approx(9.5, abs=1.6)
    assert pooled.min() > 2.3
    assert pooled.max() < 23
    assert np.log(pooled).std() == pytest.approx(0.30, abs=0.05)
    between = np.std([np.log(size).mean() for size in sizes])
    assert between == pytest.approx(0.17, abs=0.06)


def test_boxes_are_nearly_square(scenes):
    aspect = np.concatenate([scene.boxes[:, 2] / scene.boxes[:, 3] for scene in scenes])
    assert np.median(np.abs(np.log(aspect))) < 0.1
    assert (np.abs(np.log(aspect)) < np.log(1.6)).all()


def test_class_shares(scenes):
    classes = np.concatenate([scene.classes for scene in scenes])
    shares = np.bincount(classes, minlength=len(CLASSES)) / len(classes)
    np.testing.assert_allclose(shares, [0.66, 0.165, 0.175], atol=0.06)


def test_ripening_reddens_the_boxes_but_neighbouring_classes_overlap(scenes):
    by_class = [
        np.array(
            [redness(scene, box) for scene in scenes for box in scene.boxes[scene.classes == label]]
        )
        for label in range(len(CLASSES))
    ]
    unripe, semi, ripe = (np.median(values) for values in by_class)
    assert unripe + 15 < semi < ripe - 15
    assert np.percentile(by_class[0], 95) > np.percentile(by_class[1], 10)
    assert np.percentile(by_class[1], 90) > np.percentile(by_class[2], 10)
    assert (by_class[0] < semi).mean() > 0.9


def test_ripe_fruits_stand_out_from_the_picture(scenes):
    outside = np.median(
        [np.subtract(*scene.image.reshape(-1, 3).mean(axis=0)[:2]) for scene in scenes]
    )
    fruits = [redness(scene, box) for scene in scenes for box in scene.boxes[scene.classes == 2]]
    assert np.median(fruits) > outside + 60
