"""From params.yaml to specifications: `python -m pipelines.plan PROFILE` writes one file a run.

A stage depends on its own specification alone, so that a change of one row trains one row.
"""

from __future__ import annotations

import argparse

from pipelines.system.errors import UserError, run_cli


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", nargs="?", help="a profile of params.yaml")
    parser.add_argument(
        "--explain", action="store_true", help="say what each field of a specification means"
    )
    arguments = parser.parse_args()
    if bool(arguments.profile) == arguments.explain:
        raise UserError("name a profile of params.yaml, or --explain: one of them")

    from pipelines.runs.parameters import write_specifications
    from pipelines.runs.spec import explain_fields

    if arguments.explain:
        print(explain_fields())
        return
    count = write_specifications(arguments.profile)
    print(f"{count} runs in the study {arguments.profile}")


if __name__ == "__main__":
    run_cli(main)
