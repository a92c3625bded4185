"""The `pipeline.config` of a run: the published SSD MobileNet v2 of the API's model zoo.

Source of the values: `ssd_mobilenet_v2_320x320_coco17_tpu-8.config` of the API's TF2 model zoo.
Changed are the input size, the classes, the score floor, and what a specification says of the
training; that file's learning rate, 0.08 for 512 images, follows the batch by the linear rule.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from method.detection import Selection

MOMENTUM = 0.9
EPSILON = 0.001
"""Of the batch norms."""
WARMUP_SHARE = 1 / 6
"""Of the full learning rate, with which the warm-up begins."""
TARGETS = """\
    anchor_generator {
      ssd_anchor_generator {
        num_layers: 6
        min_scale: 0.2
        max_scale: 0.95
        aspect_ratios: [1.0, 2.0, 0.5, 3.0, 0.3333]
      }
    }
    box_coder {
      faster_rcnn_box_coder { y_scale: 10.0 x_scale: 10.0 height_scale: 5.0 width_scale: 5.0 }
    }
    similarity_calculator { iou_similarity { } }
    matcher {
      argmax_matcher {
        matched_threshold: 0.5
        unmatched_threshold: 0.5
        ignore_thresholds: false
        negatives_lower_than_unmatched: true
        force_match_for_each_row: true
        use_matmul_gather: true
      }
    }"""
"""Which objects an anchor learns to find, and how their boxes are written down."""
LOSSES = """\
    loss {
      localization_loss { weighted_smooth_l1 { delta: 1.0 } }
      classification_loss { weighted_sigmoid_focal { alpha: 0.75 gamma: 2.0 } }
      localization_weight: 1.0
      classification_weight: 1.0
    }"""


@dataclass(frozen=True)
class Training:
    """What a specification says of the training."""

    batch_size: int
    iterations: int
    learning_rate: float
    """At its height; from there half a cosine leads to zero."""
    warmup: int
    """Steps over which the learning rate rises."""
    flip: bool = False
    crop: bool = False
    """The API's `random_horizontal_flip` and `ssd_random_crop`."""


def model_config(classes: int, input_size: int, weight_decay: float) -> str:
    """The `model` block.

    Args:
        classes: foreground classes.
        input_size: side of the square input, pixels.
        weight_decay: weight of the L2 loss on all convolutions.
    """
    return f"""model {{
  ssd {{
    num_classes: {classes}
    inplace_batchnorm_update: true
    freeze_batchnorm: false
    encode_background_as_zeros: true
    normalize_loss_by_num_matches: true
    normalize_loc_loss_by_codesize: true
    image_resizer {{ fixed_shape_resizer {{ height: {input_size} width: {input_size} }} }}
{_feature_extractor(weight_decay)}
{TARGETS}
{_box_predictor(weight_decay)}
{LOSSES}
{_post_processing(Selection())}
  }}
}}
"""


def pipeline_config(
    model: str, training: Training, *, first_weights: Path, records: Path, images: int, boxes: int
) -> str:
    """The whole file.

    Args:
        model: what `model_config` gave.
        training: how to train.
        first_weights: prefix of the checkpoint that training starts from.
        records: the TFRecord file.
        images: images in it; so many are shuffled.
        boxes: most objects of one image.
    """
    switches = {"random_horizontal_flip": training.flip, "ssd_random_crop": training.crop}
    augmentations = "\n".join(
        f"  data_augmentation_options {{ {name} {{ }} }}" for name, on in switches.items() if on
    )
    return f"""{model}
train_config {{
  batch_size: {training.batch_size}
  num_steps: {training.iterations}
  max_number_of_boxes: {boxes}
  unpad_groundtruth_tensors: false
  add_regularization_loss: true
  fine_tune_checkpoint: "{first_weights}"
  fine_tune_checkpoint_type: "full"
  fine_tune_checkpoint_version: V2
{augmentations}
  optimizer {{
    momentum_optimizer {{
      learning_rate {{
        cosine_decay_learning_rate {{
          learning_rate_base: {training.learning_rate}
          total_steps: {training.iterations}
          warmup_learning_rate: {training.learning_rate * WARMUP_SHARE}
          warmup_steps: {training.warmup}
        }}
      }}
      momentum_optimizer_value: {MOMENTUM}
    }}
    use_moving_average: false
  }}
}}
train_input_reader {{
  shuffle: true
  shuffle_buffer_size: {images}
  num_readers: 1
  max_number_of_boxes: {boxes}
  tf_record_input_reader {{ input_path: "{records}" }}
}}
"""


def _feature_extractor(weight_decay: float) -> str:
    initializer = "truncated_normal_initializer { mean: 0.0 stddev: 0.03 }"
    return f"""\
    feature_extractor {{
      type: "ssd_mobilenet_v2_keras"
      depth_multiplier: 1.0
      min_depth: 16
      override_base_feature_extractor_hyperparams: true
      {_layers(weight_decay, initializer)}
    }}"""


def _box_predictor(weight_decay: float) -> str:
    initializer = "random_normal_initializer { mean: 0.0 stddev: 0.01 }"
    return f"""\
    box_predictor {{
      convolutional_box_predictor {{
        min_depth: 0
        max_depth: 0
        num_layers_before_predictor: 0
        use_dropout: false
        dropout_keep_probability: 0.8
        kernel_size: 1
        box_code_size: 4
        apply_sigmoid_to_scores: false
        class_prediction_bias_init: -4.6
        {_layers(weight_decay, initializer)}
      }}
    }}"""


def _post_processing(rule: Selection) -> str:
    return f"""\
    post_processing {{
      batch_non_max_suppression {{
        score_threshold: {rule.score_floor}
        iou_threshold: 0.6
        max_detections_per_class: {rule.most}
        max_total_detections: {rule.most}
      }}
      score_converter: SIGMOID
    }}"""


def _layers(weight_decay: float, initializer: str) -> str:
    return f"""conv_hyperparams {{
        activation: RELU_6
        regularizer {{ l2_regularizer {{ weight: {weight_decay} }} }}
        initializer {{ {initializer} }}
        batch_norm {{ train: true scale: true center: true decay: 0.97 epsilon: {EPSILON} }}
      }}"""
