"""Trained detectors packed for others to take away."""
