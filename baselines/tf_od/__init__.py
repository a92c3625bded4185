"""The TF Object Detection API's SSD MobileNet v2, in an environment of its own (`make setup-tf`).

`detector`, `config`, `folded` and `environment` belong to this project's environment; `program` and
`records` to TensorFlow's; `channel` is what both speak.
"""
