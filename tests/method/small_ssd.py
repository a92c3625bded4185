"""A small SSD, and noise to look at."""

import torch

from method.ssd import SSD, SSDConfig


def small(**config):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SSD(SSDConfig(**{"classes": 2, "input_size": 64, "width": 0.25, **config}))


def random_images(count, side, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=generator)
