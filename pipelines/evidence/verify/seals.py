"""Checksums over everything that is committed of a profile's results."""

from __future__ import annotations

from pathlib import Path

from pipelines.evaluation.timing import ROUNDS_FILE
from pipelines.system.hashing import file_sha256

SUMS = "SHA256SUMS"
COVERED = (
    "runs",
    "ledger.csv",
    ROUNDS_FILE,
    "speed.csv",
    "speed.json",
    "tables",
    "figures",
    "claims.csv",
    "claims.md",
    "summary.md",
    "report.html",
)
"""Files and folders of a profile's results, as far as they are there."""


def write_sums(folder: Path) -> int:
    """Write `SHA256SUMS`, which `sha256sum -c` reads, over the results in `folder`; files in it."""
    names = _covered(folder)
    fresh = folder / f".{SUMS}.new"
    fresh.write_text("".join(f"{file_sha256(folder / name)}  {name}\n" for name in names))
    fresh.replace(folder / SUMS)
    return len(names)


def check_sums(folder: Path) -> tuple[int, list[str]]:
    """Hold the files in `folder` against its `SHA256SUMS`.

    Returns:
        How many there are, and which were changed, are missing or are surplus.
    """
    there = _covered(folder)
    try:
        lines = (folder / SUMS).read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        return len(there), [f"{SUMS}: cannot be read: {error}; `--seal` writes it"]
    findings: list[str] = []
    expected: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        checksum, _, name = line.partition("  ")
        if len(checksum) != 64 or not name or name in expected:
            findings.append(f"{SUMS}: line {number} is no checksum and file of its own: {line!r}")
        expected[name] = checksum
    findings += [f"{name}: is missing" for name in expected if name and name not in there]
    for name in there:
        if name not in expected:
            findings.append(f"{name}: is surplus, {SUMS} does not know it")
        elif file_sha256(folder / name) != expected[name]:
            findings.append(f"{name}: was changed, its checksum is not that in {SUMS}")
    return len(there), findings


def _covered(folder: Path) -> list[str]:
    tops = [folder / name for name in COVERED]
    files = [p for top in tops for p in (top, *top.rglob("*")) if p.is_file()]
    return sorted(path.relative_to(folder).as_posix() for path in files)
