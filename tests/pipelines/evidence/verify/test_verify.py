"""Results as they were made pass; a corruption, sealed again or not, fails and is named."""

import subprocess
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

from pipelines.evidence.verify import rebuild
from pipelines.evidence.verify.seals import check_sums, write_sums
from pipelines.evidence.verify.verify import Level, report, verify
from tests.pipelines.evidence.verify.forger import OPEN, SEALED, alter_digit
from tests.pipelines.evidence.verify.made import PAPERS

pytestmark = pytest.mark.slow


def check(results, data, **options):
    """All levels, computed in this process, where what is built is remembered."""
    with ThreadPoolExecutor(1) as pool:
        return list(verify("quick", results, PAPERS, data, pool, **options))


def findings(results, data):
    return [f for level in check(results, data) for f in level.findings]


def test_results_as_the_pipeline_makes_them_have_no_finding(honest):
    levels = check(honest / "quick", honest / "data")
    assert [level.name for level in levels] == ["files", "runs", "ledger", "rebuilt", "scored"]
    assert [finding for level in levels for finding in level.findings] == []
    assert levels[-1].done == "3 runs scored anew"


@pytest.mark.parametrize("name", OPEN)
def test_a_corruption_is_named(results, honest, name):
    corrupt, expected = OPEN[name]
    corrupt(results)
    assert any(f.startswith(expected) for f in findings(results, honest / "data"))


@pytest.mark.parametrize("name", SEALED)
def test_a_corruption_under_new_checksums_is_named(results, honest, name):
    corrupt, expected = SEALED[name]
    corrupt(results)
    write_sums(results)
    found = findings(results, honest / "data")
    assert any(f.startswith(expected) for f in found), found


def test_without_the_data_a_line_says_so(honest, tmp_path):
    *_, last = check(honest / "quick", tmp_path)
    assert not last.findings
    assert last.done == "0 runs scored anew; 3 left out: data/scenes-256 is not prepared here"


def test_a_digit_in_the_checksums_is_named(results):
    alter_digit(results / "SHA256SUMS", 16)
    count, found = check_sums(results)
    assert len(found) >= 1
    assert count == len((results / "SHA256SUMS").read_text().splitlines())


def test_sha256sum_reads_the_checksums(results):
    def check():
        command = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
        return subprocess.run(command, cwd=results, capture_output=True, text=True, check=False)

    assert check().returncode == 0
    alter_digit(results / "ledger.csv")
    assert "ledger.csv: FAILED" in check().stdout


def test_several_processes_find_the_same(honest):
    results, data = honest / "quick", honest / "data"
    with ProcessPoolExecutor(2) as pool:
        assert list(verify("quick", results, PAPERS, data, pool)) == check(results, data)


def test_the_fast_check_ends_with_the_ledger(results, honest):
    (results / "tables" / "table5.tex").unlink()
    write_sums(results)
    levels = check(results, honest / "data", fast=True)
    assert [(level.name, level.findings) for level in levels] == [
        ("files", []),
        ("runs", []),
        ("ledger", []),
    ]
    alter_digit(results / "ledger.csv", 5)
    assert "ledger.csv" in str(check(results, honest / "data", fast=True)[2].findings)


def test_the_report_counts_and_prints_every_finding(capsys):
    levels = [Level("files", "3 files", ["a: is missing", "b: was changed"]), Level("runs", "none")]
    assert list(report(levels, "quick")) == [2, 0]
    assert "FOUND a: is missing\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("a\nb 1\n", "a\nb 2\n", "line 2 is 'b 1', the runs give 'b 2'"),
        ("a\n", "a\nb\n", "ends before line 2, the runs give 'b'"),
        ("a\nb\n", "a\n", "line 2 is 'b', the runs give no such line"),
        ("a\r\n", "a\n", "line ends differ"),
    ],
)
def test_the_first_line_in_which_texts_differ_is_shown_in_both_versions(old, new, said):
    assert rebuild.compare_texts(old, new) == said
