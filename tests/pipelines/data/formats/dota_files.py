"""A small folder in DOTA's format, written file by file."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.data.formats.dota import read_dota
from pipelines.data.records import CocoSplit

HEAD = "imagesource:GoogleEarth\ngsd:0.146343590398\n"
ROTATED = "50 10 70 30 50 50 30 30 plane 0\n"
OVER_THE_EDGE = "-3.5 40.0 20.0 40.0 20.0 63.0 -3.5 63.0 ship 0\n"
DIFFICULT = "80 5 95 5 95 15 80 15 small-vehicle 1\n"
UPRIGHT = "2 3 12 3 12 9 2 9 harbor 0\n"


@dataclass
class Dota:
    """A small folder in DOTA's format; `reports` is what read said."""

    path: Path
    reports: list[str] = field(default_factory=list)

    def image(self, part: str, name: str) -> Path:
        return self.path / part / "images" / name

    def label(self, part: str, stem: str) -> Path:
        return self.path / part / "labelTxt" / f"{stem}.txt"

    def add(self, part: str, name: str, size: tuple[int, int], text: str) -> None:
        image, label = self.image(part, name), self.label(part, Path(name).stem)
        for file in (image, label):
            file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
        Image.fromarray(pixels).save(image)
        label.write_text(text)

    def read(self, split: str = "train", *, drop_broken: bool = False) -> CocoSplit:
        return read_dota(self.path, split, drop_broken=drop_broken, report=self.reports.append)
