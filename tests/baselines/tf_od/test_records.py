"""TFRecords hold what was written, in TensorFlow's own environment."""

import subprocess

import pytest

from baselines.tf_od.environment import PYTHON, ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON.exists(), reason="no TensorFlow here: make setup-tf"),
]
BEGIN = """
import sys
from pathlib import Path
import numpy as np
import baselines.tf_od.program, tensorflow as tf
from baselines.tf_od.records import RecordWriter

path = Path(sys.argv[1])
rng = np.random.default_rng(0)
image = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
boxes = np.array([[8, 16, 24, 48], [0, 0, 64, 64]], np.float32)
none = np.zeros((0, 4), np.float32), np.zeros(0, np.int64)

def written():
    writer = RecordWriter(path)
    writer.add(image, boxes, np.array([2, 1]))
    writer.add(image, *none)
    return writer
"""
READ_BACK = """
written().close()
records = tf.data.TFRecordDataset([str(path)])
first, second = (tf.train.Example.FromString(record.numpy()) for record in records)
features = first.features.feature
print([round(v, 4) for name in ("xmin", "ymin", "xmax", "ymax")
       for v in features[f"image/object/bbox/{name}"].float_list.value])
print(list(features["image/object/class/label"].int64_list.value))
print(np.array_equal(tf.io.decode_png(features["image/encoded"].bytes_list.value[0]), image))
print(len(second.features.feature["image/object/class/label"].int64_list.value))
"""
CHANGED = """
path.unlink()
writer = written()
writer._writer.close()
other = RecordWriter(path)
other.add(image, boxes + 1, np.array([2, 1]))
other.add(image, *none)
other._writer.close()
writer.close()
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Records read back, and then changed behind the writer's back, in one process."""
    path = tmp_path_factory.mktemp("records") / "train.tfrecord"
    return subprocess.run(
        [PYTHON, "-c", BEGIN + READ_BACK + CHANGED, path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_they_are_read_back_as_they_were_written(done):
    assert done.stdout.splitlines() == [
        "[0.125, 0.0, 0.25, 0.0, 0.375, 1.0, 0.75, 1.0]",
        "[2, 1]",
        "True",
        "0",
    ], done.stderr[-2000:]


def test_records_that_are_not_what_was_written_are_refused(done):
    assert done.returncode == 1
    assert "image 0 is not what was written" in done.stderr.splitlines()[-1]
