"""The process that holds a model of the TF Object Detection API. Runs in TensorFlow's environment.

Answers the requests that come on standard input, one after the other, on standard output, and ends
with whoever started it. What TensorFlow itself prints goes to standard error.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import math
import os
import queue
import re
import resource
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from numpy.typing import NDArray
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorflow.python.ops import cond, control_flow_case, control_flow_ops, while_loop

# Where the API looks for them; TensorFlow has moved them since.
control_flow_ops.case = control_flow_case.case
control_flow_ops.cond = cond.cond
control_flow_ops.while_loop = while_loop.while_loop

from object_detection import model_lib_v2  # noqa: E402
from object_detection.builders import model_builder  # noqa: E402
from object_detection.protos import pipeline_pb2  # noqa: E402

from baselines.tf_od.channel import receive, send  # noqa: E402
from baselines.tf_od.records import RecordWriter  # noqa: E402

LOG_EVERY = 10
"""Steps between two rows of the history; fewer where they would not divide the training."""
LOSSES = {
    "Loss/total_loss": "loss",
    "Loss/classification_loss": "classification",
    "Loss/localization_loss": "localisation",
    "Loss/regularization_loss": "regularisation",
    "learning_rate": "learning_rate",
}
PACKAGES = ("tensorflow", "tf-models-research-object-detection", "tf-models-official", "numpy")

Reply = tuple[dict[str, Any], dict[str, NDArray[Any]]]


class Program:
    """One model, and what can be asked of it; every method of the table in `serve` is a request.

    Args:
        reply: sends a message while a request is being worked on.
    """

    def __init__(self, reply: Callable[[dict[str, Any]], None]) -> None:
        self._reply = reply
        self._records: RecordWriter | None = None

    def build(self, *, model: str, input_size: int, seed: int) -> Reply:
        """Build the model with its first weights."""
        tf.keras.utils.set_random_seed(seed)
        self.seed = seed
        config = text_format.Parse(model, pipeline_pb2.TrainEvalPipelineConfig())
        self.model = model_builder.build(config.model, is_training=False)
        images = tf.TensorSpec((None, input_size, input_size, 3), tf.uint8)
        self._predict = tf.function(self._predict_eagerly, input_signature=[images])
        self._detect = tf.function(self._detect_eagerly, input_signature=[images])
        self._predict.get_concrete_function()
        trained = [variable.name for variable in self.model.trainable_variables]
        packages = {name: importlib.metadata.version(name) for name in PACKAGES}
        return {"trained": trained, "packages": packages}, self._weights()

    def load(self, **weights: NDArray[Any]) -> Reply:
        """Take over weights, by the variables' names."""
        for variable in self.model.variables:
            variable.assign(weights[variable.name])
        return {}, {}

    def restore(self, *, checkpoint: str, whole: bool) -> Reply:
        """Take over a checkpoint: a training's own, or of other classes all but the class heads."""
        parts = (
            {"model": self.model}
            if whole
            else self.model.restore_from_objects(fine_tune_checkpoint_type="detection")
        )
        found = tf.train.Checkpoint(**parts).restore(checkpoint)
        found.assert_existing_objects_matched().expect_partial()
        return {}, self._weights()

    def predict(self, images: NDArray[np.uint8], *, maps: bool = False) -> Reply:
        """Run the network alone; the maps under its heads, B×H×W×C, by their place, if asked."""
        *_, found = self._predict(images)
        return {}, {str(place): found[place].numpy() for place in range(len(found)) if maps}

    def detect(self, images: NDArray[np.uint8]) -> Reply:
        """Boxes (B×M×4, `xyxy`, from 0 to 1), scores, labels from 1, and each image's count."""
        found = {name: value.numpy() for name, value in self._detect(images).items()}
        boxes = np.clip(found["detection_boxes"][..., [1, 0, 3, 2]], 0, 1)
        return {}, {
            "boxes": boxes,
            "scores": found["detection_scores"],
            "labels": found["detection_classes"].astype(np.int64) + 1,
            "counts": found["num_detections"].astype(np.int64),
        }

    def flops(self) -> Reply:
        """Floating-point operations of the convolutions in one image, two a multiply-add."""
        profiler = tf.compat.v1.profiler
        options = profiler.ProfileOptionBuilder.float_operation()
        options["account_type_regexes"] = ["Conv2D", "DepthwiseConv2dNative", "MatMul"]
        options["output"] = "none"
        image = tf.TensorSpec((1, *self._predict.input_signature[0].shape[1:]), tf.uint8)
        one = tf.function(self._predict_eagerly).get_concrete_function(image)
        profile = profiler.profile(one.graph, cmd="scope", options=options)
        return {"flops": profile.total_float_ops}, {}

    def record(
        self,
        *,
        path: str,
        image: NDArray[np.uint8],
        boxes: NDArray[np.float32],
        labels: NDArray[np.int64],
    ) -> Reply:
        """Append one training image to the TFRecords."""
        self._records = self._records or RecordWriter(Path(path))
        self._records.add(image, boxes, labels)
        return {}, {}

    def train(
        self, *, config: str, first_weights: str, iterations: int, save_every: int, keep_all: bool
    ) -> Reply:
        """Train by the API's own loop, going on from its last checkpoint if there is one.

        Args:
            config: path of the `pipeline.config`; checkpoints go beside it.
            first_weights: the checkpoint that the configuration starts from, to be written; the
                number with which TensorFlow ends its name is 1.
            iterations: steps in all.
            save_every: steps between two checkpoints, a divisor of `iterations`.
            keep_all: keep every checkpoint, not the last alone.
        """
        assert self._records
        self._records.close()
        self._records = None
        folder = Path(config).parent / "training"
        if not folder.exists():
            tf.train.Checkpoint(model=self.model).save(first_weights.removesuffix("-1"))
        a_time = math.gcd(save_every, LOG_EVERY)
        tf.keras.utils.set_random_seed(self.seed)
        model_lib_v2.LOG_EVERY = a_time
        tf.compat.v1.logging.set_verbosity(tf.compat.v1.logging.INFO)
        history = _History(folder / "train")
        progress = _Progress(history, self._reply)
        logging.getLogger("tensorflow").addHandler(progress)
        try:
            model_lib_v2.train_loop(
                pipeline_config_path=config,
                model_dir=str(folder),
                train_steps=iterations,
                checkpoint_every_n=save_every,
                checkpoint_max_to_keep=iterations // save_every + 1 if keep_all else 1,
                record_summaries=False,
                num_steps_per_iteration=a_time,
            )
        finally:
            logging.getLogger("tensorflow").removeHandler(progress)
        saved = tf.train.get_checkpoint_state(str(folder)).all_model_checkpoint_paths
        return {
            "history": history.until(iterations),
            "seconds": sum(a_time / rate for rate in history.steps_a_second.values()),
            "checkpoints": {_step_of(path): path for path in saved if _step_of(path)},
            "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }, {}

    def _weights(self) -> dict[str, NDArray[Any]]:
        return {variable.name: variable.numpy() for variable in self.model.variables}

    def _predict_eagerly(self, images: tf.Tensor) -> tf.Tensor:
        prepared, shapes = self.model.preprocess(tf.cast(images, tf.float32))
        found = self.model.predict(prepared, shapes)
        names = ("box_encodings", "class_predictions_with_background", "feature_maps")
        return tuple(found[name] for name in names)

    def _detect_eagerly(self, images: tf.Tensor) -> dict[str, tf.Tensor]:
        prepared, shapes = self.model.preprocess(tf.cast(images, tf.float32))
        found = self.model.postprocess(self.model.predict(prepared, shapes), shapes)
        names = ("detection_boxes", "detection_scores", "detection_classes", "num_detections")
        return {name: found[name] for name in names}


class _History:
    """What the API's training writes into its folder, read as the files grow."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: dict[Path, EventFileLoader] = {}
        self._rows: dict[int, dict[str, float]] = {}
        self.steps_a_second: dict[int, float] = {}

    def until(self, step: int) -> list[dict[str, float]]:
        """Rows up to a step, so without what a stopped training did after its last checkpoint."""
        for path in sorted(self._folder.iterdir()):
            if path not in self._files:
                self._files[path] = EventFileLoader(str(path))
            for event in self._files[path].Load():
                for value in event.summary.value:
                    self._take(event.step, value.tag, float(tf.make_ndarray(value.tensor)))
        return [self._rows[number] for number in sorted(self._rows) if number <= step]

    def _take(self, step: int, tag: str, number: float) -> None:
        if tag in LOSSES:
            self._rows.setdefault(step, {"step": step})[LOSSES[tag]] = number
        else:
            self.steps_a_second[step] = number


class _Progress(logging.Handler):
    """Hears from the API's log how far the training is, and tells its history."""

    def __init__(self, history: _History, reply: Callable[[dict[str, Any]], None]) -> None:
        super().__init__(logging.INFO)
        self._history, self._reply = history, reply

    def emit(self, record: logging.LogRecord) -> None:
        if step := re.match(r"Step (\d+) per-step", record.getMessage()):
            tf.summary.flush()
            self._reply({"history": self._history.until(int(step[1]))})


def _step_of(checkpoint: str) -> int:
    return int(tf.train.load_variable(checkpoint, "step/.ATTRIBUTES/VARIABLE_VALUE"))


def _requests(stream: BinaryIO) -> Iterator[Reply]:
    """What comes in; the process ends at once when the other side has gone, busy or not."""
    waiting: queue.Queue[Reply] = queue.Queue(maxsize=2)

    def listen() -> None:
        while True:
            try:
                waiting.put(receive(stream))
            except EOFError:
                os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while True:
        yield waiting.get()


def serve(answers: BinaryIO) -> None:
    """Answer requests until there are none."""
    program = Program(lambda header: send(answers, header))
    table: dict[str, Callable[..., Reply]] = {
        request.__name__: request
        for request in (
            program.build,
            program.load,
            program.restore,
            program.predict,
            program.detect,
            program.flops,
            program.record,
            program.train,
        )
    }
    for header, arrays in _requests(sys.stdin.buffer):
        try:
            header, arrays = table[header.pop("request")](**header, **arrays)
            send(answers, {"done": True, **header}, arrays)
        except Exception as error:
            traceback.print_exc()
            send(answers, {"error": f"{type(error).__name__}: {error}"})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, required=True, help="CPU threads")
    threads = parser.parse_args().threads
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(answers)


if __name__ == "__main__":
    main()
