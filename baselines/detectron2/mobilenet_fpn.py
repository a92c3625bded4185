"""Detectron2's detectors on the encoder of this project's SSDs, under a feature pyramid.

A comparison with Faster R-CNN, RetinaNet and FCOS on ResNet compares encoders as well. These have
the encoder and the first weights of the SSDs; anchors, matching, losses, optimiser and
post-processing are the model zoo's, but for what the constants below say.
"""

from __future__ import annotations

import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, META_ARCH_REGISTRY, build_backbone
from detectron2.modeling.backbone import FPN, Backbone
from detectron2.modeling.backbone.fpn import LastLevelMaxPool, LastLevelP6P7
from detectron2.modeling.meta_arch.fcos import FCOS, FCOSHead
from torch import Tensor, nn

from baselines.detectron2.detector import Detectron2Detector
from method.mobilenet import LAST_BLOCK, encoder_blocks, out_channels

STAGES = {"res2": 3, "res3": 6, "res4": 13, "res5": 17}
"""The zoo's name of a map, of stride 4, 8, 16 or 32, to the last block of MobileNet v2 at it."""
PYRAMID_WIDTH = 96
"""Channels of the pyramid and of the heads on it. An image then takes 3.3 (Faster R-CNN), 1.8
(RetinaNet) and 1.7 times (FCOS) the operations it takes LapNet; with the zoo's 256, Faster R-CNN
takes 12.5."""
FCOS_NMS_IOU = 0.6
"""The zoo's for FCOS."""
FCOS_FIRST_REACH = 1.0
"""From a point to the sides of its box before training, strides: as in the paper (Tian et al.
2019, §3.1), which takes the exponential of 0. The zoo has 0 and cuts off what is below: boxes of no
size, on which 240 steps of 4 images made no difference."""


class MobileNetBackbone(Backbone):  # type: ignore[misc]
    """MobileNet v2, which normalises its images itself: how, goes with its weights."""

    mean: Tensor
    std: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.blocks = encoder_blocks(LAST_BLOCK)
        for name in ("mean", "std"):
            self.register_buffer(name, torch.full((3, 1, 1), 127.5))

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The maps that a pyramid stands on, of B×3×S×S RGB images of 0 to 255."""
        stage_of = {block: name for name, block in STAGES.items()}
        features = (images - self.mean) / self.std
        found = {}
        for number, block in enumerate(self.blocks):
            features = block(features)
            if number in stage_of:
                found[stage_of[number]] = features
        return found

    def output_shape(self) -> dict[str, ShapeSpec]:
        """Channels and stride of each map."""
        return {
            name: ShapeSpec(channels=out_channels(self.blocks[block]), stride=4 * 2**place)
            for place, (name, block) in enumerate(STAGES.items())
        }


def build_mobilenet_fpn_backbone(config: CfgNode, _: ShapeSpec) -> FPN:
    """The encoder under the pyramid that the zoo's detector of one or of two stages has."""
    bottom_up, width = MobileNetBackbone(), config.MODEL.FPN.OUT_CHANNELS
    architecture = config.MODEL.META_ARCHITECTURE
    if architecture == "GeneralizedRCNN":
        top: nn.Module = LastLevelMaxPool()
    elif architecture == "RetinaNet":
        top = LastLevelP6P7(bottom_up.output_shape()["res5"].channels, width, "res5")
    else:
        top = LastLevelP6P7(width, width, "p5")
    return FPN(bottom_up, config.MODEL.FPN.IN_FEATURES, width, config.MODEL.FPN.NORM, top)


def build_fcos(config: CfgNode) -> FCOS:
    """FCOS as the zoo has it, from RetinaNet's configuration, which it shares for the rest."""
    backbone, retinanet = build_backbone(config), config.MODEL.RETINANET
    shapes = backbone.output_shape()
    head = FCOSHead(
        input_shape=[shapes[name] for name in retinanet.IN_FEATURES],
        num_classes=retinanet.NUM_CLASSES,
        conv_dims=[config.MODEL.FPN.OUT_CHANNELS] * retinanet.NUM_CONVS,
        prior_prob=retinanet.PRIOR_PROB,
        norm="GN",
    )
    nn.init.constant_(head.bbox_pred.bias, FCOS_FIRST_REACH)
    return FCOS(
        backbone=backbone,
        head=head,
        head_in_features=retinanet.IN_FEATURES,
        num_classes=retinanet.NUM_CLASSES,
        focal_loss_alpha=retinanet.FOCAL_LOSS_ALPHA,
        focal_loss_gamma=retinanet.FOCAL_LOSS_GAMMA,
        test_score_thresh=retinanet.SCORE_THRESH_TEST,
        test_topk_candidates=retinanet.TOPK_CANDIDATES_TEST,
        test_nms_thresh=FCOS_NMS_IOU,
        max_detections_per_image=config.TEST.DETECTIONS_PER_IMAGE,
        pixel_mean=config.MODEL.PIXEL_MEAN,
        pixel_std=config.MODEL.PIXEL_STD,
    )


BACKBONE_REGISTRY.register(build_mobilenet_fpn_backbone)
META_ARCH_REGISTRY.register(build_fcos)


class MobileNetDetector(Detectron2Detector):
    """A detector of Detectron2's on MobileNet v2.

    Args:
        config: what `configuration` made of one of the zoo; changed.
        input_size: side of the square input, pixels.
        seed: fixes the first weights.
        fcos: whether the dense detector of the configuration is to be FCOS.
    """

    def __init__(self, config: CfgNode, input_size: int, seed: int, *, fcos: bool = False) -> None:
        config.INPUT.FORMAT = "RGB"
        config.MODEL.PIXEL_MEAN, config.MODEL.PIXEL_STD = [0.0] * 3, [1.0] * 3
        config.MODEL.BACKBONE.NAME = build_mobilenet_fpn_backbone.__name__
        config.MODEL.FPN.OUT_CHANNELS = PYRAMID_WIDTH
        if fcos:
            config.MODEL.META_ARCHITECTURE = build_fcos.__name__
        super().__init__(config, input_size, seed)

    @property
    def encoder(self) -> nn.Sequential:
        """Initial convolution and blocks of MobileNet v2."""
        return self.model.backbone.bottom_up.blocks

    @property
    def mean(self) -> Tensor:
        """3×1×1, of the images that the encoder expects."""
        return self.model.backbone.bottom_up.mean

    @property
    def std(self) -> Tensor:
        """3×1×1, of the images that the encoder expects."""
        return self.model.backbone.bottom_up.std
