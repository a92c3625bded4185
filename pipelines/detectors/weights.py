"""First weights: the files they come from, and what is taken over of another training's."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

from method.choices import Law
from method.detector import Detector
from method.first_weights import draw_weights
from method.lapnet.detector import LapNet
from method.mobilenet import load_folded, load_torchvision
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError, note

PUBLISHED = ("none", "torchvision", "zoo")
WEIGHT_FILES = (".npz", ".safetensors", ".pkl", ".pth", ".index")
"""Folded ImageNet weights, a run's weights, Detectron2's two kinds, TensorFlow's checkpoints."""
HEADS = r"_heads\.|^BoxPredictor/"
ENCODERS = r"encoder\.|ssd_mobile_net_v2_keras_feature_extractor/"
"""In the names of weights, of this project's SSDs and of TensorFlow's."""


def weights_fingerprint(init: str) -> str | None:
    """SHA-256 of the file that the first weights come from, if they come from a file.

    A checkpoint of TensorFlow's is its index and the files of the same name beside it.

    Raises:
        UserError: there is no such file, or it is of no kind that holds weights.
    """
    if init in PUBLISHED:
        return None
    path = Path(init)
    if path.suffix not in WEIGHT_FILES or not path.is_file():
        raise UserError(
            f"init: no file {init}; give {', '.join(PUBLISHED)}, or the path of weights "
            f"({', '.join(WEIGHT_FILES)})"
        )
    parts = sorted(path.parent.glob(f"{path.stem}.*")) if path.suffix == ".index" else [path]
    return hashlib.sha256(b"".join(part.read_bytes() for part in parts)).hexdigest()


def read_weights(path: str) -> dict[str, Tensor]:
    """Of a `.safetensors`, by name.

    Raises:
        ValueError: it is none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"init: {path}: {error}") from None


def load_all_but_heads(detector: Detector, weights: dict[str, Tensor]) -> None:
    """Take over what another training made of the same layers; heads and absent layers stay.

    Raises:
        ValueError: a layer of the encoder is missing.
    """
    own = detector.state_dict()
    shared = {
        name: value
        for name, value in weights.items()
        if name in own and not re.search(HEADS, name) and value.shape == own[name].shape
    }
    missing = [name for name in own if re.match(ENCODERS, name) and name not in shared]
    if missing:
        raise ValueError(f"init: the file has no {missing[0]} of {tuple(own[missing[0]].shape)}")
    detector.load_state_dict({**own, **shared})


def load_all_but_other_classes(detector: Detector, spec: RunSpec) -> None:
    """Take over the run's weights that `init` names, and say which layers could not be.

    What is of other classes stays as it was drawn: the layers that differ in how many outputs they
    have, and in nothing else.

    Raises:
        ValueError: a layer is missing, differs in more than its outputs, or stays as drawn though
            nothing will be trained.
    """
    own, weights = detector.state_dict(), read_weights(spec.init)
    for name, value in own.items():
        if name not in weights or weights[name].shape[1:] != value.shape[1:]:
            raise ValueError(f"init: {spec.init} has no {name} of {tuple(value.shape)}")
    fitting = {n: weights[n] for n, value in own.items() if weights[n].shape == value.shape}
    detector.load_state_dict(fitting, strict=False)
    say_what_is_fresh([name for name in own if name not in fitting], spec)


def say_what_is_fresh(layers: list[str], spec: RunSpec) -> None:
    """Name the layers that no file filled.

    Raises:
        ValueError: there are some, though nothing will be trained.
    """
    if layers and spec.iterations == 0:
        raise ValueError(f"init: {spec.init} is not of this detector: nothing fits {layers[0]}")
    if layers:
        note(f"{spec.init} is of other classes; these layers start afresh: {', '.join(layers)}")


class HasMobileNet(Protocol):
    """A detector on MobileNet v2."""

    @property
    def encoder(self) -> nn.Sequential:
        """Initial convolution and blocks."""

    @property
    def mean(self) -> Tensor:
        """3×1×1, of the images that the encoder expects."""

    @property
    def std(self) -> Tensor:
        """3×1×1, of the images that the encoder expects."""


def initialise_encoder(detector: HasMobileNet, spec: RunSpec, calibration: Tensor) -> None:
    """Draw the weights of an encoder, or take those of ImageNet that `init` names.

    Args:
        detector: whose encoder it is; how it normalises images is set with the weights.
        spec: the run.
        calibration: B×3×S×S `uint8` training images, for weights whose batch norms were folded.
    """
    if spec.init == "none":
        draw_weights(detector.encoder, spec.seed, Law.HE)
    elif spec.init == "torchvision":
        normalise_as_imagenet(detector)
        load_torchvision(detector.encoder)
    else:
        load_folded_file(detector.encoder, spec.init, (calibration - detector.mean) / detector.std)


def load_folded_file(encoder: nn.Sequential, init: str, images: Tensor) -> None:
    """Weights of a `.npz` for MobileNet v2; images and errors as of `load_folded`."""
    weights_fingerprint(init)
    with np.load(init, allow_pickle=False) as layers:
        load_folded(encoder, layers, images)


def normalise_as_imagenet(detector: HasMobileNet | LapNet) -> None:
    """Mean and deviation with which torchvision's and timm's weights were trained."""
    detector.mean.copy_(255 * torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1))
    detector.std.copy_(255 * torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1))
