"""Where the repository's own files lie."""

from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PARAMETERS = REPOSITORY / "params.yaml"
PAPERS = REPOSITORY / "papers"
RESULTS = REPOSITORY / "results"
DATA = REPOSITORY / "data"
"""Prepared data sets."""
CHECKPOINTS = REPOSITORY / ".checkpoints"
"""What an interrupted training goes on from, and what runs print."""
