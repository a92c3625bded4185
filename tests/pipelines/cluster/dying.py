"""`python -P dying.py N PROGRAM ARGUMENT...`: a Python program that is killed at its Nth write.

Only what it writes itself in the parent of the current folder counts, be it the beginning of a
file, its renaming or its removal. With N = 0 it lives, and says last how often it wrote.
"""

import os
import runpy
import signal
import sys
from pathlib import Path

CHANGES = ("os.rename", "os.remove", "os.link", "os.symlink", "os.chmod", "os.mkdir", "os.rmdir")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


class Counter:
    """An audit hook that counts writes, and kills the process at one of them.

    Args:
        last: the write that does not come about; none when 0.
        folder: where writes count.
    """

    def __init__(self, last: int, folder: Path) -> None:
        self.last = last
        self.folder = str(folder)
        self.writes = 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "open":
            path, _, flags = arguments
            if not (isinstance(flags, int) and flags & WRITING):
                return
        elif event in CHANGES:
            path = arguments[0]
        else:
            return
        if not isinstance(path, str) or not os.path.abspath(path).startswith(self.folder):
            return
        self.writes += 1
        if self.writes == self.last:
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    counter = Counter(int(sys.argv[1]), Path.cwd().parent)
    del sys.argv[:2]
    sys.addaudithook(counter)
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    finally:
        print(counter.writes)
