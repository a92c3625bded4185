"""Every claim of the papers and its answer: `python -m pipelines.claims PROFILE`."""
