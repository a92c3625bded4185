"""This project's SSDs: what a specification says of them, and their first weights."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from method.boxes import BoxCoding
from method.detection import Selection
from method.first_weights import draw_weights
from method.matching import Matching
from method.samplers import Sampling
from method.ssd import SSD, SSDConfig
from pipelines.detectors.weights import (
    initialise_encoder,
    load_all_but_heads,
    read_weights,
    weights_fingerprint,
)
from pipelines.runs.spec import Released, RunSpec

RELEASED_SAMPLE_LIMIT = 10_000


def ssd_config(spec: RunSpec, classes: int) -> SSDConfig:
    """What a specification says of an SSD."""
    first, second = spec.attach or spec.entry.attach
    released = set(spec.released)
    coding = BoxCoding.SSD
    if Released.CORNER_CODING in released:
        coding = BoxCoding.CORNER
    elif Released.NO_VARIANCES in released:
        coding = BoxCoding.SSD_UNSCALED
    selection = Selection(most=spec.max_detections, whole_pixels=Released.WHOLE_PIXELS in released)
    if Released.SCORE_FLOOR in released:
        selection = replace(
            selection,
            score_floor=0.3,
            nms_iou=0.3,
            most=300,
            candidates=300,
            in_order=True,
            best_class_only=True,
        )
    return SSDConfig(
        classes=classes,
        input_size=spec.input_size,
        attach=(first, second),
        anchors=spec.anchors,
        aspect_ratios=spec.aspect_ratios,
        width=spec.width,
        class_weights=spec.class_weights,
        coding=coding,
        softmax_twice=Released.SOFTMAX_TWICE in released,
        sampling=Sampling(
            spec.sampler,
            over_batch=Released.MINE_OVER_BATCH in released,
            limit=RELEASED_SAMPLE_LIMIT if Released.SAMPLE_LIMIT in released else None,
        ),
        matching=Matching(
            inclusive_overlap=Released.INCLUSIVE_OVERLAP in released,
            later_wins=Released.LATER_WINS in released,
        ),
        whole_pixel_targets=Released.WHOLE_PIXEL_TARGETS in released,
        selection=selection,
    )


def build(spec: RunSpec, classes: int, calibration: Tensor) -> SSD:
    """The SSD of a run; arguments and errors as of `build_detector`."""
    detector = SSD(ssd_config(spec, classes))
    draw_weights(detector.extras, spec.seed, spec.head_init.of_extras)
    draw_weights(detector.class_heads, spec.seed, spec.head_init.of_heads)
    draw_weights(detector.box_heads, spec.seed + 1, spec.head_init.of_heads)
    if spec.init.endswith(".safetensors"):
        weights_fingerprint(spec.init)
        _load_weights(detector, spec)
    else:
        initialise_encoder(detector, spec, calibration)
    return detector


def _load_weights(detector: SSD, spec: RunSpec) -> None:
    """Another training's weights: all of them to be scored, or all but the heads to start from.

    Raises:
        ValueError: they do not fit.
    """
    weights = read_weights(spec.init)
    if spec.iterations:
        load_all_but_heads(detector, weights)
        return
    try:
        detector.load_state_dict(weights)
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise ValueError(f"init: {spec.init} is not of this detector: {reason}") from None
