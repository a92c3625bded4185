"""The TF Object Detection API's detector, with its first weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from baselines.tf_od.detector import TensorFlowDetector, published_checkpoint
from baselines.tf_od.folded import folded_encoder
from pipelines.detectors.weights import load_all_but_heads, read_weights, weights_fingerprint
from pipelines.runs.spec import Augment, RunSpec


def build(spec: RunSpec, classes: int, calibration: Tensor) -> TensorFlowDetector:
    """The detector of a run; arguments and errors as of `build_detector`."""
    if unknown := set(spec.augment) - {Augment.FLIP, Augment.CROP}:
        raise ValueError(f"augment: TensorFlow has flip and crop, not {', '.join(unknown)}")
    if spec.validate_every and spec.iterations % spec.validate_every:
        raise ValueError("validate_every must divide iterations: weights are kept at its steps")
    detector = TensorFlowDetector(classes, spec.input_size, spec.weight_decay, spec.seed)
    if spec.init.endswith(".safetensors"):
        load_all_but_heads(detector, read_weights(spec.init))
    elif spec.init.endswith(".npz"):
        weights_fingerprint(spec.init)
        own = detector.state_dict()
        with np.load(spec.init, allow_pickle=False) as layers:
            detector.load_state_dict({**own, **folded_encoder(layers, calibration, list(own))})
    elif spec.init.endswith(".index"):
        detector.restore(str(Path(spec.init).absolute().with_suffix("")), whole=False)
    elif spec.init == "zoo":
        detector.restore(published_checkpoint(), whole=False)
    elif spec.init != "none":
        raise ValueError(
            "init must be none, zoo, a .npz of folded weights, a .safetensors or an .index, "
            f"not {spec.init}"
        )
    return detector
