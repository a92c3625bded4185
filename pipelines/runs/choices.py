"""What the fields of a specification can be set to, beside the method's own choices."""

from __future__ import annotations

from enum import StrEnum


class Optimiser(StrEnum):
    """What turns gradients into steps."""

    ADAMW = "adamw"
    """Adam with decoupled weight decay."""
    ADAM = "adam"
    """Adam with the decay added to the gradient (L2), as in the scale-aware SSD's released code."""
    SGD = "sgd"
    """With momentum 0.9 (LapNet, §4)."""


class Precision(StrEnum):
    """Arithmetic of the network; losses are always float32."""

    BF16 = "bf16"
    FP32 = "fp32"
    TF32 = "tf32"
    """float32 whose products a GPU rounds to ten bits; on a CPU the same as fp32."""


class Schedule(StrEnum):
    """How the learning rate falls."""

    STEP = "step"
    """A tenth at half and again at 90 % of the iterations (the scale-aware SSD's released code)."""
    COSINE = "cosine"
    """To zero along half a cosine."""
    POLYNOMIAL = "polynomial"
    """To zero as the rest of the iterations to the power of 0.9 (LapNet, §4)."""


class Switch(StrEnum):
    """On or off, which older YAML takes for true and false."""

    ON = "on"
    OFF = "off"


class Released(StrEnum):
    """What the scale-aware SSD's released code does otherwise than its text: one switch each."""

    SOFTMAX_TWICE = "softmax-twice"
    """Cross-entropy on probabilities, so that a softmax is applied twice."""
    MINE_OVER_BATCH = "mine-over-batch"
    """Negatives are mined over all images of a batch together."""
    SAMPLE_LIMIT = "sample-limit"
    """At most 10,000 samples a batch; of misclassified negatives the first images' stay."""
    CORNER_CODING = "corner-coding"
    """Boxes coded by their corner and plain ratios of sides."""
    NO_VARIANCES = "no-variances"
    """SSD's coding without its variances."""
    INCLUSIVE_OVERLAP = "inclusive-overlap"
    """A pixel is added to the overlap when anchors are matched."""
    LATER_WINS = "later-wins"
    """Of objects that one anchor matches, the last in the file gets it, not the nearest; an object
    falls back on all anchors that are equally good."""
    WHOLE_PIXEL_TARGETS = "whole-pixel-targets"
    """Objects, and the corners of anchors, are cut to whole pixels before they are matched and
    coded."""
    SCORE_FLOOR = "score-floor"
    """Detections below 0.3 are dropped, one class an anchor; of the rest the first 300 in the order
    of the anchors go through NMS at 0.3."""
    WHOLE_PIXELS = "whole-pixels"
    """Detected boxes are cut to whole pixels."""


class Augment(StrEnum):
    """Changes of the training images, drawn anew each time an image is seen."""

    FLIP = "flip"
    """Mirrored left to right, every other time."""
    CROP = "crop"
    """A random crop that keeps some object in sight (SSD, §2.2), stretched to the input."""
    SCALE = "scale"
    """Enlarged or made smaller by up to two times; what is outside is cut, what lacks is grey."""
    LIGHT = "light"
    """Brightness, contrast and saturation by up to 30 %; hue hardly, since it is the class."""
    TILES = "tiles"
    """2x2 mosaics are dealt anew from all tiles of the training set in each epoch."""
