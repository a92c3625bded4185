"""A detector of the TF Object Detection API, held by a process of TensorFlow's environment."""

from __future__ import annotations

import subprocess
import tarfile
import tempfile
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from baselines.tf_od.channel import Arrays, receive, send
from baselines.tf_od.config import Training, model_config, pipeline_config
from baselines.tf_od.environment import PYTHON, ROOT, missing
from method.detection import Detections
from method.detector import Detector

ZOO = (
    "http://download.tensorflow.org/models/object_detection/tf2/20200711/"
    "ssd_mobilenet_v2_320x320_coco17_tpu-8.tar.gz"
)
LINES_SHOWN = 15
"""Of what TensorFlow printed before it failed."""

History = list[dict[str, float]]
"""Rows of a training's figures, by step."""


class TensorFlowError(Exception):
    """TensorFlow's environment is missing, or its process failed."""

    def __init__(self, message: str, last_lines: str = "") -> None:
        super().__init__(message)
        self.last_lines = last_lines


class Process:
    """A running `program`, killed with this process or with this object.

    Args:
        threads: CPU threads.

    Raises:
        TensorFlowError: there is no such environment.
    """

    def __init__(self, threads: int) -> None:
        if why := missing():
            raise TensorFlowError(why)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        command = [str(PYTHON), "-m", "baselines.tf_od.program", "--threads", str(threads)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log
        )
        weakref.finalize(self, _end, self._process, self._log)

    def ask(
        self,
        request: str,
        arrays: Arrays | None = None,
        on_history: Callable[[History], None] | None = None,
        **values: Any,
    ) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """What `program` answers to a request; `on_history` hears of a training on the way.

        Raises:
            TensorFlowError: the request failed, or the process died.
        """
        assert self._process.stdin
        assert self._process.stdout
        try:
            send(self._process.stdin, {"request": request, **values}, arrays)
            while True:
                header, found = receive(self._process.stdout)
                if "done" in header:
                    return header, found
                if "error" in header:
                    raise TensorFlowError(f"TensorFlow: {header['error']}", self._last_lines())
                if on_history:
                    on_history(header["history"])
        except (EOFError, BrokenPipeError):
            code = self._process.wait()
            how = f"was killed by signal {-code}" if code < 0 else f"ended with {code}"
            raise TensorFlowError(
                f"TensorFlow's process {how} (signal 9 is often a lack of memory)",
                self._last_lines(),
            ) from None

    def _last_lines(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        return "\n".join(lines[-LINES_SHOWN:])


def _end(process: subprocess.Popen[bytes], log: BinaryIO) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout, log):
        if stream:
            stream.close()


def published_checkpoint() -> str:
    """The model zoo's COCO checkpoint, downloaded once; its prefix, for `restore`.

    Raises:
        OSError: it cannot be had.
    """
    folder = Path(torch.hub.get_dir()) / "checkpoints"
    name = ZOO.rpartition("/")[2].removesuffix(".tar.gz")
    if not (folder / name).is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as place:
            archive = Path(place) / "archive"
            torch.hub.download_url_to_file(ZOO, str(archive))
            with tarfile.open(archive) as tar:
                tar.extractall(place, filter="data")
            (Path(place) / name).rename(folder / name)
    return str(folder / name / "checkpoint" / "ckpt-0")


@dataclass(frozen=True)
class Trained:
    """What a training leaves beside the weights."""

    history: History
    """Losses and learning rate of some steps."""
    seconds: float
    """In training steps, the tracing of the graph included."""
    checkpoints: dict[int, str]
    """Steps to the weights that were kept there, for `restore`."""
    peak_memory_mib: float
    configuration: str
    """The whole `pipeline.config`."""


