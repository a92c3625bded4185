"""Both papers' figures of a profile: `python -m pipelines.figures PROFILE`.

Scale-aware SSD: 1: sizes of the objects and of the anchors, beside TomatOD's. 2: where the heads
attach, and what they see there. 3: what the detectors find, beside the truth. 4: boxes of each
class, beside TomatOD's. Two more, convergence and balance, show how training goes by sampler.
LapNet: 1: accuracy against time. 3: overlap per object. 5: ambiguous anchors. 6: learned weights.

They go to results/PROFILE/figures/, as PNG and SVG; those that show images, as PNG alone, go to
results/PROFILE/gallery/ where these are not drawn here (git ignores that folder). `figure1.csv`
holds the sizes behind Figure 1, so that it can be drawn again without the data.
"""

from __future__ import annotations

import argparse

from pipelines.system.errors import run_cli
from pipelines.system.paths import REPOSITORY


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Figure 3 shows those rows of Table 3 that are trained, or the study's first runs.\n"
        "To choose others, give the profile in params.yaml a list, such as\n"
        "  figure3: [sampler-basic, sampler-dns]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("profile", help="a profile of params.yaml, such as quick")
    arguments = parser.parse_args()

    from pipelines.evidence.figures.draw import make_figures

    for path in make_figures(arguments.profile):
        print(path.relative_to(REPOSITORY))


if __name__ == "__main__":
    run_cli(main)
