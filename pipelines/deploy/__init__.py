"""Trained detectors outside this project: exported, and put to use."""
