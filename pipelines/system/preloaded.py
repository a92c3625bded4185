"""Programs that start in a process which has imported what they need: a fork instead of seconds.

Of a short run's start nearly all is the import of PyTorch, the same for every run. So a launcher
keeps one process that has imported it. A program that knows of that process asks it for a fork,
lends it arguments, search path, environment, folder and standard streams, and ends as the fork
ends. Programs start as usual where that process is gone, where code that it has imported was
changed since, and on other systems than Linux (5.3 or newer).
"""

from __future__ import annotations

import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.system.allocator import ALLOCATOR

ADDRESS = "PRELOADED"
"""Environment variable with the path of the process's socket."""
STREAMS = 3
SERVE = (
    "import sys; from pipelines.system.preloaded import serve; serve(int(sys.argv[1]), sys.argv[2])"
)
CHANGED = "changed"
"""The answer to a program that must not run the code that was imported."""


@dataclass(frozen=True)
class _Request:
    module: str
    arguments: list[str]
    path: list[str]
    folder: str
    environment: dict[str, str]


@contextmanager
def preloaded(module: str, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Keep a process that has imported a module, its memory allocator tuned.

    Args:
        module: what to import; it must not start threads or use a GPU.
        environment: of that process.

    Yields:
        What to add to the environment of programs that may start in it.
    """
    if not _can_be_waited_for():
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="preloaded-") as folder:
        address = os.path.join(folder, "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(address)
            listener.listen()
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, str(listener.fileno()), module],
                env={"GLIBC_TUNABLES": ALLOCATOR, **environment},
                stdin=subprocess.PIPE,
                pass_fds=[listener.fileno()],
                start_new_session=True,
            )
        try:
            yield {ADDRESS: address}
        finally:
            process.communicate()


def _can_be_waited_for() -> bool:
    """Whether this system gives a process a descriptor that says when it has ended."""
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return False
    return True


def start_preloaded() -> None:
    """Let the preloaded process run this program, where there is one, and exit as it does.

    To be called at the beginning of a `__main__` that was started with `python -m`.
    """
    address = os.environ.pop(ADDRESS, "")
    if not address:
        return
    try:
        answer = _ask(address)
    except OSError:  # it has gone, and has not taken the request
        return
    if answer != CHANGED:
        sys.exit(int(answer) if answer else "the process that ran this program has gone")


def _ask(address: str) -> str:
    """The exit status of this program, run by the preloaded process; CHANGED if it was not."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(address)
        request = _Request(
            sys.modules["__main__"].__spec__.name,  # type: ignore[union-attr]
            sys.argv[1:],
            sys.path,
            os.getcwd(),
            dict(os.environ),
        )
        socket.send_fds(connection, [b"\n"], range(STREAMS))
        with connection.makefile("rw") as stream:
            stream.write(json.dumps(asdict(request)) + "\n")
            stream.flush()
            return stream.readline().strip()


def serve(descriptor: int, module: str) -> None:
    """Fork for each program that asks, until whoever started this process closes its stdin.

    Returns in the parent when it is closed; in a fork, when its program has ended.

    Args:
        descriptor: of the socket that programs connect to.
        module: to import first.
    """
    began = time.time()
    importlib.import_module(module)
    listener = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            _guard(connection, began)
            return
        connection.close()


def _guard(connection: socket.socket, began: float) -> None:
    """Fork once more for the program, tell who asked how it ended, and end.

    Returns in the program's process alone.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    _, streams, _, _ = socket.recv_fds(connection, 1, STREAMS)
    with suppress(BrokenPipeError), connection.makefile("rw") as stream:
        request = _Request(**json.loads(stream.readline()))
        if _code_changed_since(began):
            stream.write(f"{CHANGED}\n")
        else:
            worker = os.fork()
            if worker == 0:
                _become(request, streams)
                return
            stream.write(f"{_status(worker, connection.fileno())}\n")
    os._exit(0)


def _status(worker: int, asking: int) -> int:
    """Wait until the program has ended, and end it if who asked for it ends; its exit status."""
    ended = os.pidfd_open(worker)
    if asking in select.select([asking, ended], [], [])[0]:
        os.kill(worker, signal.SIGTERM)
    code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
    return code if code >= 0 else 128 - code


def _code_changed_since(began: float) -> bool:
    """Whether a file that was imported is newer."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return any(Path(file).stat().st_mtime > began for file in files if file and Path(file).exists())


def _become(request: _Request, streams: list[int]) -> None:
    """Run the program as if it had been started where it was asked for."""
    for own, lent in enumerate(streams):
        os.dup2(lent, own)
        os.close(lent)
    os.chdir(request.folder)
    tuned = os.environ["GLIBC_TUNABLES"]
    os.environ.clear()
    os.environ.update({"GLIBC_TUNABLES": tuned, **request.environment})
    sys.argv[1:] = request.arguments
    sys.path[:] = request.path
    runpy.run_module(request.module, run_name="__main__", alter_sys=True)
