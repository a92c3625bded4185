"""What is said of a trained detector once its detections are compared with the objects."""
