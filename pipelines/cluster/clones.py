"""Where a worker trains: a clone of its own, which shares results through a DVC remote.

The clones lie beside the repository, so that `../shared/...` means the same in both. Workers see
the repository's folder and the environment's: they are on its machine, or on one file system.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pipelines.cluster.local import DVC
from pipelines.data.root import ROOT_VARIABLE, data_root
from pipelines.system.errors import UserError

MADE_ANYWHERE = ("plan", "data")
"""Stages that come before the runs and are run wherever those are: data sets are not shared."""
MADE_AT = Path(".dvc/tmp/made-at")
"""In a clone: the commit for which `MADE_ANYWHERE` were run there."""
EXCHANGE = str(Path(__file__).with_name("exchange.py"))
POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Clones:
    """The clones of one repository at one commit: `../NAME.worker-0` and so on.

    Args:
        root: the repository.
        pipeline: path of the pipeline file within it.
        commit: what is trained.
        remote: address of the DVC remote.
        data: folder of the named data sets.
        python: interpreter of the environment that stages run in.
    """

    root: Path
    pipeline: str
    commit: str
    remote: str
    data: Path
    python: str = sys.executable

    @classmethod
    def at_head(cls, root: Path, pipeline: str, remote: str | None = None) -> Clones:
        """The clones for what is committed now.

        Args:
            root: the repository.
            pipeline: path of the pipeline file within it.
            remote: path or address of a DVC remote; `../NAME.remote` when None.

        Raises:
            UserError: something is not committed, or the remote cannot hold results.
        """
        address = remote or str(root.parent / f"{root.name}.remote")
        if address.startswith(("http://", "https://")):
            raise UserError(f"--remote {address}: DVC shares no runs over http; give a folder")
        if "://" not in address:
            address = str(Path(address).expanduser().resolve())
        return cls(root, pipeline, _committed(root), address, data_root().resolve())

    @property
    def logs(self) -> Path:
        """Where what a run says is written, for all workers."""
        return self.root / ".checkpoints"

    @property
    def _workers(self) -> Path:
        """The folder of the locks that workers share."""
        return self.logs / "workers"

    def train(self, name: str, stage: str) -> bool:
        """On a worker: bring one stage up to date in a free clone and give its results to all.

        The runs it starts from are taken from the remote where that knows them, else trained here.

        Args:
            name: the run, whose log is `.checkpoints/NAME.log`.
            stage: the stage that trains it.

        Returns:
            Whether it went well.
        """
        self._workers.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("ab", buffering=0) as log, self._claimed() as claim:
            clone, lock = claim
            log.write(f"{clone.name} on {socket.gethostname()}\n".encode())
            try:
                self._prepare(clone, log)
                noted = clone / MADE_AT
                there = noted.exists() and noted.read_text() == self.commit
                before = () if there else MADE_ANYWHERE
                self._run(self.exchange("train", stage, *before), clone, log, lock)
                noted.write_text(self.commit)
            except subprocess.CalledProcessError:
                return False
        return True

    def push(self, *stages: str) -> None:
        """From the repository: give the remote the stages' outputs, and all that ever ran.

        Raises:
            UserError: the remote cannot be written, or an output is no longer in the cache.
        """
        self._run_here("push", *stages)

    def take(self, *stages: str) -> None:
        """In the repository: bring these stages up to date with what the remote knows.

        Raises:
            UserError: one that the remote lacks was run here, and failed.
        """
        self._run_here("take", *stages)

    def exchange(self, what: str, *stages: str) -> tuple[str, ...]:
        """The command that trains, pushes or takes stages, in the repository or in a clone."""
        targets = (f"{self.pipeline}:{stage}" for stage in stages)
        lock = self._workers / "remote.lock"
        return self.python, "-P", EXCHANGE, what, str(lock), *targets

    def _run_here(self, what: str, *stages: str) -> None:
        self._workers.mkdir(parents=True, exist_ok=True)
        with default_remote(self.root, self.remote):
            done = subprocess.run(self.exchange(what, *stages), cwd=self.root, check=False)
        if done.returncode != 0:
            told = f"{what} {' '.join(stages)}"
            raise UserError(f"{told}: dvc failed; what it said stands above")

    @contextmanager
    def _claimed(self) -> Iterator[tuple[Path, int]]:
        """The first clone that nobody works in, and the lock that what runs there shares."""
        locks = (self._workers / f"{number}.lock" for number in itertools.count())
        tried = ((number, _locked(lock)) for number, lock in enumerate(locks))
        number, lock = next((number, lock) for number, lock in tried if lock is not None)
        try:
            yield self.root.parent / f"{self.root.name}.worker-{number}", lock
        finally:
            os.close(lock)

    def _prepare(self, clone: Path, log: BinaryIO) -> None:
        """The clone at the commit, made if need be, with the repository's checkpoints in it."""
        if not clone.exists():
            fresh = clone.with_name(f"{clone.name}.new")
            shutil.rmtree(fresh, ignore_errors=True)
            _git("clone", "--quiet", "--shared", str(self.root), str(fresh), log=log)
            fresh.rename(clone)
        for left_by_the_killed in (".git/index.lock", ".dvc/tmp/rwlock"):
            (clone / left_by_the_killed).unlink(missing_ok=True)
        if _head(clone) != self.commit:
            _git("checkout", "--quiet", "--force", "--detach", self.commit, cwd=clone, log=log)
        if not (clone / self.logs.name).exists():
            (clone / self.logs.name).symlink_to(self.logs)
        set_remote(clone, self.remote)

    def _run(self, command: tuple[str, ...], clone: Path, log: BinaryIO, lock: int) -> None:
        """Run to the end; what is at work is ended with the worker, where that can still act."""
        path = f"{Path(self.python).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        process = subprocess.Popen(
            command,
            cwd=clone,
            env=os.environ | {"PATH": path, ROOT_VARIABLE: str(self.data)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
        )
        try:
            while process.poll() is None:  # a signal does not get through to a wait in C
                time.sleep(POLL_SECONDS)
        except BaseException:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            raise
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, command)


