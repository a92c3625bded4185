"""What can be looked at while a run trains: a table, and TensorBoard's files on request."""

from __future__ import annotations

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


@dataclass(frozen=True)
class Live:
    """A folder with the history so far, of this run alone."""

    folder: Path
    tensorboard: bool = False
    """Write files for TensorBoard too."""

    def show(self, history: Sequence[Mapping[str, float]]) -> None:
        """Take in a history that has grown by one row."""
        if len(history) == 1:
            shutil.rmtree(self.folder, ignore_errors=True)
        write_whole(self.folder / HISTORY, history_text(history))
        if self.tensorboard:
            row = history[-1]
            for name in row.keys() - {"step"}:
                self._writer.add_scalar(name, row[name], int(row["step"]))
            self._writer.flush()

    @cached_property
    def _writer(self) -> SummaryWriter:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self.folder / "tensorboard"))
