"""Say what the workbench's run reads beside code and parameters: `python -m pipelines.inputs`.

The settings behind its profile, the files of a data set of one's own, and the file of its first
weights. DVC cannot see these change by itself: it writes this before each run, and trains again if
something else is written. Torch is not loaded, so that it takes no time.
"""

from __future__ import annotations

import argparse

from pipelines.system.errors import run_cli


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()

    from pipelines.runs.inputs import write_inputs

    write_inputs()


if __name__ == "__main__":
    run_cli(main)
