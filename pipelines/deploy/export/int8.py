"""Quantisation to int8 after training, calibrated on training images."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import DTypeLike, NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)

from pipelines.deploy.export.onnx_detector import OnnxDetector

CALIBRATION_IMAGES = 64


class Target(StrEnum):
    """Whose int8 the file is for."""

    CPU = "cpu"
    """ONNX Runtime's: activations unsigned, with a zero point."""
    TENSORRT = "tensorrt"
    """TensorRT's: all symmetric about 0, signed."""


FLOAT_CONVOLUTIONS = 6
"""The first ones stay float: MobileNet v2's stem and first two blocks, whose few channels lose most
to eight bits."""


class _Images(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, images: NDArray[np.uint8], kind: DTypeLike) -> None:
        self.images, self.kind = iter(images), kind

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        image = next(self.images, None)
        return None if image is None else {"image": np.array(image[None], dtype=self.kind)}


def choose_calibration(images: NDArray[np.uint8], count: int) -> NDArray[np.uint8]:
    """`count` of N images, or all where there are fewer, evenly spread."""
    places = np.linspace(0, len(images) - 1, min(count, len(images)))
    return images[places.round().astype(int)]


def quantise(
    model: Path, target: Path, calibration: NDArray[np.uint8], runtime: Target = Target.CPU
) -> None:
    """Write `model` with its convolutions in int8, but for the first `FLOAT_CONVOLUTIONS`.

    All else, decoding and suppression, stays float.

    Weights have a scale of their own for each channel; the range of activations is the one seen on
    `calibration`, N×S×S×3. The file keeps the model's metadata.
    """
    whole, symmetric = onnx.load(model), runtime is Target.TENSORRT
    convolutions = [node.name for node in whole.graph.node if node.op_type == "Conv"]
    with _without_advice():
        quantize_static(
            str(model),
            str(target),
            _Images(calibration, OnnxDetector(model).kind),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=["Conv"],
            per_channel=True,
            activation_type=QuantType.QInt8 if symmetric else QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=convolutions[:FLOAT_CONVOLUTIONS],
            extra_options={"ActivationSymmetric": symmetric, "WeightSymmetric": True}
            | ({"QuantizeBias": False} if symmetric else {}),
        )
    quantised = onnx.load(target)
    stated = {prop.key: prop.value for prop in whole.metadata_props}
    onnx.helper.set_model_props(
        quantised, stated | {"precision": f"int8 convolutions for {runtime}"}
    )
    onnx.save(quantised, target)


@contextmanager
def _without_advice() -> Iterator[None]:
    """The quantiser advises to fold batch norms first; the exporter has done so."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
