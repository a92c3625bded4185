"""Where the repository's own files lie."""

import os
from pathlib import Path

DVC_COPIES = (".dvc", "tmp", "exps")
"""Where, in a repository, DVC keeps the copies that it runs experiments in."""


def declaring_repository(repository: Path) -> Path:
    """The repository that an experiment was declared in.

    DVC runs the experiments of its queue, and those with `--temp`, in a copy below the repository;
    any other repository is its own.
    """
    parts = repository.parts
    for end in range(len(parts) - len(DVC_COPIES)):
        if parts[end : end + len(DVC_COPIES)] == DVC_COPIES:
            return Path(*parts[:end])
    return repository


def read_paths_as_declared() -> None:
    """Let relative paths of data and weights mean what they meant where they were written."""
    os.chdir(declaring_repository(REPOSITORY))


REPOSITORY = Path(__file__).resolve().parents[2]
PARAMETERS = REPOSITORY / "params.yaml"
PAPERS = REPOSITORY / "papers"
RESULTS = REPOSITORY / "results"
DATA = REPOSITORY / "data"
"""Prepared data sets."""
CHECKPOINTS = REPOSITORY / ".checkpoints"
"""What an interrupted training goes on from, and what runs print."""
