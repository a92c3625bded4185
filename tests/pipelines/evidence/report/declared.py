"""What the study of these tests declares, and what its runs took."""

from dataclasses import replace

from pipelines.evidence.claims.statements import read_claims
from pipelines.evidence.papers import Finding, read_papers

CURVES = ("table6", "table7")
"""Tables whose curves are drawn: each takes a second."""


def with_few_curves(paper):
    tables = {
        name: replace(table, curves=table.file in CURVES) for name, table in paper.tables.items()
    }
    return replace(paper, tables=tables)


ALL = read_papers()
FIRST_CLAIM = read_claims(ALL)[0]
PAPERS = replace(
    ALL,
    papers=tuple(map(with_few_curves, ALL)),
    findings=(Finding("There are <222> images", {"images": FIRST_CLAIM.place_in_file}),),
)
SECONDS = {
    "sampler-basic-s0": 30,
    "sampler-dns-s0": 40,
    "sampler-dns-s1": 50,
    "original-attachment-s0": 60,
}
PARAMETERS = {"profiles": {"quick": {"runs": {"train": list(SECONDS)}}}}
TABLE7 = """sampler,"AP, paper",AP,n,ΔAP [95 %],differs from the paper in
basic (3:1),36,9.5,1,reference,"S1 data, S5 optimiser"
dns,37,9.0 ± 0.4,2,"-0.5 [-1.8, +0.9]","S1 data, S4 first weights, S5 optimiser"
1:1,34,no run,0,—,"S1 data, S5 optimiser"
"""
