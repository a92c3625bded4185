"""Fingerprints: of one file, as manifests and run folders hold it, and of the code."""

import hashlib
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

CODE = ("method", "pipelines", "baselines")
"""Folders with the code that makes results."""


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def code_hash(files: Mapping[str, bytes]) -> str:
    """Twelve hexadecimal digits of Python files, by their paths from the repository's root."""
    digest = hashlib.sha256()
    paths = [PurePosixPath(name) for name in files]
    for path in sorted(paths, key=lambda path: (CODE.index(path.parts[0]), path)):
        digest.update(str(path).encode() + b"\0" + files[str(path)] + b"\0")
    return digest.hexdigest()[:12]
