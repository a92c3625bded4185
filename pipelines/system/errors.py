"""Errors meant for the person at the command line, and how programs end on them."""

import errno
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import NoReturn

DISK_FULL = (errno.ENOSPC, errno.EDQUOT)
"""Numbers of the errors that say so."""


class UserError(Exception):
    """One clear line that says what is wrong, where, and how to mend it."""


def note(message: str) -> None:
    """Tell the user one line on stderr: something was repaired, dropped or left over."""
    print(f"note: {one_line(message)}", file=sys.stderr, flush=True)


def one_line(message: str) -> str:
    """The message without line breaks, as a file's name may have them."""
    return " ".join(message.splitlines())


def _exit_on_sigterm(signum: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + signum)


def run_cli(main: Callable[[], None]) -> None:
    """Run a command-line program's body.

    A UserError, or a full disk, is printed to stderr as one line and the program exits with code
    2; Ctrl-C exits with 130 and one line. SIGTERM raises SystemExit(143), so that clean-up code
    runs. `--help` names the program as it is called.
    """
    called = getattr(sys.modules["__main__"], "__spec__", None)
    if called:
        sys.argv[0] = f"python -m {called.name.removesuffix('.__main__')}"
    before = signal.signal(signal.SIGTERM, _exit_on_sigterm)
    try:
        main()
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read what is printed has gone, as `head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except UserError as error:
        print(f"error: {one_line(str(error))}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        if error.errno not in DISK_FULL:
            raise
        place = error.filename or "results/, .checkpoints/ or data/"
        print(
            f"error: {place}: no space is left on its disk; free some and start again, "
            "what was finished is kept",
            file=sys.stderr,
        )
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    finally:
        signal.signal(signal.SIGTERM, before)
