"""Malformed input for programs that read other people's files, and a watch on what they touch."""

import copy
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=12)
    | st.sampled_from([-1, 0, 1e30, 2**63, "auto", "../../out", "/tmp/out", "a\nb", "-x", "", "é"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)


def cases(number: int) -> settings:
    """As many examples, in tests whose fixtures all examples share."""
    shared = HealthCheck.function_scoped_fixture
    return settings(
        max_examples=number, suppress_health_check=[*settings().suppress_health_check, shared]
    )


@st.composite
def altered(draw: st.DrawFn, tree: Any) -> Any:
    """A tree of mappings and lists with up to three nodes replaced, taken out or renamed."""
    tree = copy.deepcopy(tree)
    for place in draw(st.lists(st.sampled_from(_places(tree)), min_size=1, max_size=3)):
        node = tree
        try:
            for key in place[:-1]:
                node = node[key]
            change = draw(st.sampled_from(("replace", "remove", "rename")))
            if change == "replace":
                node[place[-1]] = draw(values)
            else:
                taken = node.pop(place[-1])
                if change == "rename" and isinstance(node, dict):
                    node[draw(st.text(max_size=8))] = taken
        except (KeyError, IndexError, TypeError, AttributeError):
            continue  # an earlier change took the place away
    return tree


def _places(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every node of a tree but the root."""
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [place for key in keys for place in ((*above, key), *_places(tree[key], (*above, key)))]


@st.composite
def spliced(draw: st.DrawFn, text: str) -> bytes:
    """Text with bytes put in, and others taken out, at one or two places."""
    content = text.encode()
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(content)))
        cut = draw(st.integers(0, 60))
        put = draw(st.binary(max_size=60) | st.text(max_size=20).map(str.encode))
        content = content[:start] + put + content[start + cut :]
    return content


class Touched:
    """Paths that were opened for writing, made, moved or removed."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.watching = False
        sys.addaudithook(self._hear)

    @contextmanager
    def watched(self, allowed: Path) -> Iterator[None]:
        """Fail if anything outside `allowed` is touched meanwhile."""
        self.paths, self.watching = [], True
        try:
            yield
        finally:
            self.watching = False
        outside = [p for p in self.paths if not Path(p).resolve().is_relative_to(allowed.resolve())]
        assert not outside, outside

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.watching:
            return
        if event == "open":
            path, _, flags = arguments
            if flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) and isinstance(path, str | bytes):
                self.paths.append(os.fsdecode(path))
        elif event in ("os.mkdir", "os.symlink", "os.link", "os.rename", "shutil.rmtree"):
            self.paths += [os.fsdecode(path) for path in arguments[:2] if isinstance(path, str)]
        else:
            assert event not in ("subprocess.Popen", "os.system", "socket.connect"), event
