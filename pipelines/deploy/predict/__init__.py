"""Detections in pictures and videos: `python -m pipelines.predict`."""
