"""The generated `pipeline.config` says what the specification says."""

import re
from pathlib import Path

import pytest

from baselines.tf_od.config import Training, model_config, pipeline_config

MODEL = model_config(classes=3, input_size=512, weight_decay=4e-5)


def write(training):
    paths = {"first_weights": Path("first"), "records": Path("train.tfrecord")}
    return pipeline_config(MODEL, training, **paths, images=88, boxes=17)


def values(text, name):
    return re.findall(rf"\b{name}: (\S+)", text)


def test_the_model_has_the_classes_the_input_and_the_common_detection_rule():
    assert values(MODEL, "num_classes") == ["3"]
    assert values(MODEL, "height") + values(MODEL, "width") == ["512", "512"]
    assert values(MODEL, "l2_regularizer { weight") == ["4e-05", "4e-05"]
    assert values(MODEL, "score_threshold") == ["0.01"]
    assert values(MODEL, "max_total_detections") == ["100"]


def test_the_training_is_that_of_the_specification():
    text = write(Training(batch_size=8, iterations=600, learning_rate=0.012, warmup=20))
    assert values(text, "batch_size") == ["8"]
    assert values(text, "num_steps") + values(text, "total_steps") == ["600", "600"]
    assert values(text, "warmup_steps") == ["20"]
    assert float(values(text, "learning_rate_base")[0]) == 0.012
    assert float(values(text, "warmup_learning_rate")[0]) == pytest.approx(0.002)
    assert values(text, "max_number_of_boxes") == ["17", "17"]
    assert values(text, "shuffle_buffer_size") == ["88"]
    assert values(text, "fine_tune_checkpoint") == ['"first"']
    assert "data_augmentation_options" not in text


@pytest.mark.parametrize(
    ("switch", "name"), [("flip", "random_horizontal_flip"), ("crop", "ssd_random_crop")]
)
def test_each_augmentation_is_switched_on_alone(switch, name):
    training = Training(8, 600, 0.01, 20, **{switch: True})
    assert re.findall(r"data_augmentation_options { (\w+)", write(training)) == [name]
