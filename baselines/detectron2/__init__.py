"""Detectron2's detectors: their interface to this project, their trainer, one more backbone."""
