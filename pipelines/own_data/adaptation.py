"""What fits a data set's objects: where heads attach, anchors, their shapes, class weights."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from method.adaptation import class_weights, rank_candidates
from method.scale import equal_square_side, relative_sizes
from pipelines.data.preparation import Preparation
from pipelines.data.prepared import PreparedSplit, load_prepared
from pipelines.data.preparing import prepared_folder
from pipelines.detectors.ssd import ssd_config
from pipelines.own_data.first_weights import first_weights
from pipelines.own_data.inspection.objects import Objects
from pipelines.own_data.inspection.squeeze_rule import squeezed_objects
from pipelines.own_data.preparing import ensure_prepared
from pipelines.own_data.proposal import Proposal, candidate_table, joined
from pipelines.own_data.proposal_picture import draw
from pipelines.own_data.reach import beyond_reach, cost
from pipelines.runs.parameters import profile_settings, workbench_spec
from pipelines.runs.registry import Family
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError, note
from pipelines.system.files import replaced_folder
from pipelines.system.paths import RESULTS

SHOWN = 10
AUTO = "auto"
ADAPTED = ("attach", "anchors", "aspect_ratios", "class_weights")
AUTOMATIC = (*ADAPTED, "init")


def adapt(
    wanted: Preparation,
    attach: tuple[int, int] | None = None,
    anchors: tuple[float, ...] | None = None,
    aspect_ratios: tuple[float, ...] | None = None,
) -> Proposal:
    """Search for what fits the training images of a data set.

    Args:
        wanted: whose training images are looked at.
        attach: keep these blocks.
        anchors: keep these anchors.
        aspect_ratios: keep these ratios.

    Raises:
        UserError: the data set is not found, broken or empty, or a value is none of the right ones.
    """
    dataset, input_size, tiling = wanted.dataset, wanted.input_size, wanted.tiling
    cut = {"tiles": tiling.size, "tile_overlap": tiling.overlap} if tiling else {}
    RunSpec.parse({"dataset": dataset, "input_size": input_size, **cut}, "adapt")
    split = load_prepared(ensure_prepared(wanted), "train")
    boxes, sizes = _objects(split)
    labels = np.concatenate([split.labels(i) for i in range(len(split.images))])
    counts = tuple(int((labels == k).sum()) for k in range(1, len(split.class_names) + 1))
    try:
        ranked = rank_candidates(boxes, sizes, input_size, attach, anchors, aspect_ratios)
    except ValueError as error:
        raise UserError(f"{dataset}: {error}") from None
    squeezed = [] if tiling else squeezed_objects({"": Objects.of("train", split.coco)}, input_size)
    better = [suspicion.sentence for suspicion in squeezed]
    better += beyond_reach(boxes, sizes, input_size, ranked[0])
    return Proposal(
        input_size,
        split.class_names,
        counts,
        boxes,
        sizes,
        class_weights(counts),
        tuple(ranked),
        tiling,
        cost(ranked[0], input_size, len(counts)),
        tuple(better),
    )


def fill_in(parameters: dict[str, Any]) -> dict[str, Any]:
    """The workbench's parameters with every `auto` replaced by what fits the data set.

    `attach`, `anchors`, `aspect_ratios` and `class_weights` may be `auto`, at the top or in the
    profile; the profile's is for this project's SSDs alone. Those that are given stay as they are,
    and blocks that are not given are the detector's own. `init` may be `auto` too.
    """
    own = {key: parameters[key] for key in AUTOMATIC if parameters.get(key) is not None}
    parameters, of_profile = without_auto(parameters)
    spec = workbench_spec(parameters)
    if own.get("init", AUTO if "init" in of_profile else None) == AUTO:
        parameters = {**parameters, "init": first_weights(spec)}
    if spec.entry.family is not Family.SSD:
        of_profile = []
    wanted = [key for key in ADAPTED if own.get(key, AUTO if key in of_profile else None) == AUTO]
    if not wanted:
        return parameters
    attach = None if "attach" in wanted else ssd_config(spec, classes=1).attach
    anchors = None if "anchors" in wanted else spec.anchors
    ratios = None if "aspect_ratios" in wanted else spec.aspect_ratios
    proposal = adapt(spec.preparation, attach, anchors, ratios)
    if not proposal.chosen.fits:
        note(proposal.reasons[1])
    for sentence in proposal.warnings:
        note(sentence)
    found: dict[str, list[float]] = {
        "attach": list(proposal.chosen.attach),
        "anchors": list(proposal.chosen.anchors),
        "aspect_ratios": list(proposal.chosen.aspect_ratios),
        "class_weights": list(proposal.class_weights),
    }
    for key in wanted:
        note(f"{key}: auto is {joined(found[key])}")
    return {**parameters, **{key: found[key] for key in wanted}}


def without_auto(parameters: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The parameters with null for each `auto`, and the names that are `auto` in the profile."""
    name = str(parameters.get("profile"))
    settings = profile_settings(parameters, name)
    plain = {key: value for key, value in settings.items() if value != AUTO}
    profile = {**parameters["profiles"][name], "settings": plain}
    top = {key: None for key in AUTOMATIC if parameters.get(key) == AUTO}
    return (
        {**parameters, **top, "profiles": {**parameters["profiles"], name: profile}},
        [key for key in settings if key not in plain],
    )


