"""MobileNet's strided depthwise convolution, trained at full speed in bfloat16 on CPU.

There, PyTorch 2.13 takes 10 to 20 times as long for the gradient with respect to the input as for
the same sums written as a convolution without stride: a third of a whole training step.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.grad import conv2d_weight


class StridedDepthwiseConv2d(nn.Conv2d):
    """A 3×3 depthwise convolution of stride 2 and padding 1, without bias.

    Args:
        channels: of input and output; there are as many groups.
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels, 3, stride=2, padding=1, groups=channels, bias=False)

    @classmethod
    def can_replace(cls, module: nn.Module) -> bool:
        """Whether `module` computes what this one does."""
        return (
            isinstance(module, nn.Conv2d)
            and module.in_channels == module.out_channels == module.groups
            and (module.kernel_size, module.stride, module.padding) == ((3, 3), (2, 2), (1, 1))
            and module.dilation == (1, 1)
            and module.bias is None
        )

    def forward(self, x: Tensor) -> Tensor:
        if x.dtype is torch.bfloat16 and x.device.type == "cpu" and torch.is_grad_enabled():
            result: Tensor = _Convolution.apply(x, self.weight.to(x.dtype))  # type: ignore[no-untyped-call]
            return result
        return super().forward(x)


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(x, weight)
        return F.conv2d(x, weight, stride=2, padding=1, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        groups = len(weight)
        spread = torch.zeros_like(x)
        spread[:, :, ::2, ::2] = gradients[0]
        to_x = F.conv2d(spread, weight.flip(2, 3), padding=1, groups=groups)
        to_weight = conv2d_weight(x, weight.shape, gradients[0], stride=2, padding=1, groups=groups)
        return to_x, to_weight
