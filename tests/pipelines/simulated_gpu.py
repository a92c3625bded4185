"""A GPU where there is none: a device of its own, whose numbers the CPU works out.

Its tensors cannot be mixed with the host's, and what would make the host wait for a GPU is written
down. It knows no streams, no kernels and no bfloat16: it shows that data and network meet on one
device, and that no step waits.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter, tree_map
from torch.utils.backend_registration import (
    _DummyBackendModule,
    _setup_privateuseone_for_python_backend,
)

VALUES_NEEDED = (
    "_local_scalar_dense",
    "nonzero",
    "masked_select",
    "unique",
    "_unique",
    "repeat_interleave",
    "equal",
)
"""Beginnings of operations whose result, or the size of it, the host must know."""
INDEXED = ("index", "index_put", "index_put_", "_index_put_impl_")
TRANSFERS = ("_to_copy", "copy_")
REPOSITORY = Path(__file__).parents[2]


class _Backend(_DummyBackendModule):
    def get_amp_supported_dtype(self) -> list[torch.dtype]:
        return [torch.bfloat16]

    def device_count(self) -> int:
        """None that has random numbers of its own, which `fork_rng` would keep."""
        return 0


# At import, since PyTorch counts devices at the first backward pass of a process.
_setup_privateuseone_for_python_backend("simulated", backend_module=_Backend())
_AUTOCAST = torch.library.Library("_", "IMPL", "AutocastPrivateUse1")
_AUTOCAST.fallback(torch.library.fallthrough_kernel)
CPU, GPU = torch.device("cpu"), torch.device("simulated", 0)


class OnGpu(Tensor):
    """A tensor of the simulated device, around one of the CPU."""

    of_host: Tensor

    @staticmethod
    def __new__(cls, of_host: Tensor) -> OnGpu:
        made: OnGpu = Tensor._make_wrapper_subclass(
            cls,
            of_host.shape,
            strides=of_host.stride(),
            storage_offset=of_host.storage_offset(),
            dtype=of_host.dtype,
            device=GPU,
        )
        made.of_host = of_host
        return made

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        raise RuntimeError(f"{func} outside of simulated_gpu()")


@contextmanager
def simulated_gpu() -> Iterator[list[str]]:
    """Within, tensors can be brought to `GPU`; gives the list of what made the host wait for it."""
    waits: list[str] = []
    with _Calls(), _Operations(waits):
        yield waits


class _Calls(TorchFunctionMode):
    """Functions that read or make tensors without an operation that could be seen."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.tensor, torch.as_tensor) and kwargs.get("device") is not None:
            device = kwargs.pop("device")
            return func(*args, **kwargs).to(device)
        if not args or not isinstance(args[0], OnGpu):
            return func(*args, **kwargs)
        if func is Tensor.new_tensor:
            return torch.tensor(args[1], dtype=kwargs.get("dtype", args[0].dtype)).to(GPU)
        if func is Tensor.tolist:
            return args[0].to(CPU).tolist()
        if func is Tensor.numpy:
            raise TypeError("a GPU's tensor cannot become an array")
        return func(*args, **kwargs)


class _Operations(TorchDispatchMode):
    """Works out on the CPU what happens on the device."""

    def __init__(self, waits: list[str]) -> None:
        super().__init__()
        self.waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func.overloadpacket.__name__
        if name == "_pin_memory":
            pinned = args[0].clone()
            pinned.pinned = True
            return pinned
        there = [leaf for leaf in tree_iter((args, kwargs)) if isinstance(leaf, OnGpu)]
        to_gpu = bool(there)
        if kwargs.get("device") is not None:
            to_gpu = torch.device(kwargs["device"]).type == GPU.type
            kwargs["device"] = CPU
        elif name == "copy_":
            to_gpu = isinstance(args[0], OnGpu)
        if name in TRANSFERS:
            self._look_at_transfer(args[name == "copy_"], to_gpu, _non_blocking(args, kwargs))
        elif there:
            self._look_at_operation(func, name, args, kwargs)
        inner_args, inner_kwargs = tree_map(_inner, (args, kwargs))
        if name.startswith("_fused_"):
            parameters, gradients, *state = inner_args
            inner_args = (parameters, _laid_out_like(parameters, gradients), *state)
        result = func(*inner_args, **inner_kwargs)
        known = {id(tensor.of_host): tensor for tensor in there}
        return tree_map(lambda leaf: _outer(leaf, known), result) if to_gpu else result

    def _look_at_transfer(self, source: Tensor, to_gpu: bool, non_blocking: bool) -> None:
        if isinstance(source, OnGpu) and not to_gpu:
            self._wait("a copy to the host")
        pinned = non_blocking and getattr(source, "pinned", False)
        if to_gpu and not isinstance(source, OnGpu) and not pinned:
            self._wait("a copy from memory that is not pinned")

    def _look_at_operation(self, func: Any, name: str, args: Any, kwargs: Any) -> None:
        indices = [i for i in args[1] if i is not None] if name in INDEXED else []
        if any(index.dtype in (torch.bool, torch.uint8) for index in indices):
            self._wait("the number of true places")
        if not all(isinstance(index, OnGpu) for index in indices):
            self._wait("indices of the host")
        if name.startswith(VALUES_NEEDED):
            self._wait(f"the values {func} needs")
        for leaf in tree_iter((args, kwargs)):
            foreign = isinstance(leaf, Tensor) and not isinstance(leaf, OnGpu) and leaf.dim()
            if foreign and not any(leaf is index for index in indices):
                raise RuntimeError(f"{func}: tensors of the host and of the GPU")

    def _wait(self, reason: str) -> None:
        callers = [
            f"{Path(frame.filename).stem}.{frame.name}"
            for frame in reversed(traceback.extract_stack())
            if Path(frame.filename).is_relative_to(REPOSITORY)
            and ".venv" not in frame.filename
            and frame.filename != __file__
        ]
        self.waits.append(f"{reason}: {' < '.join(callers)}")


def _laid_out_like(parameters: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
    """As autograd lays out gradients, though not those of a tensor's subclass."""
    pairs = zip(parameters, gradients, strict=True)
    return [torch.empty_like(parameter).copy_(gradient) for parameter, gradient in pairs]


def _non_blocking(args: Any, kwargs: Any) -> bool:
    return bool(kwargs.get("non_blocking", args[2] if len(args) > 2 else False))


def _inner(leaf: Any) -> Any:
    return leaf.of_host if isinstance(leaf, OnGpu) else leaf


def _outer(leaf: Any, known: dict[int, OnGpu]) -> Any:
    """On the GPU; what an operation changed in place stays the tensor it was."""
    if not isinstance(leaf, Tensor):
        return leaf
    return known[id(leaf)] if id(leaf) in known else OnGpu(leaf)
