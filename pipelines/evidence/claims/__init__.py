"""Every claim of the two papers and its answer: `python -m pipelines.claims PROFILE`."""
