"""The run folder, in which every trained run leaves what it found."""

from __future__ import annotations

import gzip
import json
import shutil
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.runs.record import Record
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.hashing import file_sha256

if TYPE_CHECKING:
    import pandas as pd

RECORD, HISTORY = "run.json", "history.csv"
DETECTIONS, MATCHES = "detections.json.gz", "matches.csv.gz"
WEIGHTS = "model.safetensors"
RECORD_FILES = (RECORD, HISTORY, DETECTIONS, MATCHES)
"""What git keeps of a run."""


@dataclass(frozen=True)
class RunFolder:
    """A run folder, whether or not there is anything in it yet."""

    path: Path

    @property
    def name(self) -> str:
        """Of the run."""
        return self.path.name

    @property
    def weights(self) -> Path:
        """The trained weights, which git does not keep."""
        return self.path / WEIGHTS

    @property
    def finished(self) -> bool:
        """Whether a run has left its record."""
        return (self.path / RECORD).is_file()

    def record(self) -> Record:
        """What was trained, and what it cost.

        Raises:
            UserError: there is no record, or it cannot be read.
        """
        where = f"{self.name}/{RECORD}"
        try:
            values = json.loads((self.path / RECORD).read_bytes())
        except (OSError, ValueError) as error:
            raise UserError(f"{where}: cannot be read: {error}") from None
        return Record.parse(values, where)

    def is_of(self, spec: RunSpec) -> bool:
        """Whether it holds a finished run of exactly this specification."""
        if not self.finished:
            return False
        trained: str = json.loads((self.path / RECORD).read_bytes())["specification_hash"]
        return trained == spec.hash

    def history(self) -> pd.DataFrame:
        """Losses, learning rate and validation, one row a logged step."""
        import pandas as pd

        return pd.read_csv(self.path / HISTORY)

    def detections(self) -> list[dict[str, Any]]:
        """In the test images, as COCO results."""
        found: list[dict[str, Any]] = json.loads(self.text(DETECTIONS))
        return found

    def matches(self) -> pd.DataFrame:
        """The match records, from which every figure follows."""
        import pandas as pd

        return pd.read_csv(self.path / MATCHES)

    def text(self, name: str) -> str:
        """A file of `RECORD_FILES`, unpacked.

        Raises:
            UserError: it is missing or cannot be read.
        """
        try:
            content = (self.path / name).read_bytes()
            if not content:
                raise EOFError("it is empty")
            return (gzip.decompress(content) if name.endswith(".gz") else content).decode()
        except (OSError, EOFError, zlib.error, ValueError) as error:
            raise UserError(f"{self.name}/{name}: cannot be read: {error}") from None

    def altered(self) -> list[str]:
        """Files of `RECORD_FILES` that are missing or not what the record says they were.

        Raises:
            UserError: there is no record.
        """
        sums = self.record().files_sha256
        return [
            name
            for name in RECORD_FILES[1:]
            if not (self.path / name).is_file() or file_sha256(self.path / name) != sums.get(name)
        ]

    def copy_records(self, target: Path) -> None:
        """Copy what git keeps of the run into a new folder."""
        target.mkdir()
        for name in RECORD_FILES:
            shutil.copyfile(self.path / name, target / name)

    def write(
        self,
        record: Mapping[str, Any],
        history: Sequence[Mapping[str, float]],
        detections: Sequence[Mapping[str, Any]],
        matches: pd.DataFrame,
        weights: bytes,
    ) -> None:
        """Write all files beside the place, seal them, and move them there together.

        What was at the place is replaced at the end, and stays if anything goes wrong.

        Args:
            record: of `run.json`, but for the checksums of the other files.
            history: one row a logged step.
            detections: in the test images, as COCO results.
            matches: what scoring made of them.
            weights: as safetensors.
        """
        fresh = self.path.with_name(f".{self.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        try:
            (fresh / HISTORY).write_text(history_text(history))
            write_gzip(fresh / DETECTIONS, json.dumps(detections, separators=(",", ":")))
            write_gzip(fresh / MATCHES, matches.to_csv(index=False))
            (fresh / WEIGHTS).write_bytes(weights)
            sums = {path.name: file_sha256(path) for path in sorted(fresh.iterdir())}
            sealed = {**record, "files_sha256": sums}
            (fresh / RECORD).write_text(json.dumps(sealed, indent=1) + "\n")
            shutil.rmtree(self.path, ignore_errors=True)
            fresh.rename(self.path)
        except BaseException:
            shutil.rmtree(fresh, ignore_errors=True)
            raise


def require_run(folder: Path) -> Record:
    """The record of a finished run, which a user has named.

    Raises:
        UserError: there is none.
    """
    try:
        return RunFolder(folder).record()
    except UserError as error:
        raise UserError(
            f"{error}; give the folder of a trained run, such as "
            "results/quick/trained/sampler-basic-s0"
        ) from None


def history_text(history: Sequence[Mapping[str, float]]) -> str:
    """The table of a training's rows so far, one a logged step; of one untrained, its head."""
    import pandas as pd

    columns = None if history else ["step", "loss"]
    return str(pd.DataFrame(history, columns=columns).to_csv(index=False))


def write_gzip(path: Path, text: str) -> None:
    """Compress without a date or a name, so that equal text gives equal bytes."""
    path.write_bytes(gzip.compress(text.encode(), mtime=0))
