"""An environment with torch, torchvision and what these require, and nothing else."""

import importlib.metadata
import os
import re
import venv
from pathlib import Path

GIVEN = os.environ.get("BUNDLE_PYTHON")
"""Another interpreter to test bundles with, such as that of a torch 2.11 on Python 3.12."""


def plain_python(folder: Path) -> Path:
    """The interpreter of a new environment that links to packages installed here."""
    if GIVEN:
        return Path(GIVEN)
    venv.create(folder, symlinks=True, with_pip=False)
    (site,) = folder.glob("lib/python*/site-packages")
    for name in _with_requirements("torch", "torchvision"):
        distribution = importlib.metadata.distribution(name)
        for top in {file.parts[0] for file in distribution.files or [] if file.parts[0] != ".."}:
            if not (site / top).exists():
                (site / top).symlink_to(Path(str(distribution.locate_file(top))))
    return folder / "bin" / "python"


def _with_requirements(*names: str) -> set[str]:
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = re.split(r"[^\w.-]", waiting.pop())[0].lower().replace("_", "-")
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another system
        if name not in found:
            found.add(name)
            waiting += [r for r in distribution.requires or [] if "extra ==" not in r]
    return found
