"""One published file, how it is downloaded, and what is left."""

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

from pipelines.data.published.download import download

CONTENT = random.Random(0).randbytes(100_000)
OTHER = random.Random(1).randbytes(100_000)
MD5 = hashlib.md5(CONTENT).hexdigest()
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Get:
    """Download the server's `set.zip` to `file` quietly; gives what was reported."""

    url: str
    file: Path

    def __call__(self, **checksums) -> list[str]:
        reports: list[str] = []
        options = {"report": reports.append, "progress": False, **checksums}
        download(self.url, self.file, **options)
        return reports


def left(folder: Path) -> list[str]:
    """What lies in a folder beside locks."""
    return sorted(path.name for path in folder.iterdir() if path.suffix != ".lock")


def ranges(server) -> list[str | None]:
    return [request.range for request in server.log]