class TensorFlowDetector(Detector):
    """SSD MobileNet v2 of the TF Object Detection API behind this project's interface.

    Its weights lie here as parameters (what is trained) and buffers (the norms' statistics), by
    the names of TensorFlow's variables; the process has a copy.

    Args:
        classes: foreground classes.
        input_size: side of the square input, pixels.
        weight_decay: weight of the L2 loss on all convolutions.
        seed: fixes the first weights and the order of the images.
    """

    def __init__(self, classes: int, input_size: int, weight_decay: float, seed: int) -> None:
        super().__init__()
        self.input_size = input_size
        self.model = model_config(classes, input_size, weight_decay)
        self.process = Process(torch.get_num_threads())
        header, weights = self.process.ask(
            "build", model=self.model, input_size=input_size, seed=seed
        )
        self.packages: dict[str, str] = header["packages"]
        for name, value in weights.items():
            if name in header["trained"]:
                self.register_parameter(name, nn.Parameter(torch.from_numpy(value)))
            else:
                self.register_buffer(name, torch.from_numpy(value))
        self.register_load_state_dict_post_hook(_push)  # type: ignore[no-untyped-call]

    def forward(self, images: Tensor) -> None:
        """Run the network alone, for its time; what it finds stays in TensorFlow."""
        self.process.ask("predict", {"images": _pixels(images)})

    def feature_maps(self, images: Tensor) -> list[Tensor]:
        """The maps under the heads, B×C×H×W, of B×3×S×S `uint8` images."""
        _, maps = self.process.ask("predict", {"images": _pixels(images)}, maps=True)
        return [torch.from_numpy(features).permute(0, 3, 1, 2) for features in maps.values()]

    @torch.no_grad()
    def detect(self, images: Tensor) -> list[Detections]:
        _, found = self.process.ask("detect", {"images": _pixels(images)})
        boxes = torch.from_numpy(found["boxes"]) * self.input_size
        scores, labels = torch.from_numpy(found["scores"]), torch.from_numpy(found["labels"])
        return [
            Detections(boxes[i, :count], scores[i, :count], labels[i, :count])
            for i, count in enumerate(found["counts"])
        ]

    def flops(self, image: Tensor) -> int:
        return int(self.process.ask("flops")[0]["flops"])

    def restore(self, checkpoint: str, *, whole: bool = True) -> None:
        """Take over a checkpoint of TensorFlow's: all of it, or all but the class heads.

        Raises:
            TensorFlowError: it is none of this network.
        """
        _, weights = self.process.ask("restore", checkpoint=checkpoint, whole=whole)
        with torch.no_grad():
            for name, tensor in self.state_dict().items():
                tensor.copy_(torch.from_numpy(weights[name]))

    def train_by_api(
        self,
        images: NDArray[np.uint8],
        boxes: Sequence[NDArray[np.float32]],
        labels: Sequence[NDArray[np.int64]],
        training: Training,
        folder: Path,
        *,
        save_every: int,
        keep_all: bool = False,
        on_history: Callable[[History], None] | None = None,
    ) -> Trained:
        """Train by the API's own loop; what is in `folder` of a stopped training is gone on with.

        Args:
            images: N×S×S×3, RGB.
            boxes: of each image its objects', M×4, `xyxy`, pixels.
            labels: of each image its objects', M, from 1.
            training: how.
            folder: is there; for TFRecords, `pipeline.config` and checkpoints.
            save_every: steps between two checkpoints, a divisor of the iterations.
            keep_all: keep every checkpoint, not the last alone.
            on_history: hears the history each time that it has grown by a row.

        Raises:
            TensorFlowError: it failed.
        """
        records, first_weights = folder / "train.tfrecord", folder / "first_weights-1"
        for pixels, sides, classes in zip(images, boxes, labels, strict=True):
            example: Arrays = {"image": pixels, "boxes": sides, "labels": classes}
            self.process.ask("record", example, path=str(records))
        text = pipeline_config(
            self.model,
            training,
            first_weights=first_weights,
            records=records,
            images=len(images),
            boxes=max(1, *map(len, boxes)),
        )
        path = folder / "pipeline.config"
        path.write_text(text)
        found, _ = self.process.ask(
            "train",
            on_history=on_history,
            config=str(path),
            first_weights=str(first_weights),
            iterations=training.iterations,
            save_every=save_every,
            keep_all=keep_all,
        )
        checkpoints = {int(step): path for step, path in found["checkpoints"].items()}
        self.restore(checkpoints[training.iterations])
        return Trained(
            found["history"],
            found["seconds"],
            checkpoints,
            found["peak_memory_mib"],
            text.replace(f"{folder}/", ""),
        )


def _pixels(images: Tensor) -> NDArray[np.uint8]:
    """B×3×S×S as B×S×S×3; without a copy where the tensor is in channels-last order."""
    return images.permute(0, 2, 3, 1).cpu().numpy()


def _push(detector: nn.Module, _: Any) -> None:
    """Bring the process's copy of the weights up to date."""
    assert isinstance(detector, TensorFlowDetector)
    weights = {name: value.cpu().numpy() for name, value in detector.state_dict().items()}
    detector.process.ask("load", weights)
