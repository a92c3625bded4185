"""Bring a study up to date, several runs at a time: on this machine, on Ray, or on SLURM.

Elsewhere than here, a run is trained in a clone of the worker's own (`clones`), and its result
comes back through a DVC remote. What was trained is found there by anyone who has the remote.
"""
