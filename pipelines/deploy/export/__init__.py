"""A trained detector as one ONNX file: `python -m pipelines.export`."""
