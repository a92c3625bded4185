"""What can be looked at while a run trains, in plain files; TensorBoard's on request.

DVCLive writes such files too, but after a resumed training its tables hold the steps since the
checkpoint twice.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.runs.folder import HISTORY, history_text
from pipelines.system.files import write_whole

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


METRICS = "metrics.json"


@dataclass(frozen=True)
class Live:
    """A folder with the history so far, of this run alone, and the newest of each figure."""

    folder: Path
    tensorboard: bool = False
    """Write files for TensorBoard too."""

    def begin(self, history: Sequence[Mapping[str, float]]) -> None:
        """Show the history that a run starts with: empty, or its checkpoint's."""
        if not history:
            shutil.rmtree(self.folder, ignore_errors=True)
        self._write(history)

    def show(self, history: Sequence[Mapping[str, float]], row: Mapping[str, float]) -> None:
        """Take in a history that has grown by a row."""
        self._write(history)
        if self.tensorboard:
            for name in row.keys() - {"step"}:
                self._writer.add_scalar(name, row[name], int(row["step"]))
            self._writer.flush()

    def _write(self, history: Sequence[Mapping[str, float]]) -> None:
        write_whole(self.folder / HISTORY, history_text(history))
        newest: dict[str, float] = {"step": 0}
        for row in history:
            newest.update((name, value) for name, value in row.items() if value == value)
        write_whole(self.folder / METRICS, json.dumps(newest, indent=1) + "\n")

    @cached_property
    def _writer(self) -> SummaryWriter:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder / "tensorboard"))
