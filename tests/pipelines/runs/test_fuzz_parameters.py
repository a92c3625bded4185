"""Malformed params.yaml: a UserError or a right specification, and never a name that leaves."""

import contextlib
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.runs.parameters import declared_runs, read_parameters, resolve, workbench_spec
from pipelines.runs.spec import RunSpec
from pipelines.system.errors import UserError
from pipelines.system.paths import PARAMETERS
from tests.pipelines.fuzzing import altered, cases, spliced, values

PROFILES = ("quick", "reference", "paper-voc")


def few_runs(parameters: dict[str, Any]) -> dict[str, Any]:
    """The same with three runs of each profile and their rows alone, so that a case is soon read.

    What is left has every kind of node still, and an altered one is the likelier to be in use.
    """
    profiles = {name: dict(parameters["profiles"][name]) for name in PROFILES}
    rows = set()
    for profile in profiles.values():
        kept = {group: names[:3] for group, names in profile["runs"].items()}
        own = {name.rpartition("-s")[0] for names in kept.values() for name in names}
        profile["runs"] = kept
        for part in ("overrides", "expected"):
            profile[part] = {k: v for k, v in profile.get(part, {}).items() if k in own}
        rows |= own
    kept_rows = {name: row for name, row in parameters["rows"].items() if name in rows}
    return {**parameters, "rows": kept_rows, "profiles": profiles}


GOOD = few_runs(yaml.safe_load(PARAMETERS.read_text(encoding="utf-8")))
TEXT = yaml.safe_dump(GOOD)


def check(path: Path) -> None:
    """All that is done with params.yaml before a run begins: right, or refused in one line."""
    with contextlib.suppress(UserError):
        parameters = read_parameters(path)
        for profile in PROFILES:
            for name, spec in declared_runs(parameters, profile).items():
                assert isinstance(spec, RunSpec)
                assert "/" not in name, "a run's name is a folder's"
                assert not name.startswith(".")
        assert isinstance(workbench_spec(parameters), RunSpec)


@cases(300)
@given(tree=altered(GOOD))
def test_a_tree_with_altered_nodes(tree, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(yaml.safe_dump(tree, allow_unicode=True), encoding="utf-8")
    check(path)


@given(
    changes=st.dictionaries(st.sampled_from([field.name for field in fields(RunSpec)]), values),
    profile=st.sampled_from(PROFILES),
    fold=st.sampled_from([{}, {"fold": "SEED"}]),
)
def test_a_run_with_any_value_for_any_field(changes, profile, fold):
    with contextlib.suppress(UserError):
        assert isinstance(resolve(GOOD, profile, {**changes, **fold}, "x"), RunSpec)


@cases(300)
@given(content=spliced(TEXT))
def test_text_with_bytes_put_in_and_taken_out(content, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(content)
    check(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "must be a mapping"),
        ("profiles: 3", "profiles must be a mapping"),
        ("rows: {../up: {}}", "'../up' is no name"),
        ("profiles: {quick: {runs: {train: lapnet-s0}}}", "train must be a list of runs"),
        ("profiles: {quick: {runs: {train: [lapnet-zero]}}}", "'lapnet-zero' is no ROW-sSEED"),
        ("profiles: {quick: {runs: {a: [x-s0], b: [x-s0]}}}", "x-s0 stands there twice"),
        ("a: !!python/object/apply:os.system [true]", "cannot be read"),
        ("a: &a [*a]\nprofiles: *a", "must be a mapping"),
        ("a: " + "[" * 600, "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(text, message, tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_parameters(path)
