"""The command behind make: ``python -m mair``."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import nullcontext
from importlib import import_module
from pathlib import Path


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


_CLUSTER = ("--scheduler", {"metavar": "ADDRESS", "help": "of a Dask cluster's scheduler, as "
                            "tcp://host:8786; default: this machine's processors"})
_PARAMS = ("params", {"metavar": "PARAMS", "help": "a trial file, such as params/mair.yaml"})
# Command: what it does, its arguments, and the function that does it.
COMMANDS = {
    "run": ("run a trial file into a directory", [
        _PARAMS, ("--out", {"metavar": "DIR", "help": "default: build/<stem of PARAMS>"}),
        ("--blind", {"action": "store_true", "help": "deal the people to the arms anew first"})],
        "mair.run.plan:main"),
    "lock": ("write a trial file's choices and their hash beside it", [_PARAMS],
             "mair.run.locked:lock"),
    "all": ("run every trial file of params/, and compare them on a page", [],
            "mair.run.differences:every"),
    "check": ("read and validate a trial file, run nothing", [_PARAMS], "mair.run.check:main"),
    "new": ("a draft of a trial file from a data file", [
        ("data", {"metavar": "DATA", "help": "such as my.sav"}),
        ("--out", {"required": True, "metavar": "OUT", "help": "the trial file to write"})],
        "mair.trial.draft:main"),
    "paper": ("a template to enter a paper's tables, or the audit of one so entered", [
        ("file", {"nargs": "?", "metavar": "FILE", "help": "such as my/paper.xlsx"}),
        ("--new", {"metavar": "NEW", "help": "the template to write"}),
        ("--out", {"metavar": "DIR", "help": "default: build/<stem of FILE>"})],
        "mair.run.paper:main"),
    "papers": ("one table over the papers of a folder, and the cells that two share", [
        ("folder", {"metavar": "DIR", "help": "of .xlsx, folders of .csv, or trial files"}),
        ("--out", {"metavar": "DIR", "help": "default: build/papers"})], "mair.run.papers:main"),
    "compare": ("the rows that differ between two runs", [
        ("one", {"metavar": "A"}), ("other", {"metavar": "B"})], "mair.run.differences:main"),
    "size": ("true size and coverage of each inference at a trial's own n", [
        _PARAMS, ("--out", {"metavar": "DIR", "help": "default: build/<stem of PARAMS>-size"}),
        _CLUSTER],
        "mair.studies.size:main"),
    "power": ("power of the mixed model over a grid of designs", [
        _PARAMS, ("--grid", {"metavar": "GRID", "required": True, "help": "a grid (.yaml)"}),
        ("--out", {"metavar": "DIR", "help": "default: build/<stem of PARAMS>-power"}), _CLUSTER],
        "mair.studies.grid:main"),
    "audit": ("fail when a reproduced number no longer is", [
        ("--update", {"action": "store_true", "help": "store today's verdicts"})],
        "mair.run.gate:main"),
    "cohort": ("make the synthetic cohort of mair/data", [
        ("--seed", {"type": _count, "help": "default: the committed one"})],
        "mair.studies.cohort:main"),
    "cohorts": ("make cohorts, seeds 1 to N, in build/cohorts/", [
        ("--n", {"type": _count, "required": True, "metavar": "N"}), _CLUSTER],
        "mair.__main__:cohorts"),
    "bench": ("measure, beside other packages, in one run", [], "mair.studies.bench:main"),
    "campaign": ("the audit's fault campaign (minutes)", [_CLUSTER], "mair.studies.campaign:main"),
    "simulate": ("the simulation tables (minutes)", [_CLUSTER], "mair.studies.simulate:main"),
    "schema": ("print the trial file's JSON schema, for editors", [], "mair.__main__:schema"),
    "verify-r": ("compare with R, where R is installed", [], "mair.studies.verify_r:main"),
}  # fmt: skip


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
    for name, (said, expected, _) in COMMANDS.items():
        command = commands.add_parser(name, help=said)
        for argument, how in expected:
            command.add_argument(argument, **how)
    given = vars(parser.parse_args(arguments))
    _, expected, place = COMMANDS[command := given.pop("command")]
    module, function = place.split(":")
    chosen = {name: value for name, value in given.items() if value is not None}
    try:
        cluster = chosen.pop("scheduler", None)
        with _job(command, cluster) if _CLUSTER in expected else nullcontext():
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
