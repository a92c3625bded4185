"""Where committed results wait while a study is made here, and where those made here end."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from pipelines.system.errors import note
from pipelines.system.files import replaced_folder
from pipelines.system.paths import REPOSITORY

NOT_COMMITTED = ("trained", "specs", "gallery", "agreement.md")
"""In a study's folder; all else there is what git keeps of it."""
LOCK = "dvc.lock"


@dataclass(frozen=True)
class Places:
    """Of a profile's results, with the lock file that says what they were made of."""

    profile: str
    repository: Path = REPOSITORY

    @property
    def results(self) -> Path:
        """Where DVC makes them."""
        return self.repository / "results" / self.profile

    @property
    def committed(self) -> Path:
        """Where the committed ones wait."""
        return self.repository / ".committed" / self.profile

    @property
    def here(self) -> Path:
        """Where those made here end."""
        return self.repository / "results" / "here" / self.profile

    def keep(self) -> None:
        """Put the committed results aside, and go on from those that were made here before.

        A study that was interrupted goes on: what was put aside for it stays so.
        """
        if self.committed.exists():
            return
        if not (self.results / "runs").exists():
            note(f"results/{self.profile} holds no runs: there is nothing to compare with")
            return
        self._take_to(self.committed)
        if self.here.exists():
            self._put_back(self.here)
            shutil.rmtree(self.here)

    def give_back(self) -> None:
        """Let the committed results take their place again; those made here go to `here`."""
        if not self.committed.exists():
            return
        self._take_to(self.here)
        self._put_back(self.committed)
        self.forget()
        print(
            f"results/{self.profile} is as it was committed; what was made here lies in "
            f"{self.here.relative_to(self.repository)} (UPDATE=1 lets it stay)"
        )

    def forget(self) -> None:
        """Forget the committed results: what was made here stays in their place."""
        shutil.rmtree(self.committed, ignore_errors=True)

    def _take_to(self, target: Path) -> None:
        """Copy the study's results and the lock file, whole or not at all."""
        with replaced_folder(target) as fresh:
            _copy(self.results, fresh)
            shutil.copyfile(self.repository / LOCK, fresh / LOCK)

    def _put_back(self, source: Path) -> None:
        """Let results that were taken there be the study's."""
        for path in _kept(self.results):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        _copy(source, self.results)
        shutil.copyfile(source / LOCK, self.repository / LOCK)


def _copy(source: Path, target: Path) -> None:
    for path in _kept(source):
        if path.is_dir():
            shutil.copytree(path, target / path.name)
        else:
            shutil.copyfile(path, target / path.name)


def _kept(folder: Path) -> list[Path]:
    """What git keeps of a study's folder."""
    return [path for path in folder.iterdir() if path.name not in (*NOT_COMMITTED, LOCK)]
