"""Which instructions a processor has, and processes that are kept from using the newest."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import ParamSpec, TypeVar

BF16 = ("avx512_bf16", "amx_bf16", "bf16")
"""Linux's names of instructions for bf16: of x86-64, twice, and of Arm."""
PROCESSORS: Mapping[str, Mapping[str, str]] = {
    "as it is": {},
    "as if without bf16": {"ONEDNN_MAX_CPU_ISA": "AVX512_CORE"},
    "as if without AVX-512": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
}
"""This one and those that it imitates: variables by which oneDNN and PyTorch use no more."""

P = ParamSpec("P")
T = TypeVar("T")


def bf16_instructions(cpuinfo: Path = Path("/proc/cpuinfo")) -> list[str]:
    """Those of `BF16` that this processor has; none where the system does not say."""
    if not cpuinfo.is_file():
        return []
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", cpuinfo.read_text(), re.MULTILINE)
    return [name for name in BF16 if flags and name in flags[1].split()]


def run_on(processor: str, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """What a function returns in a new process on one of `PROCESSORS`.

    New, since the variables are read once, before the first operation.
    """
    variables = PROCESSORS[processor]
    with ProcessPoolExecutor(1, get_context("spawn"), _set, (variables,)) as pool:
        return pool.submit(work, *args, **kwargs).result()


def _set(variables: Mapping[str, str]) -> None:
    os.environ.update(variables)
