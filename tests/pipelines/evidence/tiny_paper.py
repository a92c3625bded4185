"""A third paper, of one table and two claims."""

from pipelines.evidence.papers import read_papers

PAPER = """
name: tiny
short: Tiny paper
title: A tiny paper about samplers
authors: [A. Author, B. Writer]
venue: Journal of Small Things
year: 2026
detectors: [scale-aware-ssd]
conditions:
  - {number: T1, name: data, paper: drawn scenes, here: ["{dataset}"], alike: {dataset: scenes}}
  - {number: T2, name: input size, paper: at least 512, here: ["{input_size}"],
     alike: {input_size: {at least: 512}}}
tables:
  samplers:
    title: Table IV
    file: tiny-samplers
    caption: Samplers on drawn scenes
    factor: sampler
    metrics: [AP]
    reference: plain
    rows:
      plain: {row: plain, AP: 20.0}
      ours: {row: better, AP: 31.0}
claims:
  - {id: better, place: §2, text: Ours is better, check: {compare: [better, plain], metric: AP,
     published: higher}}
  - {id: eleven, place: §2, text: 11 AP follow from Table IV,
     check: {printed: samplers, rows: [ours, plain], metric: AP, published: 11.0}}
"""


def tiny_paper(folder):
    """The papers of a new folder that holds this one alone."""
    folder.mkdir()
    (folder / "tiny.yaml").write_text(PAPER, encoding="utf-8")
    return read_papers(folder)
