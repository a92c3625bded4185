"""What the scale-aware SSD's training can be told, without torch, so that asking is cheap."""

from __future__ import annotations

from enum import StrEnum

CUSTOM_ATTACHMENT = (5, 8)
"""Blocks of MobileNet v2 that carry a head (§3.2)."""
ORIGINAL_ATTACHMENT = (14, 17)
"""Block 14 and the last, as in the original SSD."""


class Sampler(StrEnum):
    """The rows of the scale-aware SSD's Table 7."""

    BASIC = "basic"
    """The three times as many negatives as positives with the highest loss."""
    ONE_TO_ONE = "1:1"
    """As many negatives as positives, those with the highest loss."""
    DNS = "dns"
    """Dynamic negative sampling: every negative that is classified as an object."""


class Law(StrEnum):
    """The distribution of a convolution's first weights."""

    HE = "he"
    """He's normal law over the outgoing connections; biases 0."""
    XAVIER = "xavier"
    """Xavier's uniform law; biases 0."""
    PYTORCH = "pytorch"
    """Uniform within ±1/√n, n the incoming connections; biases too."""
    SMALL = "small"
    """Normal with a standard deviation of 0.01; biases 0."""


class HeadInit(StrEnum):
    """First weights of an SSD's heads and extra layers."""

    RELEASED = "released"
    """PyTorch's own, which the scale-aware SSD's released code leaves as they are."""
    XAVIER = "xavier"
    """Xavier's, as the paper's text has it (§5.1)."""
    SMALL = "small"
    """Heads as small as RetinaNet's; extra layers with PyTorch's own."""

    @property
    def of_heads(self) -> Law:
        """The heads' law."""
        return {self.XAVIER: Law.XAVIER, self.SMALL: Law.SMALL}.get(self, Law.PYTORCH)

    @property
    def of_extras(self) -> Law:
        """The extra layers' law."""
        return Law.XAVIER if self is self.XAVIER else Law.PYTORCH
