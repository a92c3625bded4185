"""The recursion against the paper's Table 1 and against the gradients of real convolutions."""

from pathlib import Path

import pytest
import torch
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from method.mobilenet import LAST_BLOCK, encoder_blocks
from method.receptive_field import ReceptiveField, receptive_field

PAPER = Path(__file__).parents[2] / "papers" / "scale-aware-ssd.yaml"


def convolution(kernel: int, stride: int, dilation: int) -> nn.Conv2d:
    return nn.Conv2d(1, 1, kernel, stride, dilation=dilation, bias=False)


CHAINS = st.lists(
    st.one_of(
        st.builds(convolution, st.integers(1, 5), st.integers(1, 3), st.integers(1, 3)),
        st.builds(nn.AvgPool2d, st.integers(1, 4), st.integers(1, 3)),
    ),
    min_size=1,
    max_size=3,
)


def seen_by(cell: Tensor, image: Tensor) -> tuple[list[int], list[int]]:
    """First and last row and column with a gradient."""
    (gradient,) = torch.autograd.grad(cell, image, retain_graph=True)
    places = gradient[0, 0].nonzero()
    return places.amin(dim=0).tolist(), places.amax(dim=0).tolist()


@settings(max_examples=60)
@given(CHAINS)
def test_a_cell_has_gradients_over_its_field_and_its_neighbour_one_stride_on(layers):
    field = receptive_field(layers)
    chain = nn.Sequential(*layers).double()
    for weight in chain.parameters():
        nn.init.ones_(weight)  # all of one sign, so that no two paths cancel
    side = field.size + field.stride
    image = torch.ones(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    cells = chain(image)[0, 0]
    assert cells.shape == (2, 2)
    assert seen_by(cells[0, 0], image) == ([0, 0], [field.size - 1] * 2)
    assert seen_by(cells[1, 1], image) == ([field.stride] * 2, [side - 1] * 2)


def test_mobilenet_has_the_paper_s_table_1():
    table = yaml.safe_load(PAPER.read_text())["tables"]["table1"]["blocks"]
    encoder = encoder_blocks(LAST_BLOCK)
    fields = [receptive_field(encoder[: number + 1]) for number in range(len(encoder))]
    assert [[512 // field.stride, field.size] for field in fields] == list(table.values())


def test_a_chain_goes_on_from_the_field_it_is_given():
    # 3×3 on a field of 107 with stride 16: 107 + 2·16 = 139; its stride 2 doubles the step.
    start = ReceptiveField(107, 16)
    layers = [nn.Conv2d(4, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 3, stride=2)]
    assert receptive_field(layers, start) == ReceptiveField(139, 32)
    assert receptive_field([], start) == start


def test_layers_inside_layers_and_dilated_pooling_count():
    # 3×3 at stride 2: 3, step 2; pooling 3×3 dilated by 2 over every cell: 3 + 2·2·2 = 11.
    pool = nn.MaxPool2d(3, stride=1, dilation=2)
    nested = nn.Sequential(nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8)), pool)
    assert receptive_field(nested) == ReceptiveField(11, 2)


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(1, 1, (3, 1)),
        nn.Conv2d(1, 1, 3, stride=(1, 2)),
        nn.Conv2d(1, 1, 3, dilation=(2, 1)),
        nn.AvgPool2d((1, 3)),
    ],
)
def test_a_layer_that_is_not_square_is_refused(layer):
    with pytest.raises(ValueError, match="square"):
        receptive_field(layer)
