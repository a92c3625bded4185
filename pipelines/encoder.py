"""First weights for the built-in study, which has no ImageNet: `python -m pipelines.encoder FILE`.

MobileNet v2 learns to tell patches of generated aerial scenes apart, a plane from a ship from bare
ground. It plays the part that ImageNet plays in the papers: other images, another task.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor
from torchvision.models import mobilenet_v2
from torchvision.ops import box_convert, roi_align
from tqdm import tqdm

from method.mobilenet import LAST_BLOCK, initialise
from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.errors import run_cli
from pipelines.plan import profile_settings, read_parameters
from pipelines.prepare import ensure_prepared
from pipelines.runtime import choose_device, tune_allocator
from pipelines.spec import Precision, RunSpec
from pipelines.trainer import autocast, to_batch

DATASET = "aerial"
STEPS = 300
PATCHES = 64
"""Patches a step."""
SIDE = 64
"""Side of a patch, pixels."""
CONTEXT = 2.0
"""Side of the ground in a patch over the longer side of its object."""
LEARNING_RATE = 2e-3
SEED = 0


def patches(split: PreparedSplit) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless batches: `PATCHES`×3×`SIDE`×`SIDE` in −1…1 and labels, half of them 0 for ground.

    Ground is cut at random places, in the sizes of the objects.
    """
    generator = np.random.default_rng(SEED)
    size = split.input_size
    with_objects = [i for i in range(len(split.images)) if len(split.labels(i))]
    while True:
        chosen = generator.choice(with_objects, PATCHES // 4, replace=False)
        squares, labels = [], []
        for place, index in enumerate(chosen):
            objects = generator.integers(0, len(split.labels(index)), 2)
            boxes = box_convert(torch.from_numpy(split.boxes(index)[objects]), "xyxy", "cxcywh")
            side = CONTEXT * boxes[:, 2:].amax(dim=1) * generator.uniform(0.8, 1.25)
            anywhere = torch.from_numpy(generator.uniform(0, size, (2, 2))).float()
            centres = torch.cat([boxes[:, :2], anywhere])
            sides = side.repeat(2)[:, None].expand(-1, 2)
            corners = box_convert(torch.cat([centres, sides], dim=1), "cxcywh", "xyxy")
            squares.append(torch.cat([torch.full((4, 1), float(place)), corners], dim=1))
            labels.append(torch.from_numpy(np.append(split.labels(index)[objects], [0, 0])))
        pixels = to_batch(split.images[chosen], torch.device("cpu")).float() / 127.5 - 1
        cut = roi_align(pixels, torch.cat(squares), SIDE, sampling_ratio=2, aligned=True)
        yield cut, torch.cat(labels)


def train_encoder(width: float, input_size: int) -> dict[str, Tensor]:
    """Weights of all blocks of MobileNet v2 of that width, named as in the detectors."""
    split = load_prepared(ensure_prepared(DATASET, input_size), "train")
    device = choose_device()
    network = mobilenet_v2(num_classes=len(split.class_names) + 1, width_mult=width, dropout=0.0)
    initialise(network, SEED, xavier=False)
    torch.manual_seed(SEED)
    torch.nn.init.normal_(network.classifier[1].weight, std=0.01)
    network.to(device).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=1e-3, fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, total_steps=STEPS)
    progress = tqdm(zip(range(STEPS), patches(split), strict=False), total=STEPS, desc="encoder")
    for step, (images, labels) in progress:
        with autocast(Precision.BF16, device):
            scores = network(images.to(device, memory_format=torch.channels_last))
        loss = F.cross_entropy(scores.float(), labels.to(device))
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 20 == 19:
            right = (scores.argmax(dim=1).cpu() == labels).float().mean()
            progress.set_postfix_str(f"loss {loss:.2f}, {right:.0%} right")
    names = tuple(f"features.{number}." for number in range(LAST_BLOCK + 1))
    return {
        name.replace("features", "encoder", 1): value.cpu().contiguous()
        for name, value in network.state_dict().items()
        if name.startswith(names)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", help="a profile of params.yaml")
    parser.add_argument("file", type=Path, help="the .safetensors file to write")
    arguments = parser.parse_args()
    settings = profile_settings(read_parameters(), arguments.profile)
    spec = RunSpec.parse(settings, f"params.yaml, profile {arguments.profile}")
    weights = train_encoder(spec.width, spec.input_size)
    arguments.file.parent.mkdir(parents=True, exist_ok=True)
    fresh = arguments.file.with_suffix(".new")
    save_file(weights, fresh)
    fresh.replace(arguments.file)


if __name__ == "__main__":
    tune_allocator()
    run_cli(main)
