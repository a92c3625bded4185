"""Whether objects are within the SSD's reach, and what is the better choice where they are not."""

from __future__ import annotations

import torch
from torch import Tensor

from method.adaptation import Candidate, rank_candidates
from method.lapnet.clustering import cluster_sides
from method.lapnet.detector import LapNetConfig
from method.ssd import SSD
from pipelines.detectors.build import network_cost
from pipelines.detectors.ssd import ssd_config
from pipelines.runs.spec import RunSpec

ENOUGH = 0.9
"""Share of the objects that anchors should reach at the matching threshold."""
GAIN = 0.02
"""So much more must a larger input reach to be named."""


def beyond_reach(boxes: Tensor, sizes: Tensor, input_size: int, best: Candidate) -> list[str]:
    """What to take in the place of the best candidate, where it does not do; in sentences.

    Args:
        boxes: N×4, `xyxy`, input pixels.
        sizes: N, sides of the equal squares at 512×512.
        input_size: side of the input, pixels.
        best: of the candidates for these.
    """
    if best.fits and best.recall >= ENOUGH:
        return []
    why = f"its anchors reach {best.recall:.0%} of them" if best.fits else "none of its heads fit"
    sides = (boxes[:, 2:] - boxes[:, :2]).double().numpy()
    anchors = LapNetConfig.anchors_a_class
    overlap = cluster_sides(sides, min(anchors, len(sides)), seed=0).mean_iou
    said = [
        f"these objects are beyond the SSD's reach ({why}): LapNet is the better choice "
        f"(detector=lapnet), whose {anchors} anchors a class follow the objects' own widths and "
        f"heights: a mean overlap of {overlap:.2f} at their centres against {best.mean_iou:.2f}"
    ]
    larger = rank_candidates(2 * boxes, sizes, 2 * input_size)[0]
    if larger.fits and larger.recall >= best.recall + GAIN:
        said.append(
            f"or input_size={2 * input_size}, at four times the cost an image: there blocks "
            f"{larger.attach[0]} and {larger.attach[1]} reach {larger.recall:.0%}"
        )
    return said


def cost(best: Candidate, input_size: int, classes: int) -> str:
    """What the choice costs beside the paper's blocks with one anchor a cell, in a sentence."""
    paper = RunSpec(input_size=input_size)
    chosen = RunSpec(
        input_size=input_size,
        attach=best.attach,
        anchors=best.anchors,
        aspect_ratios=best.aspect_ratios,
    )
    own, theirs = (_operations(spec, classes) for spec in (chosen, paper))
    return (
        f"heads at stride {best.strides[0]}: {own / 1e9:.2g} billion operations an image, "
        f"{own / theirs:.1f} times those of the paper's blocks with one anchor a cell"
    )


def _operations(spec: RunSpec, classes: int) -> int:
    detector = SSD(ssd_config(spec, classes)).eval()
    blank = torch.zeros((1, 3, spec.input_size, spec.input_size), dtype=torch.uint8)
    return network_cost(detector, blank)["flops_an_image"]
