"""Training batches: as the images lie on disk, or changed anew each time they are seen.

On a GPU the images lie and are changed there, where they fit; boxes are changed and matched on the
CPU, so that no batch makes the host wait for the GPU (but for `light`, whose change of hue takes a
small table there).

What an image becomes is a function of the seed, the step and its place in the batch, so that a run
can go on from any step, and runs with one seed see the same images.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Generic, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision import tv_tensors
from torchvision.transforms import v2

from method.detector import Match, TrainableDetector, to_device
from pipelines.data.prepared import PreparedSplit
from pipelines.runs.spec import Augment, RunSpec
from pipelines.system.errors import UserError
from pipelines.training.step import to_batch

Matcher = Callable[[Tensor, Tensor], Match]
"""A detector's `match`, on the CPU: of the boxes and labels of one image."""
Objects = tuple[NDArray[np.float32] | Tensor, NDArray[np.int64] | Tensor]
"""Boxes and labels of one image."""
TILES = 4
_SEED_STRIDE = 1_000_003


@lru_cache(maxsize=4)
def epoch_order(count: int, seed: int, epoch: int) -> tuple[int, ...]:
    """The numbers 0…`count` - 1 in an order of this epoch's own."""
    generator = torch.Generator().manual_seed(seed * _SEED_STRIDE + epoch)
    return tuple(torch.randperm(count, generator=generator).tolist())


class Batches(Protocol[Match]):
    """Where the trainer takes its batches from."""

    def __len__(self) -> int:
        """Images of the training set."""

    def batch(
        self, step: int, indices: Sequence[int], first: int = 0
    ) -> tuple[Tensor, list[Match]]:
        """Images (B×3×S×S `uint8` on the device, channels last) and matches of a step's images.

        Args:
            step: from 0.
            indices: of the images.
            first: place of the first of them in the step's whole batch.
        """


class HostMatching(Generic[Match]):
    """Objects matched on the CPU: for a GPU, which waits for them, several images at once.

    Args:
        match: a detector's.
        device: where the matches are to be.
    """

    def __init__(self, match: Matcher[Match], device: torch.device) -> None:
        self.match, self.device = match, device
        self.map: Callable[..., Iterable[Match]] = map
        if device.type != "cpu":
            cores = torch.get_num_threads()
            pool = ThreadPoolExecutor(cores, initializer=torch.set_num_threads, initargs=(1,))
            self.map = pool.map

    def __call__(self, objects: Iterable[Objects]) -> list[Match]:
        """Of each image."""
        return [match.to(self.device) for match in self.map(self._match_one, objects)]

    def _match_one(self, objects: Objects) -> Match:
        boxes, labels = objects
        return self.match(torch.as_tensor(boxes), torch.as_tensor(labels))


class FixedBatches(Generic[Match]):
    """Images as they lie on disk; every object is matched once."""

    def __init__(self, match: Matcher[Match], split: PreparedSplit, device: torch.device):
        self.pixels, self.device = place_images(split.images, device), device
        images = range(len(split.images))
        self.matches = HostMatching(match, device)(
            (split.boxes(i), split.labels(i)) for i in images
        )

    def __len__(self) -> int:
        return len(self.pixels)

    def batch(
        self, step: int, indices: Sequence[int], first: int = 0
    ) -> tuple[Tensor, list[Match]]:
        chosen = self.pixels[to_device(torch.tensor(indices), self.pixels.device)]
        return to_batch(chosen, self.device), [self.matches[i] for i in indices]


class AugmentedBatches(Generic[Match]):
    """Images changed as `spec.augment` says; objects are matched anew."""

    def __init__(
        self,
        match: Matcher[Match],
        split: PreparedSplit,
        spec: RunSpec,
        device: torch.device,
    ):
        self.split, self.spec, self.device = split, spec, device
        self.matching = HostMatching(match, device)
        self.pixels = place_images(split.images, device)
        self.transform = _transform(spec)
        if Augment.TILES in spec.augment:
            _require_mosaics(split, spec.dataset)

    def __len__(self) -> int:
        return len(self.split.images)

    def batch(
        self, step: int, indices: Sequence[int], first: int = 0
    ) -> tuple[Tensor, list[Match]]:
        images, objects = [], []
        for place, index in enumerate(indices, first):
            epoch = (step * self.spec.batch_size + place) // len(self)
            pixels, boxes, labels = self._image(epoch, index)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(
                    (self.spec.seed * _SEED_STRIDE + step) * self.spec.batch_size + place
                )
                pixels, boxes, labels = self._change(pixels, boxes, labels)
            images.append(pixels)
            objects.append((boxes, labels))
        return to_batch(torch.stack(images), self.device), self.matching(objects)

    def _image(
        self, epoch: int, index: int
    ) -> tuple[Tensor, NDArray[np.float32], NDArray[np.int64]]:
        if Augment.TILES not in self.spec.augment:
            return self.pixels[index], self.split.boxes(index), self.split.labels(index)
        order = epoch_order(TILES * len(self), self.spec.seed, epoch)
        return deal_tiles(self.split, self.pixels, order[TILES * index : TILES * (index + 1)])

    def _change(
        self, pixels: Tensor, boxes: NDArray[np.float32], labels: NDArray[np.int64]
    ) -> tuple[Tensor, NDArray[np.float32], NDArray[np.int64]]:
        size = self.split.input_size
        sample: dict[str, Any] = {
            "image": pixels.clone().permute(2, 0, 1),
            "boxes": tv_tensors.BoundingBoxes(
                torch.from_numpy(boxes), format="XYXY", canvas_size=(size, size)
            ),
            "labels": torch.from_numpy(labels),
        }
        sample = self.transform(sample)
        return (
            sample["image"].permute(1, 2, 0),
            sample["boxes"].numpy().astype(np.float32),
            sample["labels"].numpy(),
        )


