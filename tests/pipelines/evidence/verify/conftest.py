"""Honest results, made once, and a copy of them for each test to corrupt."""

import shutil

import pytest

from pipelines.evidence.claims.ledger import make_claims
from pipelines.evidence.figures import draw as figures
from pipelines.evidence.ledger import make_ledger
from pipelines.evidence.tables import make_tables
from pipelines.evidence.verify import rebuild
from pipelines.evidence.verify.seals import write_sums
from pipelines.runs.parameters import read_parameters
from tests.pipelines.evidence.verify.made import (
    PAPERS,
    RUNS,
    SIZES,
    write_data,
    write_run,
    write_timings,
)


@pytest.fixture(scope="package", autouse=True)
def remembered():
    """Tables, claims and figures of the same runs and sizes are built once for all tests."""
    built = {}

    def remember(what, build):
        def copied(own, papers, committed):
            sizes = (committed / "figures" / SIZES).read_bytes() if what == "figures" else b""
            key = (what, (own.folder / "ledger.csv").read_bytes(), sizes)
            if key not in built:
                before = set(own.folder.rglob("*"))
                build(own, papers, committed)
                new = [path for path in own.folder.rglob("*") if path not in before]
                built[key] = {p.relative_to(own.folder): p.read_bytes() for p in new if p.is_file()}
            for name, content in built[key].items():
                (own.folder / name).parent.mkdir(exist_ok=True)
                (own.folder / name).write_bytes(content)

        return copied

    with pytest.MonkeyPatch.context() as patch:
        builds = {what: remember(what, build) for what, build in rebuild.BUILDS.items()}
        patch.setattr(rebuild, "BUILDS", builds)
        yield


@pytest.fixture(scope="package")
def honest(tmp_path_factory):
    """Prepared data, and results of three runs of `quick` as the pipeline's stages make them."""
    place = tmp_path_factory.mktemp("honest")
    prepared, folder = place / "data" / "scenes-256", place / "quick"
    manifest = write_data(prepared)
    for number, name in enumerate(RUNS):
        write_run(folder / "runs" / name, number, manifest)
    write_timings(folder)
    with pytest.MonkeyPatch.context() as patch:
        for module in ("pipelines.evidence.ledger", "pipelines.evidence.study"):
            patch.setattr(f"{module}.RESULTS", place)
        make_ledger("quick")
        make_tables("quick")
        make_claims("quick")
        patch.setattr(figures, "ensure_prepared", lambda *_: prepared)
        patch.setattr(figures, "draw_pictures", lambda _: {})
        figures.draw_figures("quick", read_parameters(), PAPERS, folder)
    write_sums(folder)
    return place


@pytest.fixture
def results(honest, tmp_path):
    """A copy of the honest results, to be corrupted."""
    return shutil.copytree(honest / "quick", tmp_path / "quick")
