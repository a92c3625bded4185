"""The detectors: one entry each, their first weights, and trained ones opened again."""
