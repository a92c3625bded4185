"""The strided depthwise convolution against torch's own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from method.depthwise import StridedDepthwiseConv2d


def plain(channels, **changes):
    shape = {"kernel_size": 3, "stride": 2, "padding": 1, "groups": channels, "bias": False}
    return nn.Conv2d(channels, channels, **shape | changes)


def gradients(convolution, x, weight, upstream, dtype):
    x = x.detach().to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    convolution.weight = nn.Parameter(weight.clone())
    with torch.autocast("cpu", dtype, enabled=dtype is torch.bfloat16):
        y = convolution(x)
    y.backward(upstream.to(y.dtype))
    return y.detach(), x.grad, convolution.weight.grad


@given(
    channels=st.integers(1, 9),
    height=st.integers(1, 10),
    width=st.integers(1, 10),
    seed=st.integers(0, 1000),
    dtype=st.sampled_from([torch.bfloat16, torch.float32]),
)
@settings(max_examples=60, deadline=None)
def test_output_and_gradients_are_those_of_torch(channels, height, width, seed, dtype):
    draw = torch.Generator().manual_seed(seed)
    # Small whole numbers: every sum is exact in bfloat16, in whatever order it is taken.
    x, weight, upstream = (
        torch.randint(-2, 3, shape, generator=draw).float()
        for shape in (
            (2, channels, height, width),
            (channels, 1, 3, 3),
            (2, channels, (height + 1) // 2, (width + 1) // 2),
        )
    )
    fast = gradients(StridedDepthwiseConv2d(channels), x, weight, upstream, dtype)
    # The oracle works in float32, where torch's own gradient is not in question.
    slow = gradients(plain(channels), x, weight, upstream, torch.float32)
    for ours, theirs in zip(fast, slow, strict=True):
        torch.testing.assert_close(ours.float(), theirs)


@pytest.mark.parametrize(
    "changes",
    [
        {"stride": 1},
        {"kernel_size": 5},
        {"padding": 0},
        {"groups": 1},
        {"dilation": 2},
        {"bias": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_no_other_convolution_is_replaced(changes):
    assert StridedDepthwiseConv2d.can_replace(plain(4))
    assert not StridedDepthwiseConv2d.can_replace(plain(4, **changes))


def test_no_other_module_is_replaced():
    assert not StridedDepthwiseConv2d.can_replace(nn.MaxPool2d(3, stride=2, padding=1))
