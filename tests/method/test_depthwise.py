"""The strided depthwise convolution against torch's own."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from method.depthwise import StridedDepthwiseConv2d, replace_strided_depthwise


def plain(channels, side=3, **changes):
    shape = {"kernel_size": side, "stride": 2, "padding": side // 2, "groups": channels}
    shape["bias"] = False
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
    # Below three pixels some taps see nothing but padding, for which oneDNN leaves the gradient
    # of the weight unset in bfloat16.
    height=st.integers(3, 10),
    width=st.integers(3, 10),
    side=st.sampled_from([1, 3, 5]),
    seed=st.integers(0, 1000),
    dtype=st.sampled_from([torch.bfloat16, torch.float32]),
)
@settings(max_examples=60)
def test_output_and_gradients_are_those_of_torch(channels, height, width, side, seed, dtype):
    draw = torch.Generator().manual_seed(seed)
    # Small whole numbers: every sum is exact in bfloat16, in whatever order it is taken.
    x, weight, upstream = (
        torch.randint(-1, 2, shape, generator=draw).float()
        for shape in (
            (2, channels, height, width),
            (channels, 1, side, side),
            (2, channels, (height + 1) // 2, (width + 1) // 2),
        )
    )
    fast = gradients(StridedDepthwiseConv2d(channels, side), x, weight, upstream, dtype)
    # The oracle works in float32, where torch's own gradient is not in question.
    slow = gradients(plain(channels, side), x, weight, upstream, torch.float32)
    for ours, theirs in zip(fast, slow, strict=True):
        torch.testing.assert_close(ours.float(), theirs)


def test_the_same_convolutions_are_replaced_and_keep_their_weights():
    inner = nn.Sequential(plain(4), nn.ReLU(), plain(2, side=5))
    outer = nn.Sequential(inner, nn.Conv2d(4, 4, 3, stride=2))
    weights = dict(outer.named_parameters())
    replace_strided_depthwise(outer)
    assert [type(m) for m in inner] == [StridedDepthwiseConv2d, nn.ReLU, StridedDepthwiseConv2d]
    assert inner[2].kernel_size == (5, 5)
    assert type(outer[1]) is nn.Conv2d
    assert all(value is weights[name] for name, value in outer.named_parameters())


@pytest.mark.parametrize(
    "changes",
    [
        {"stride": 1},
        {"kernel_size": (3, 5), "padding": (1, 2)},
        {"kernel_size": 4},
        {"padding": 0},
        {"groups": 1},
        {"dilation": 2},
        {"bias": True},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_no_other_convolution_is_replaced(changes):
    chain = nn.Sequential(plain(4, **changes))
    replace_strided_depthwise(chain)
    assert type(chain[0]) is nn.Conv2d
