"""A study's evidence on one page: `python -m pipelines.report PROFILE`."""
