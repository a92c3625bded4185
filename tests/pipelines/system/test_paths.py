"""Where a repository lies, and where an experiment was declared."""

from pathlib import Path

import pytest

from pipelines.system.paths import declaring_repository


@pytest.mark.parametrize(
    ("repository", "declared_in"),
    [
        ("/home/me/project", "/home/me/project"),
        ("/home/me/project/.dvc/tmp/exps/tmp1a", "/home/me/project"),
        ("/home/me/project/.dvc/tmp/exps/standalone/tmp1a", "/home/me/project"),
        ("/home/me/.dvc/tmp/project", "/home/me/.dvc/tmp/project"),
    ],
)
def test_a_copy_of_dvc_s_was_declared_in_the_repository_above_it(repository, declared_in):
    assert declaring_repository(Path(repository)) == Path(declared_in)
