"""Put a split together, one image and box at a time, and tell what was odd about it."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.data.formats.boxes import BrokenBoxError, CheckedBox, told_clipped
from pipelines.data.images import decoding_fault
from pipelines.data.records import Annotation, Category, CocoSplit, ImageRecord
from pipelines.system.errors import UserError


@dataclass
class SplitBuilder:
    """A split in the making; ids count from 1 in the order of adding.

    label: names the split in reports and errors.
    drop_broken: leave broken boxes out and count them, rather than stop at the first.
    skip_broken_images: leave out photographs that cannot be decoded, and count them.
    """

    label: str
    drop_broken: bool
    skip_broken_images: bool = False
    _images: list[ImageRecord] = field(default_factory=list)
    _annotations: list[Annotation] = field(default_factory=list)
    _dropped: Counter[str] = field(default_factory=Counter)
    _overs: list[float] = field(default_factory=list)
    _noticed: Counter[str] = field(default_factory=Counter)
    _first: dict[str, str] = field(default_factory=dict)

    def add_image(self, file_name: str, width: int, height: int) -> ImageRecord:
        """Add an image of this size in pixels."""
        image = ImageRecord(len(self._images) + 1, file_name, width, height)
        self._images.append(image)
        return image

    def add_box(
        self, image: ImageRecord, category_id: int, box: CheckedBox, iscrowd: int = 0
    ) -> None:
        """Add an object of the image, of area width · height."""
        self._overs += [box.over] * box.clipped
        number, area = len(self._annotations) + 1, box.bbox[2] * box.bbox[3]
        self._annotations.append(Annotation(number, image.id, category_id, box.bbox, iscrowd, area))

    def add_broken(self, where: str, error: BrokenBoxError) -> None:
        """Count a box as dropped; raises UserError, which starts with `where`, unless allowed."""
        if not self.drop_broken:
            raise UserError(
                f"{where} {error}; correct it, or prepare with --drop-broken to leave it out"
            )
        self._dropped[error.kind] += 1

    def is_usable(self, path: Path, *, most_pixels: int | None = None) -> bool:
        """Whether an image can be decoded; looked at only where broken ones may be skipped."""
        skip = self.skip_broken_images
        fault = decoding_fault(path, most_pixels=most_pixels) if skip else None
        if fault:
            self.notice("photographs cannot be read and are left out with their boxes", fault)
        return fault is None

    def notice(self, what: str, where: str) -> None:
        """Count something odd; finish reports how often it was and where first."""
        self._noticed[what] += 1
        self._first.setdefault(what, where)

    def finish(
        self,
        categories: tuple[Category, ...],
        report: Callable[[str], None],
        mend: str = "annotate at least one object",
    ) -> CocoSplit:
        """The split; what was noticed, dropped or clipped is reported, a line each.

        Raises UserError with the advice `mend` if no box is left that can be trained on.
        """
        for what, count in self._noticed.items():
            report(f"{self.label}: {count} {what} (first: {self._first[what]})")
        if self._dropped:
            reasons = ", ".join(f"{count} {kind}" for kind, count in self._dropped.items())
            report(f"{self.label}: dropped {self._dropped.total()} broken boxes: {reasons}")
        if self._overs:
            report(f"{self.label}: {told_clipped(len(self._overs), max(self._overs))}")
        if all(annotation.iscrowd for annotation in self._annotations):
            but = " but difficult ones" if self._annotations else ""
            raise UserError(f"{self.label}: no boxes in the split{but}; {mend}")
        return CocoSplit(tuple(self._images), categories, tuple(self._annotations))


def numbered_categories(names: tuple[str, ...]) -> tuple[Category, ...]:
    """Category id k is names[k - 1]."""
    return tuple(Category(k, name) for k, name in enumerate(names, start=1))
