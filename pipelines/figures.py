"""The papers' figures of a profile: `python -m pipelines.figures PROFILE`.

Each paper's file in papers/ lists them, with the names of their files. They go to
results/PROFILE/figures/, as PNG and SVG; those that show images, as PNG alone, go to
results/PROFILE/gallery/ where these are not drawn here (git ignores that folder). A CSV beside them
holds the sizes of the objects, so that they can be drawn again without the data.
"""

from __future__ import annotations

import argparse

from pipelines.system.errors import run_cli
from pipelines.system.paths import REPOSITORY


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="The figure of detections shows those rows of the tables with `compared: true`\n"
        "that are trained, or the study's first runs. To choose others, give the profile in\n"
        "params.yaml a list, such as\n"
        "  shown: [sampler-basic, sampler-dns]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("profile", help="a profile of params.yaml, such as quick")
    arguments = parser.parse_args()

    from pipelines.runs.parameters import require_profile

    require_profile(arguments.profile)

    from pipelines.evidence.figures.draw import make_figures

    for path in make_figures(arguments.profile):
        print(path.relative_to(REPOSITORY))


if __name__ == "__main__":
    run_cli(main)
