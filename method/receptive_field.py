"""Receptive field of a chain of convolutions, read off the modules (SSD paper §3.2, Table 1)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn

_POOLS = (nn.MaxPool2d, nn.AvgPool2d)


@dataclass(frozen=True)
class ReceptiveField:
    """What one cell sees: `size` input pixels a side, and the next cell `stride` pixels on."""

    size: int = 1
    stride: int = 1

    def after(self, kernel: int, stride: int = 1, dilation: int = 1) -> ReceptiveField:
        """The field after one more layer: r ← r + (k − 1)·d·j, j ← j·s."""
        return ReceptiveField(
            self.size + (kernel - 1) * dilation * self.stride, self.stride * stride
        )


def receptive_field(
    layers: nn.Module | Iterable[nn.Module], start: ReceptiveField | None = None
) -> ReceptiveField:
    """Field of the last layer of a chain, seen from the input of the first.

    Every convolution and pooling layer inside `layers` counts, in the order of registration; a
    residual sum adds nothing, since its other branch is the identity.

    Args:
        layers: one module or a sequence of modules, applied one after the other.
        start: the field at the input of the chain; one pixel unless given.

    Raises:
        ValueError: a kernel, stride or dilation is not square.
    """
    field = start or ReceptiveField()
    for layer in [layers] if isinstance(layers, nn.Module) else layers:
        for module in layer.modules():
            if isinstance(module, nn.Conv2d):
                dilation = _side(module.dilation)
            elif isinstance(module, _POOLS):
                dilation = _side(getattr(module, "dilation", 1))
            else:
                continue
            field = field.after(_side(module.kernel_size), _side(module.stride), dilation)
    return field


def _side(value: int | tuple[int, ...]) -> int:
    if isinstance(value, int):
        return value
    if len(set(value)) != 1:
        raise ValueError(f"only square kernels, strides and dilations have one side: got {value}")
    return value[0]
