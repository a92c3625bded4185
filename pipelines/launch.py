"""Bring a study up to date, several runs at a time: `python -m pipelines.launch PROFILE -j N`.

Does what `dvc repro` does, and leaves the same lock file. What a run prints goes to
`.checkpoints/RUN.log`. With `--on ray` or `--on slurm`, runs are trained by workers in clones of
what is committed, their results come back through a DVC remote, and only what follows the runs
(ledger, tables, figures) is computed here.
"""

from __future__ import annotations

import argparse

from pipelines.system.errors import UserError, run_cli

FIT = {
    "remote": ("ray", "slurm"),
    "address": ("ray",),
    "partition": ("slurm",),
    "time": ("slurm",),
    "gpus": ("ray", "slurm"),
    "memory": ("ray", "slurm"),
}
"""Option to the places that know it."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("profile", nargs="?", default="quick", help="of params.yaml (%(default)s)")
    parser.add_argument(
        "-j", "--jobs", type=int, help="runs at once, which share cores and GPUs (all that fit)"
    )
    parser.add_argument(
        "--on", choices=["local", "ray", "slurm"], default="local", help="who trains"
    )
    parser.add_argument(
        "--remote", help="DVC remote, a folder or an address, that workers share (../NAME.remote)"
    )
    parser.add_argument("--address", help="of a Ray cluster (start Ray on this machine)")
    parser.add_argument("--partition", help="SLURM's")
    parser.add_argument(
        "--time", type=int, metavar="MINUTES", help="of a SLURM job, which then goes on (720)"
    )
    parser.add_argument("--gpus", type=float, help="of each run; on Ray a share will do (none)")
    parser.add_argument("--memory", type=float, metavar="GIB", help="of each run (no limit)")
    parser.add_argument("--dry", action="store_true", help="say which runs would be trained, where")
    arguments = parser.parse_args()
    refuse_misfits(arguments)

    from pipelines.runs.parameters import require_profile

    require_profile(arguments.profile)

    from pipelines.cluster.launch import launch, preview, where_to_train

    where = where_to_train(arguments)
    if arguments.dry:
        print(preview(arguments.profile, where))
    else:
        launch(arguments.profile, arguments.jobs, where)


def refuse_misfits(arguments: argparse.Namespace) -> None:
    """Refuse an option of another place, or a number that cannot be had."""
    for option, places in FIT.items():
        if getattr(arguments, option) is not None and arguments.on not in places:
            known = " or ".join(f"--on {place}" for place in places)
            raise UserError(f"--{option} goes with {known}, not with --on {arguments.on}")
    for option, least in (("jobs", 1), ("time", 1), ("gpus", 0), ("memory", 0.1)):
        value = getattr(arguments, option)
        if value is not None and not least <= value < float("inf"):
            raise UserError(f"--{option} must be at least {least}, not {value:g}")
    gpus = arguments.gpus or 0.0
    if not gpus.is_integer() and (arguments.on == "slurm" or gpus > 1):
        raise UserError(f"--gpus {gpus:g}: a share of a GPU is for Ray alone, and below 1")


if __name__ == "__main__":
    run_cli(main)