def host_matcher(detector: TrainableDetector[Match], device: torch.device) -> Matcher[Match]:
    """The `match` of a detector that has looked at its objects; by a copy if it is on a GPU."""
    return (detector if device.type == "cpu" else copy.deepcopy(detector).cpu()).match


def make_batches(
    match: Matcher[Match], split: PreparedSplit, spec: RunSpec, device: torch.device
) -> Batches[Match]:
    """The training batches of a run, whose objects `match` assigns.

    Raises:
        UserError: tiles are to be dealt anew, and the images are no 2×2 mosaics.
    """
    if spec.augment:
        return AugmentedBatches(match, split, spec, device)
    return FixedBatches(match, split, device)


def place_images(images: NDArray[np.uint8], device: torch.device) -> Tensor:
    """The images as a tensor, on a GPU if they take less than half of its free memory.

    Else where they are, without a copy.
    """
    pixels = torch.from_numpy(images)
    if device.type == "cpu":
        return pixels
    free, _ = torch.cuda.mem_get_info(device)
    return pixels.to(device) if 2 * images.nbytes < free else pixels


def deal_tiles(
    split: PreparedSplit, pixels: Tensor, tiles: Sequence[int]
) -> tuple[Tensor, NDArray[np.float32], NDArray[np.int64]]:
    """A mosaic of four tiles of a split: pixels, boxes and labels.

    Args:
        split: 2×2 mosaics of side S.
        pixels: its N×S×S×3 images.
        tiles: for top left, top right, bottom left, bottom right: 4 × image + quadrant.
    """
    half = split.input_size // 2
    canvas = torch.empty_like(pixels[0])
    boxes, labels = [], []
    for place, tile in enumerate(tiles):
        image, quadrant = divmod(tile, TILES)
        (x, y), (from_x, from_y) = _corner(place, half), _corner(quadrant, half)
        taken = pixels[image, from_y : from_y + half, from_x : from_x + half]
        canvas[y : y + half, x : x + half] = taken
        own, kinds = split.boxes(image), split.labels(image)
        source = np.array([from_x, from_y])
        centres = (own[:, :2] + own[:, 2:]) / 2
        inside = ((centres >= source) & (centres < source + half)).all(axis=1)
        boxes.append(own[inside] + np.array(2 * [x - from_x, y - from_y], np.float32))
        labels.append(kinds[inside])
    return canvas, np.concatenate(boxes), np.concatenate(labels)


def _corner(quadrant: int, half: int) -> tuple[int, int]:
    """Left and top of a quadrant."""
    return half * (quadrant % 2), half * (quadrant // 2)


def _require_mosaics(split: PreparedSplit, dataset: str) -> None:
    """No object of a 2×2 mosaic reaches over a middle line by more than rounding."""
    middle = split.input_size / 2
    for index, record in enumerate(split.coco.images):
        boxes = split.boxes(index)
        if ((boxes[:, :2] < middle - 0.01) & (boxes[:, 2:] > middle + 0.01)).any():
            raise UserError(
                f"augment: tiles needs 2x2 mosaics, such as laboro-mosaics; in {dataset} an object "
                f"of {record.file_name} lies across the middle"
            )


def _transform(spec: RunSpec) -> v2.Transform:
    chosen: list[v2.Transform] = []
    if Augment.LIGHT in spec.augment:
        chosen.append(v2.ColorJitter(brightness=0.3, contrast=0.3, saturation=0.3, hue=0.02))
    if Augment.CROP in spec.augment:
        chosen += [v2.RandomIoUCrop(), v2.Resize((spec.input_size, spec.input_size))]
    if Augment.SCALE in spec.augment:
        size = (spec.input_size, spec.input_size)
        chosen += [
            v2.ScaleJitter(size, scale_range=(0.5, 2.0)),
            v2.RandomCrop(size, pad_if_needed=True, fill=127),
        ]
    if Augment.FLIP in spec.augment:
        chosen.append(v2.RandomHorizontalFlip())
    return v2.Compose([*chosen, v2.SanitizeBoundingBoxes()])
