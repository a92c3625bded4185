"""Detectron2's detectors, built from its model zoo's configurations.

What is changed of a configuration is said in `configuration`; anchors, matching, losses, optimiser
and post-processing are the zoo's.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2 import model_zoo
from detectron2.config import CfgNode
from detectron2.modeling import build_model
from detectron2.structures import Boxes, Instances
from detectron2.utils.events import EventStorage
from detectron2.utils.file_io import PathManager
from torch import Tensor
from torch.jit import optimized_execution  # type: ignore[attr-defined]

from method.detection import Detections, Selection
from method.detector import Activations, StepLosses, TrainableDetector

LARGEST_GRADIENT = 1.0
"""Euclidean norm; without a limit Faster R-CNN from random weights diverges in 20 steps of 8."""


def configuration(
    path: str, classes: int, *, from_scratch: bool, most: int = Selection.most
) -> CfgNode:
    """The zoo's configuration, with the score floor of all detectors here.

    The zoo freezes the first stages and every batch norm, which presumes weights of another
    training. From random ones that diverges: `from_scratch` trains all, and clips the gradient of
    each parameter to LARGEST_GRADIENT.

    Args:
        path: in the model zoo.
        classes: foreground classes.
        from_scratch: whether no other weights will be loaded.
        most: detections of an image that are kept.
    """
    config = model_zoo.get_config(path)
    config.MODEL.DEVICE = "cpu"
    config.MODEL.WEIGHTS = ""
    if from_scratch:
        config.MODEL.RESNETS.NORM = "BN"
        config.MODEL.BACKBONE.FREEZE_AT = 0
        clipping = config.SOLVER.CLIP_GRADIENTS
        clipping.ENABLED, clipping.CLIP_TYPE = True, "norm"
        clipping.CLIP_VALUE = LARGEST_GRADIENT
    for head in (config.MODEL.ROI_HEADS, config.MODEL.RETINANET):
        head.NUM_CLASSES = classes
        head.SCORE_THRESH_TEST = Selection.score_floor
    config.TEST.DETECTIONS_PER_IMAGE = most
    return config


def published_weights(path: str) -> dict[str, Tensor]:
    """The zoo's COCO weights of a configuration, downloaded once."""
    url = model_zoo.get_checkpoint_url(path)
    return read_weights(Path(PathManager.get_local_path(url)))


def read_weights(path: Path) -> dict[str, Tensor]:
    """Weights of a `.pkl` of the zoo or a trainer's `.pth`, by their names.

    Nothing but arrays and plain values is unpickled.

    Raises:
        ValueError: it is no such file.
    """
    try:
        if path.suffix == ".pth":
            return dict(torch.load(path, map_location="cpu", weights_only=True)["model"])
        with path.open("rb") as file:
            weights = _ArraysOnly(file, encoding="latin1").load()["model"]
        return {name: torch.from_numpy(np.asarray(value)) for name, value in weights.items()}
    except (
        pickle.UnpicklingError,
        EOFError,
        KeyError,
        TypeError,
        AttributeError,
        RuntimeError,
    ) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{path}: no weights of Detectron2: {reason}") from None


_NUMPY = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
"""Where NumPy 1 and NumPy 2 have what a pickled array calls."""


class _ArraysOnly(pickle.Unpickler):
    """A pickle can call any function; this one makes numpy's arrays and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        known = module in _NUMPY and name in ("_reconstruct", "dtype", "ndarray", "scalar")
        if known or (module, name) in (("_codecs", "encode"), ("collections", "OrderedDict")):
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name} is no array")


class Detectron2Detector(TrainableDetector[Instances]):
    """A model of Detectron2 behind this project's interface.

    Args:
        config: what `configuration` made of one of the zoo.
        input_size: side of the square input, pixels.
        seed: fixes the first weights.
    """

    def __init__(self, config: CfgNode, input_size: int, seed: int) -> None:
        super().__init__()
        self.config = config
        self.input_size = input_size
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.model = build_model(config)

    @property
    def max_detections(self) -> int:
        return int(self.config.TEST.DETECTIONS_PER_IMAGE)

    def load(self, weights: Mapping[str, Tensor]) -> list[str]:
        """Take over the weights that fit in name and shape: not the heads of other classes.

        Returns:
            The names of what stays as it was drawn.

        Raises:
            ValueError: some of the backbone's are not among them.
        """
        own = self.model.state_dict()
        fitting = {n: w for n, w in weights.items() if n in own and w.shape == own[n].shape}
        parts = ("num_batches_tracked", "cell_anchors")
        missing = [name for name in own if name not in fitting and not name.endswith(parts)]
        if encoder := [name for name in missing if name.startswith("backbone.")]:
            name = min(encoder)
            raise ValueError(f"init: the file has no {name} of {tuple(own[name].shape)}")
        self.model.load_state_dict(fitting, strict=False)
        return missing

    def forward(self, images: Tensor) -> Any:
        """Scores and boxes as the head gives them; of a two-stage detector, its detections.

        Its second stage looks at boxes that were decoded and suppressed before: no seam is left.
        """
        if hasattr(self.model, "proposal_generator"):
            return self.model(self._inputs(images))
        return self.model.head(self._features(images, self.model.head_in_features))

    def activations(self, images: Tensor) -> Activations:
        """Of the one stage, or of the first of two, which scores and codes proposals."""
        if hasattr(self.model, "proposal_generator"):
            proposals = self.model.proposal_generator
            names, head = proposals.in_features, proposals.rpn_head
        else:
            names, head = self.model.head_in_features, self.model.head
        features = self._features(images, names)
        logits, offsets, *_ = (torch.cat([m.flatten() for m in maps]) for maps in head(features))
        return Activations(features, logits, offsets)

    def _features(self, images: Tensor, names: Sequence[str]) -> list[Tensor]:
        found = self.model.backbone(self.model.preprocess_image(self._inputs(images)).tensor)
        return [found[name] for name in names]

    def match(self, boxes: Tensor, labels: Tensor) -> Instances:
        """The objects as they are: Detectron2 assigns them to anchors at every step."""
        size = (self.input_size, self.input_size)
        return Instances(size, gt_boxes=Boxes(boxes), gt_classes=labels - 1)

    def losses(self, images: Tensor, matches: Sequence[Instances]) -> StepLosses:
        # TorchScript fuses a loss from its third call on, with other last bits: a run that was
        # resumed, or is not the first of its process, would not repeat.
        with EventStorage(), optimized_execution(False):
            return StepLosses(self.model(self._inputs(images, matches)))

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        found = (output["instances"] for output in self.model(self._inputs(images)))
        return [
            Detections(f.pred_boxes.tensor.float(), f.scores.float(), f.pred_classes + 1)
            for f in found
        ]

    def _inputs(self, images: Tensor, matches: Sequence[Instances] = ()) -> list[dict[str, Any]]:
        """B×3×S×S RGB images as the configuration wants them, each with its objects."""
        if self.config.INPUT.FORMAT == "BGR":
            images = images.flip(1)
        if not matches:
            return [{"image": image} for image in images]
        pairs = zip(images, matches, strict=True)
        return [{"image": image, "instances": match} for image, match in pairs]
