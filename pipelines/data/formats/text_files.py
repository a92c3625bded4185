"""Read small text files that others wrote: of bounded size, in UTF-8, with errors for the user."""

import re
from collections.abc import Sequence
from pathlib import Path

from pipelines.system.errors import UserError

LARGEST_FILE = 4 * 2**20
"""Bytes; annotations of one image are far smaller."""

_BREAKS_LINES = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
"""Control characters, line ends and what is not Unicode."""


def read_text(file: Path, mend: str, largest: int = LARGEST_FILE) -> str:
    """The file's text, without a byte order mark.

    mend: what to do about a file that is missing or has more than `largest` bytes.
    Raises UserError, also if the file cannot be read or is not UTF-8.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(largest + 1)
        if len(content) > largest:
            raise UserError(f"{file}: has more than {largest} bytes; {mend}")
        return content.decode("utf-8-sig")
    except FileNotFoundError:
        raise UserError(f"{file}: no such file; {mend}") from None
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); check the file") from None
    except UnicodeDecodeError:
        raise UserError(f"{file}: is not text in UTF-8; save it as such") from None


def is_one_line(text: str) -> bool:
    """Whether a name is free of line ends, control characters and bytes that are not UTF-8."""
    return not _BREAKS_LINES.search(text)


def read_class_names(file: Path) -> tuple[str, ...]:
    """The class names of a text file, one a line.

    Raises UserError if the file cannot be read, or as check_class_names does.
    """
    lines = read_text(file, "give one class name a line").rstrip().splitlines()
    return check_class_names([line.strip() for line in lines], str(file))


def check_class_names(names: Sequence[str], where: str) -> tuple[str, ...]:
    """The names themselves.

    Raises UserError, which starts with `where`, if there are none, or one is empty, of more than
    one line, or given twice.
    """
    if not names:
        raise UserError(f"{where}: names no class; name at least one")
    seen: set[str] = set()
    for position, name in enumerate(names, start=1):
        if not name or not is_one_line(name):
            raise UserError(
                f"{where}: the class at position {position} has the name {name[:40]!r}; "
                "give it a name in letters"
            )
        if name in seen:
            raise UserError(
                f"{where}: the class name {name[:40]!r} occurs more than once; "
                "give each class its own name"
            )
        seen.add(name)
    return tuple(names)
