"""Committed results, checked without training: `python -m pipelines.verify [PROFILE ...]`."""
