"""The detectors: how each is built, their first weights, and trained ones opened again."""
