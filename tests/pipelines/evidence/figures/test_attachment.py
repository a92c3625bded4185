"""Figure 2: the network that is given, layer by layer, against the paper's tables."""

import pytest

from method.ssd import SSD, SSDConfig
from pipelines.evidence.figures import attachment
from pipelines.evidence.papers import read_papers

PAPER = read_papers()["scale_aware_ssd"]


def heads_of(layers):
    return {layer: layer.head for layer in layers if layer.head}


def test_figure_2_shows_table_1_and_table_2_of_the_paper():
    layers = attachment.network_layers(SSD(SSDConfig(classes=3)))
    sides = [side for side, _ in PAPER.tables["table1"].blocks.values()]
    assert [layer.side for layer in layers] == [*sides[:9], 16, 8]
    heads = heads_of(layers)
    assert [layer.name for layer in heads] == ["5", "8", "extra", "extra"]
    assert [head.stride for head in heads.values()] == [8, 16, 32, 64]
    scores = [head.a_score for head in heads.values()]
    assert scores == pytest.approx([43 / 25, 107 / 38, 139 / 58, 203 / 87])


def test_figure_2_follows_another_attachment_width_and_input_size():
    config = SSDConfig(classes=3, attach=(6, 10), width=0.5, input_size=256)
    heads = heads_of(attachment.network_layers(SSD(config)))
    assert [layer.name for layer in heads] == ["6", "10", "extra", "extra"]
    # Blocks 6 and 10 see 59 and 171 pixels in Table 1; the extra layers add 2·16 and 2·32 to it.
    assert [head.field for head in heads.values()] == [59, 171, 203, 267]
    assert [layer.side for layer in heads] == [32, 16, 8, 4]
    # Of 32, 64, 512 and 256 channels, half.
    assert [layer.channels for layer in heads] == [16, 32, 256, 128]
    # Anchors shrink with the input, fields do not.
    assert next(iter(heads.values())).a_score == pytest.approx(59 / (25 / 2))


def test_figure_2_draws_the_numbers_of_the_network_that_it_is_given():
    texts = [
        {text.get_text() for axes in attachment.draw(config).axes for text in axes.texts}
        for config in (SSDConfig(classes=3), SSDConfig(classes=3, attach=(6, 10)))
    ]
    assert any("receptive field 43 px" in text for text in texts[0])
    assert not any("receptive field 43 px" in text for text in texts[1])
    assert any("receptive field 171 px" in text for text in texts[1])
    assert all(any("receptive field 299 px" in text for text in drawn) for drawn in texts)
