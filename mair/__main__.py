"""The command behind make: ``python -m mair``."""

import argparse
import os
import sys
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path

import yaml


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number, 1 or more")
    return number


def cohorts(n: int) -> None:
    """Write ``n`` cohorts, and the extremes over them, into ``build/cohorts/``."""
    from mair.published import provenance
    from mair.studies import cohort, ranges

    folder = Path("build") / "cohorts"
    files = cohort.many(n, folder)
    print(f"{len(files)} cohorts in {folder}", flush=True)
    found = ranges.ranges("params/mair.yaml", files)
    found.to_csv(folder / provenance.FILE, index=False, lineterminator="\n", float_format="%.9g")
    print(f"{folder / provenance.FILE}: {len(found)} statistics, {found['searched'].sum()} of them "
          "pushed to their extremes")


def _job(name: str, scheduler: str | None):
    """Long work, which goes on where it was stopped."""
    from mair.studies import pool

    return pool.job(name, scheduler)


def schema() -> None:
    """Print the JSON schema of a trial file."""
    import json

    from mair.trial.schema import TrialFile

    print(json.dumps(TrialFile.model_json_schema(), indent=2))


COMMANDS = yaml.safe_load(
    Path(__file__).parent.joinpath("data", "commands.yaml").read_text("utf-8"))


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status.

    Parameters
    ----------
    arguments : list of str, optional
        Default: those of the process.

    Returns
    -------
    int
        0; 1 when a notebook failed; 2 for bad input. A defect of the program raises.
    """
    from mair.run.plan import RunFailed
    from mair.trial.errors import TrialError, display

    parser = argparse.ArgumentParser(
        prog="python -m mair",
        description="A two-arm trial's paper, executed: notebooks, tables, figures, one report.",
    )
    commands = parser.add_subparsers(required=True, metavar="command", dest="command")
    for name, one in COMMANDS.items():
        command = commands.add_parser(name, help=one["does"])
        for argument, how in one.get("takes", {}).items():
            command.add_argument(argument, **how | ({"type": _count} if "type" in how else {}))
    given = vars(parser.parse_args(arguments))
    asked = COMMANDS[command := given.pop("command")]
    module, function = asked["by"].split(":")
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        cluster = chosen.pop("scheduler", None)
        with _job(command, cluster) if "--scheduler" in asked.get("takes", ()) else nullcontext():
            result = getattr(import_module(module), function)(**chosen)
    except (TrialError, RunFailed) as error:
        print(*error.problems, sep="\n", file=sys.stderr)
        return 1 if isinstance(error, RunFailed) else 2
    if isinstance(result, Path):
        print(display(result))
        result = 0
    return result or 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted; the earlier output is as it was", file=sys.stderr)
        sys.stderr.flush()
        os._exit(130)  # without waiting for notebooks; their kernels end with this process
