"""What may be wrong with a data set: the kinds of suspicion, and one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pipelines.data.records import Box

MOST_EXAMPLES = 8
"""Examples that a suspicion keeps."""
EVERYWHERE = "all splits"
"""The `split` of a suspicion that concerns the data set as a whole."""


class Kind(StrEnum):
    """Kinds of suspicion, the most serious first."""

    LEAKED_IMAGE = "the same image in two splits"
    NEARLY_LEAKED_IMAGE = "nearly the same image in two splits"
    NEIGHBOURING_SHOT = "photograph taken beside one of another split"
    CONTRADICTORY_LABELS = "two classes for one object"
    UNTRAINED_CLASS = "class without an object in train"
    ALIKE_NAMES = "class names that are nearly the same"
    CLASS_SHIFT = "classes shared out otherwise than in train"
    SIZE_SHIFT = "objects of other sizes than in train"
    REPEATED_BOX = "box given twice"
    CONSTANT_IMAGE = "image of one colour"
    UNMEASURED_CLASS = "class without an object in test"
    SCARCE_CLASS = "class with few objects in train"
    REPEATED_IMAGE = "image given twice"
    NEARLY_REPEATED_IMAGE = "nearly the same image twice"
    GREY_IMAGE = "grey image among colour images"
    COVERING_BOX = "box over nearly all of its image"
    FRAMING_BOX = "box that touches all four edges"
    SQUEEZED_OBJECTS = "small objects on large photographs"
    TINY_BOX = "box of very few pixels"
    ELONGATED_BOX = "very long or very tall box"
    CROWDED_IMAGE = "image with far more objects than others"
    EMPTY_IMAGE = "image without objects"
    STRETCHED_IMAGE = "image that a square input stretches much"
    UNEVEN_SIZES = "images of very different sizes"

    @property
    def rank(self) -> int:
        """0 is the most serious."""
        return list(Kind).index(self)

    @property
    def serious(self) -> bool:
        """Whether results would mislead, or training be taught wrongly, until it is mended."""
        return self.rank <= Kind.CONSTANT_IMAGE.rank


@dataclass(frozen=True)
class Example:
    """An object, or a whole image where `annotation_id` and `box` are None."""

    split: str
    file_name: str
    annotation_id: int | None = None
    box: Box | None = None
    """`xywh`, pixels of the image."""


@dataclass(frozen=True)
class Suspicion:
    """One thing that may be wrong with a data set."""

    kind: Kind
    split: str
    """A split, two joined by a comma, or EVERYWHERE."""
    sentence: str
    count: int
    """How many boxes, images or classes it concerns."""
    examples: Sequence[Example] = ()
    """The worst first, MOST_EXAMPLES at most; of pairs, each one beside its other."""