def _objects(split: PreparedSplit) -> tuple[Tensor, Tensor]:
    """Boxes in input pixels, and sizes from the boxes in the images' own pixels (§3.1)."""
    boxes, relative = [], []
    for i, record in enumerate(split.coco.images):
        own = torch.from_numpy(split.boxes(i))
        side = own.new_tensor([record.width, record.height])
        original = torch.from_numpy(split.to_image_frame(i, split.boxes(i)))
        boxes.append(own)
        relative.append(relative_sizes(original, side.expand(len(own), 2)))
    return torch.cat(boxes), equal_square_side(torch.cat(relative))


def training_command(dataset: str, proposal: Proposal) -> str:
    """The line that trains the workbench's run with the proposal, on its data and input size."""
    best = proposal.chosen
    values = {
        "attach": best.attach,
        "anchors": best.anchors,
        "aspect_ratios": best.aspect_ratios,
        "class_weights": proposal.class_weights,
    }
    lists = {key: f"[{joined(value, ',')}]" for key, value in values.items()}
    changes = {"profile": "own", "dataset": dataset, "input_size": proposal.input_size}
    if tiling := proposal.tiling:
        changes |= {"tiles": tiling.size, "tile_overlap": f"{tiling.overlap:g}"}
    changes |= lists
    words = [word for key, value in changes.items() for word in ("-S", f"{key}={value}")]
    return shlex.join(["dvc", "exp", "run", *words, "workbench"])


def write(proposal: Proposal, folder: Path) -> None:
    """Proposal, all candidates and the picture."""
    best = proposal.chosen
    summary = {
        "attach": best.attach,
        "anchors": best.anchors,
        "aspect_ratios": best.aspect_ratios,
        "class_weights": dict(zip(proposal.classes, proposal.class_weights, strict=True)),
        "reasons": proposal.reasons,
    }
    with replaced_folder(folder) as partial:
        (partial / "proposal.json").write_text(json.dumps(summary, indent=1) + "\n")
        candidate_table(proposal.candidates).to_csv(partial / "candidates.csv", index=False)
        picture = draw(best, proposal.boxes, proposal.sizes, proposal.input_size)
        picture.savefig(partial / "adaptation.png", dpi=100, metadata={"Software": None})


def propose(wanted: Preparation) -> None:
    """Search, print what fits and why, and write what was looked at to `results/adapt/`.

    Raises:
        UserError: the data set is not found, broken or empty.
    """
    proposal = adapt(wanted)
    write(proposal, RESULTS / "adapt" / prepared_folder(wanted).name)
    print(candidate_table(proposal.candidates[:SHOWN]).to_markdown(index=False))
    print(*(f"- {reason}" for reason in proposal.reasons), sep="\n")
    weights = ", ".join(
        f"{name} {weight:g}"
        for name, weight in zip(proposal.classes, proposal.class_weights, strict=True)
    )
    print(f"- class weights: {weights}")
    print(f"\n{training_command(wanted.dataset, proposal)}")