@contextmanager
def default_remote(root: Path, address: str) -> Iterator[None]:
    """Make a remote the repository's default for as long as it is used."""
    config = _local_config(root)
    before = config.read_bytes() if config.exists() else None
    set_remote(root, address)
    try:
        yield
    finally:
        if before is None:
            config.unlink(missing_ok=True)
        else:
            config.write_bytes(before)


def set_remote(root: Path, address: str) -> None:
    """Make a remote the repository's default, by its file that is not committed."""
    config = _local_config(root)
    lines = config.read_text().splitlines() if config.exists() else []
    if f"    url = {address}" not in lines or "    remote = launch" not in lines:
        options = ("--quiet", "--local", "--force", "--default")
        command = [*DVC, "remote", "add", *options, "launch", address]
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise UserError(f"--remote {address}: {done.stderr.strip()}")


def _locked(path: Path) -> int | None:
    """A file, open and locked until whoever shares it is gone; none if somebody has it already."""
    file = os.open(path, os.O_CREAT | os.O_RDWR)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _local_config(root: Path) -> Path:
    return root / ".dvc" / "config.local"


def _committed(root: Path) -> str:
    """The commit of a tree that has no changes but those that stages make themselves."""
    try:
        lines = _git("status", "--porcelain", "--untracked-files=all", cwd=root).splitlines()
    except subprocess.CalledProcessError as error:
        raise UserError(f"{root.name}: git status failed: {error.stderr.strip()}") from None
    changed = [line[3:] for line in lines if not _is_made(line[3:].strip('"'))]
    if changed:
        more = f" and {len(changed) - 1} more are" if len(changed) > 1 else " is"
        raise UserError(
            f"{changed[0]}{more} not committed, and workers see commits only: git commit first"
        )
    return _head(root)


def _is_made(path: str) -> bool:
    name = Path(path).name
    return name == "dvc.lock" or (path.startswith("results/") and name != "dvc.yaml")


def _head(folder: Path) -> str:
    return _git("rev-parse", "HEAD", cwd=folder).strip()


def _git(*arguments: str, cwd: Path | None = None, log: BinaryIO | None = None) -> str:
    done = subprocess.run(
        ["git", *arguments],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=log or subprocess.PIPE,
        text=True,
        check=True,
    )
    return done.stdout
