"""Get a published data set: `python -m pipelines.fetch NAME [--from PATH ...] [--into ROOT]`.

Nothing is done if its folder is there. Else its archives are downloaded, or taken from --from,
checked and unpacked; the folder appears when it is whole.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.data.published.catalogue import PUBLISHED
from pipelines.system.errors import run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", help=f"one of {', '.join(PUBLISHED)}")
    parser.add_argument(
        "--from",
        dest="source",
        nargs="+",
        type=Path,
        default=(),
        metavar="PATH",
        help="archives, or a folder with them or with the unpacked data set",
    )
    parser.add_argument("--into", metavar="ROOT", help="the folder of the named data sets")
    arguments = parser.parse_args()

    from pipelines.data.published.fetch import fetch
    from pipelines.data.root import data_root

    print(fetch(arguments.name, data_root(arguments.into), source=arguments.source))


if __name__ == "__main__":
    run_cli(main)
