"""Default boxes: one grid for each head, centred on the cells (scale-aware SSD, §3.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def cell_centres(rows: int, columns: int, stride: float) -> Tensor:
    """Centres of the cells of a feature map: (rows·columns)×2, (x, y) in pixels, row by row."""
    y = (torch.arange(rows, dtype=torch.float32) + 0.5) * stride
    x = (torch.arange(columns, dtype=torch.float32) + 0.5) * stride
    return torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1).flip(-1).reshape(-1, 2)


def anchor_grid(
    cells: tuple[int, int], stride: float, size: float, aspect_ratios: Sequence[float] = (1.0,)
) -> Tensor:
    """Anchors of one head.

    Args:
        cells: rows and columns of the feature map.
        stride: input pixels from one cell to the next.
        size: side of the square anchor, input pixels; other ratios keep its area.
        aspect_ratios: width over height of each anchor of a cell.

    Returns:
        (rows·columns·ratios)×4 boxes, `cxcywh`, in input pixels; the ratios of a cell lie together.
    """
    ratios = torch.tensor(aspect_ratios, dtype=torch.float32)
    shapes = size * torch.stack([ratios.sqrt(), ratios.rsqrt()], dim=-1)
    centres = cell_centres(*cells, stride)
    grid = torch.cat(
        [
            centres[:, None].expand(-1, len(shapes), -1),
            shapes[None].expand(len(centres), -1, -1),
        ],
        dim=-1,
    )
    return grid.reshape(-1, 4)
