"""Names and numbers as the summary, the suspicions and the page write them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NAMED = 6
"""Names listed one by one; further ones are counted."""


def shown(name: str) -> str:
    """A name from a data set with everything that cannot be printed as its escape: `\\n`, `\\x1b`.

    Terminals obey control characters, and text with a lone surrogate cannot be written.
    """
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in name)


def percent(part: float) -> str:
    """A share from 0 to 1 in percent, to two digits."""
    return f"{100 * part:.2g} %" if part < 0.995 else f"{100 * part:.0f} %"


def out_of(count: int, total: int, things: str) -> str:
    """`3 of 200 boxes (1.5 %)`."""
    return f"{count} of {total} {things} ({percent(count / total)})"


def listed(names: Sequence[str], most: int = NAMED) -> str:
    """The first names, and how many more there are."""
    more = [f"and {len(names) - most} more"] if len(names) > most else []
    return ", ".join([*map(shown, names[:most]), *more])


def counts_listed(counts: Mapping[str, int], most: int = NAMED) -> str:
    """`unripe 12, ripe 3`."""
    return listed([f"{name} {count}" for name, count in counts.items()], most)
