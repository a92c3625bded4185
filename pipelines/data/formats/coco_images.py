"""The list of images in a COCO json: checked, with their files found."""

from __future__ import annotations

import os
import posixpath
import reprlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PureWindowsPath

from pipelines.data.formats.coco_problems import LARGEST_ID, Entry, Problems, by_key, whole_number
from pipelines.data.formats.image_files import is_file, read_header
from pipelines.data.images import decoding_fault
from pipelines.data.photographs import Photographs
from pipelines.data.records import ImageRecord
from pipelines.system.errors import UserError


@dataclass
class ImageReader:
    """Reads the images of one json.

    file: the json; image_dir: the folder that its file names are relative to.
    photographs: if given, files that are not there are found by name.
    skip_broken: leave out photographs that are missing or cannot be decoded.
    """

    file: Path
    image_dir: Path
    photographs: Photographs | None = None
    skip_broken: bool = False
    _skipped: list[str] = field(default_factory=list)
    _sizeless: list[str] = field(default_factory=list)
    _elsewhere: bool = False

    @property
    def base(self) -> Path:
        """The folder that the records' names are relative to, once they are read."""
        return self.photographs.folder if self.photographs and self._elsewhere else self.image_dir

    def read(
        self, entries: list[object], problems: Problems, report: Callable[[str], None]
    ) -> dict[int | str, ImageRecord | None]:
        """The images by what annotations call them; None for one that is left out.

        Raises:
            UserError: there is no folder of images.
        """
        if not self.image_dir.is_dir():
            raise UserError(
                f"{self.image_dir}: no such image folder; put the images of {self.file} there"
            )
        images: dict[int | str, ImageRecord | None] = {}
        paths: dict[Path, int] = {}
        for key, entry in by_key(entries, "image", problems, report).items():
            path = self._path(entry, problems)
            if path is None:
                continue
            if path in paths:
                problems.add(
                    "duplicate file name",
                    f"image ids {paths[path]} and {entry.id} have the same file_name "
                    f"{entry.content['file_name']!r}; list each file once",
                )
                continue
            paths[path] = entry.id
            images[key] = self._record(entry, path, problems)
        if self._sizeless:
            report(
                f"{self.file}: {len(self._sizeless)} images have no width and height, which the "
                f"photographs give (first: {self._sizeless[0]!r})"
            )
        return self._named_from_base(images)

    def tell_skipped(self, report: Callable[[str], None]) -> None:
        """Report how many images were left out."""
        if self._skipped:
            report(
                f"{self.file}: left out {len(self._skipped)} photographs that cannot be read, with "
                f"their boxes (first: {self._skipped[0]})"
            )

    def _path(self, entry: Entry, problems: Problems) -> Path | None:
        """The image's file; None, with a problem, where there is none."""
        name = entry.content.get("file_name")
        if not isinstance(name, str) or not name:
            problems.add(
                "no file name",
                f"{entry.label} has no file_name; name its file in {self.image_dir}",
            )
            return None
        outside = _leads_outside(name)
        path = self.image_dir / posixpath.normpath(name)
        if not outside and is_file(path):
            return path
        if self.photographs and (found := self.photographs.find(name)):
            self._elsewhere = self._elsewhere or not found.is_relative_to(self.image_dir)
            return found
        if self.skip_broken and not outside:
            return path
        if outside:
            problems.add(
                "file outside",
                f"{entry.label} has the file_name {name!r}, which leads outside the image folder; "
                f"give a path relative to {self.image_dir}",
            )
            return None
        alike = self.photographs.alike(PureWindowsPath(name).name) if self.photographs else []
        several = f", and several others have its name, such as {str(alike[0])!r}" if alike else ""
        problems.add(
            "missing file",
            f"{entry.label}: its file {str(self.image_dir / name)!r} does not exist{several}; add "
            "the file or take the image and its boxes out of the json"
            + (", or prepare with --skip-broken-images" if self.photographs else ""),
        )
        return None

    def _record(self, entry: Entry, path: Path, problems: Problems) -> ImageRecord | None:
        if self.skip_broken and (fault := decoding_fault(path)):
            self._skipped.append(fault)
            return None
        width, height = (entry.content.get(side) for side in ("width", "height"))
        if self.photographs and width in (None, 0) and height in (None, 0):
            self._sizeless.append(str(entry.content["file_name"]))
            width, height = read_header(path).upright
        sides = whole_number(width), whole_number(height)
        if not all(side and side < LARGEST_ID for side in sides):
            problems.add(
                "odd image size",
                f"{entry.label} has width {reprlib.repr(width)} and height {reprlib.repr(height)}; "
                "give whole numbers of pixels from 1",
            )
            return None
        return ImageRecord(entry.id, str(path), sides[0] or 0, sides[1] or 0)

    def _named_from_base(
        self, images: dict[int | str, ImageRecord | None]
    ) -> dict[int | str, ImageRecord | None]:
        return {
            key: image and replace(image, file_name=os.path.relpath(image.file_name, self.base))
            for key, image in images.items()
        }


def _leads_outside(file_name: str) -> bool:
    windows = PureWindowsPath(file_name)
    normal = posixpath.normpath(file_name.replace("\\", "/"))
    return bool(windows.root or windows.drive) or normal.split("/")[0] in ("..", ".")
