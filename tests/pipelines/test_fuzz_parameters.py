"""Malformed params.yaml: a UserError or a right specification, and never a name that leaves."""

import contextlib
import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.errors import UserError
from pipelines.plan import PARAMETERS, read_parameters, study, workbench_spec
from pipelines.spec import RunSpec

CASES = 300
TEXT = PARAMETERS.read_text(encoding="utf-8")
GOOD: dict[str, Any] = yaml.safe_load(TEXT)

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12)
    | st.sampled_from(["auto", "none", "../../out", "/tmp/out", "25/38/58/87", "1e999", "-", ""])
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(), inner)
    ),
    max_leaves=6,
)
unhurried = settings(
    max_examples=CASES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def places(tree: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every node of a tree of mappings and lists but the root."""
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    return [place for key in keys for place in ((*above, key), *places(tree[key], (*above, key)))]


PLACES = places(GOOD)


@st.composite
def altered(draw: st.DrawFn) -> dict[str, Any]:
    """The project's parameters with up to three nodes replaced, taken out or renamed."""
    tree = copy.deepcopy(GOOD)
    for place in draw(st.lists(st.sampled_from(PLACES), min_size=1, max_size=3)):
        node: Any = tree
        try:
            for key in place[:-1]:
                node = node[key]
            change = draw(st.sampled_from(("replace", "remove", "rename")))
            if change == "replace":
                node[place[-1]] = draw(values)
            else:
                taken = node.pop(place[-1])
                if change == "rename" and isinstance(node, dict):
                    node[draw(scalars)] = taken
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return tree


def check(path: Path) -> None:
    """All that is done with params.yaml before a run begins: right, or refused in one line."""
    with contextlib.suppress(UserError):
        parameters = read_parameters(path)
        for profile in ("quick", "reference", "paper-voc"):
            for name, spec in study(parameters, profile).items():
                assert isinstance(spec, RunSpec)
                assert "/" not in name, "a run's name is a folder's"
                assert not name.startswith(".")
        assert isinstance(workbench_spec(parameters), RunSpec)


@unhurried
@given(tree=altered())
def test_a_tree_with_altered_nodes(tree, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    check(path)


@unhurried
@given(content=st.binary(max_size=200), start=st.integers(0, len(TEXT)), cut=st.integers(0, 200))
def test_text_with_bytes_put_in_and_taken_out(content, start, cut, tmp_path):
    path = tmp_path / "params.yaml"
    text = TEXT.encode()
    path.write_bytes(text[:start] + content + text[start + cut :])
    check(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must be a mapping"),
        ("profiles: 3", "profiles must be a mapping"),
        ("rows: {../up: {}}", "'../up' is no name"),
        ("profiles: {quick: {runs: {train: {rows: lapnet, seeds: [0]}}}}", "rows must be a list"),
        ("profiles: {quick: {runs: {train: {rows: [], seeds: [zero]}}}}", "seeds must be a list"),
        ("a: !!python/object/apply:os.system [true]", "cannot be read"),
        ("a: &a [*a]\nprofiles: *a", "must be a mapping"),
        ("a: " + "[" * 3000, "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(text, message, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_parameters(path)
