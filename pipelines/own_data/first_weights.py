"""The first weights that `init: auto` means: published ones where they can be had."""

from __future__ import annotations

import torch
from torchvision.models import MobileNet_V2_Weights

from pipelines.runs.registry import Family
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import note


def first_weights(spec: RunSpec) -> str:
    """`torchvision` for an SSD of width 1, if its file can be had; else `none`.

    What is taken instead is said, with the way to better ones.
    """
    if spec.entry.family is not Family.SSD or spec.width != 1:
        note(
            f"init: auto is none for {spec.detector} of width {spec.width:g}: random weights, "
            "which need more steps than published ones or a run's own (-S init=…)"
        )
        return "none"
    weights = MobileNet_V2_Weights.IMAGENET1K_V1
    try:
        weights.get_state_dict(progress=True, check_hash=True)
    except (OSError, RuntimeError) as error:  # of the network; of a file that is not what it was
        name, reason = weights.url.rpartition("/")[2], getattr(error, "reason", error)
        note(
            f"init: auto is none, as ImageNet weights cannot be downloaded ({reason}): random ones "
            f"need more steps (-S iterations=…); or put {name} into {torch.hub.get_dir()}"
            "/checkpoints and repeat with -f, or give a file of weights (-S init=…)"
        )
        return "none"
    return "torchvision"
