"""What LapNet's training can be told; a module without torch, so that asking is cheap."""

from enum import StrEnum


class Backbone(StrEnum):
    """The encoder, and with it the decoder."""

    MOBILENET_V2 = "mobilenet-v2"
    """Light, for small machines: a feature pyramid of 48 channels."""
    DARKNET53 = "darknet53"
    """With YOLOv3's decoder (§4)."""
    INCEPTION_RESNET_V2 = "inception-resnet-v2"
    """With a feature pyramid network (§4)."""


class Overlap(StrEnum):
    """What decides which anchors an object has."""

    ABSOLUTE = "absolute"
    """IoU."""
    PONO = "pono"
    """IoU over the highest of the object's anchors (eq. 1)."""


class Balance(StrEnum):
    """The weights of the two losses (Table 2b)."""

    ONE = "one"
    """All 1: the classification loss is the plain mean over all anchors."""
    RATIO = "ratio"
    """R = N / N⁺ for the classification, as in RetinaNet."""
    LEARNED_LOSSES = "learned-losses"
    """One learned weight for each loss."""
    LEARNED = "learned"
    """One for each loss and one for each loss of each anchor of each class."""


class ClassificationLoss(StrEnum):
    """What is summed over the anchors."""

    CROSS_ENTROPY = "cross-entropy"
    FOCAL = "focal"
    """With its default parameters, α 0.25 and γ 2."""
