"""An SVG's ids: by their order, so that the last bits of a number change no byte."""

import re

from pipelines.evidence.figures.style import new_figure, numbered, save, styled


def drawn(folder, height):
    """A line with markers, clipped by its axes."""
    with styled():
        figure = new_figure(height)
        figure.subplots().plot([0, 1, 2], [1, 3, 2], marker="o")
        folder.mkdir()
        save(figure, folder, "line", "svg")
    return (folder / "line.svg").read_text()


def test_ids_are_numbers_and_all_references_are_to_them(tmp_path):
    text = drawn(tmp_path / "a", 2)
    ids = re.findall(r'id="([^"]+)"', text)
    assert not [one for one in ids if re.fullmatch(r"[a-z][0-9a-f]{10}", one)]
    assert len(ids) == len(set(ids))
    asked = re.findall(r'url\(#([^)]+)\)|xlink:href="#([^"]+)"', text)
    assert len(asked) > 3
    assert {one or other for one, other in asked} <= set(ids)


def test_a_hash_of_other_bits_gives_the_same_bytes():
    text = '<path clip-path="url(#{0})"/><clipPath id="{0}"><use xlink:href="#mabcdefabcd"/>'
    assert numbered(text.format("p01b68078ed")) == numbered(text.format("pa13156a44b"))
    assert "#b0b0b0" in numbered('<path id="p01b68078ed" style="stroke: #b0b0b0"/>')
