"""TFRecords of the training images, written and read back. Runs in TensorFlow's environment."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from object_detection.data_decoders.tf_example_decoder import TfExampleDecoder
from object_detection.utils import dataset_util


class RecordWriter:
    """Writes examples as the API reads them, and remembers what must come back.

    Args:
        path: the file to write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._writer = tf.io.TFRecordWriter(str(path))
        self._written: list[tuple[int, NDArray[np.float32], NDArray[np.int64]]] = []

    def add(
        self, image: NDArray[np.uint8], boxes: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> None:
        """Append one image.

        Args:
            image: S×S×3, RGB; kept without loss, as PNG.
            boxes: N×4, `xyxy`, pixels.
            labels: N, from 1.
        """
        height, width = image.shape[:2]
        sides = (boxes / np.array([width, height, width, height])).astype(np.float32)
        columns = dict(zip(("xmin", "ymin", "xmax", "ymax"), sides.T, strict=True))
        feature = {
            "image/height": dataset_util.int64_feature(height),
            "image/width": dataset_util.int64_feature(width),
            "image/source_id": dataset_util.bytes_feature(str(len(self._written)).encode()),
            "image/format": dataset_util.bytes_feature(b"png"),
            "image/encoded": dataset_util.bytes_feature(tf.io.encode_png(image).numpy()),
            "image/object/class/label": dataset_util.int64_list_feature(labels.tolist()),
            **{
                f"image/object/bbox/{name}": dataset_util.float_list_feature(column.tolist())
                for name, column in columns.items()
            },
        }
        example = tf.train.Example(features=tf.train.Features(feature=feature))
        self._writer.write(example.SerializeToString())
        self._written.append((hash(image.tobytes()), sides, labels))

    def close(self) -> None:
        """Finish the file and read it back through the API's decoder.

        Raises:
            ValueError: it does not hold what was written.
        """
        self._writer.close()
        decoder = TfExampleDecoder()
        found = [decoder.decode(record) for record in tf.data.TFRecordDataset(str(self.path))]
        if len(found) != len(self._written):
            raise ValueError(f"{self.path}: {len(found)} images for {len(self._written)} written")
        for number, (example, (pixels, sides, labels)) in enumerate(
            zip(found, self._written, strict=True)
        ):
            boxes = example["groundtruth_boxes"].numpy()[:, [1, 0, 3, 2]]
            whole = (
                hash(example["image"].numpy().tobytes()) == pixels
                and np.array_equal(boxes, sides)
                and np.array_equal(example["groundtruth_classes"].numpy(), labels)
            )
            if not whole:
                raise ValueError(f"{self.path}: image {number} is not what was written")
