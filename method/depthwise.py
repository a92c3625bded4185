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
    """A depthwise convolution of stride 2, padded by half its kernel, without bias.

    Args:
        channels: of input and output; there are as many groups.
        side: of the kernel, odd.
    """

    def __init__(self, channels: int, side: int = 3) -> None:
        super().__init__(
            channels, channels, side, stride=2, padding=side // 2, groups=channels, bias=False
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
        return F.conv2d(x, weight, stride=2, padding=weight.shape[-1] // 2, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor]:
        x, weight = ctx.saved_tensors
        groups, padding = len(weight), weight.shape[-1] // 2
        spread = torch.zeros_like(x)
        spread[:, :, ::2, ::2] = gradients[0]
        to_x = F.conv2d(spread, weight.flip(2, 3), padding=padding, groups=groups)
        to_weight = conv2d_weight(
            x, weight.shape, gradients[0], stride=2, padding=padding, groups=groups
        )
        return to_x, to_weight


def replace_strided_depthwise(module: nn.Module) -> None:
    """Put the fast convolution in the place of every one that computes the same, weights kept."""
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv2d) and _is_strided_depthwise(child):
                fast = StridedDepthwiseConv2d(child.in_channels, int(child.kernel_size[0]))
                fast.weight = child.weight
                setattr(parent, name, fast)


def _is_strided_depthwise(convolution: nn.Conv2d) -> bool:
    side = convolution.kernel_size[0]
    return (
        convolution.in_channels == convolution.out_channels == convolution.groups
        and convolution.kernel_size == (side, side)
        and side % 2 == 1
        and convolution.stride == (2, 2)
        and convolution.padding == (side // 2, side // 2)
        and convolution.dilation == (1, 1)
        and convolution.bias is None
    )
