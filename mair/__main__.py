"""The command behind make: ``python -m mair``."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path


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
    from mair.trial.errors import TrialError

    options = _parser().parse_args(arguments)
    try:
        return options.command(options) or 0
    except TrialError as error:
        _say(error.problems)
        return 2
    except RunFailed as error:
        _say(error.problems)
        return 1


def _say(problems) -> None:
    for problem in problems:
        print(problem, file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m mair",
        description="A two-arm trial's paper, executed: notebooks, tables, figures, one report.",
    )
    commands = parser.add_subparsers(required=True, metavar="command")

    run = commands.add_parser("run", help="run a trial file into a directory")
    run.add_argument("params", metavar="PARAMS", help="a trial file, such as params/mair.yaml")
    run.add_argument("--out", metavar="DIR", help="default: build/<stem of PARAMS>")
    run.set_defaults(command=_run)

    cohort = commands.add_parser("cohort", help="make the synthetic cohort of mair/data")
    cohort.add_argument("--seed", type=_count, metavar="SEED", help="default: the committed one")
    cohort.set_defaults(command=_cohort)

    cohorts = commands.add_parser("cohorts", help="make cohorts, seeds 1 to N, in build/cohorts/")
    cohorts.add_argument("--n", type=_count, required=True, metavar="N")
    cohorts.set_defaults(command=_cohorts)

    audit = commands.add_parser("audit", help="fail when a reproduced number no longer is")
    audit.add_argument("--update", action="store_true", help="store today's verdicts")
    audit.set_defaults(command=_audit)

    bench = commands.add_parser("bench", help="measure, beside other packages, in one run")
    bench.set_defaults(command=_bench)

    campaign = commands.add_parser("campaign", help="the audit's fault campaign (minutes)")
    campaign.set_defaults(command=_campaign)

    simulate = commands.add_parser("simulate", help="the simulation tables (minutes)")
    simulate.set_defaults(command=_simulate)

    pins = commands.add_parser(
        "environment", help="write environment.yml from the pins of requirements.lock"
    )
    pins.set_defaults(command=_environment)

    schema = commands.add_parser("schema", help="print the trial file's JSON schema, for editors")
    schema.set_defaults(command=_schema)

    verify = commands.add_parser("verify-r", help="compare with R, where R is installed")
    verify.set_defaults(command=_verify_r)
    return parser


def _count(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; expected a whole number, 1 or more")
    return number


def _run(options) -> None:
    from mair.run import plan as run

    run.run(options.params, options.out, echo=lambda line: print(line, flush=True))


def _cohort(options) -> None:
    from mair.studies import cohort
    from mair.trial.errors import display

    path = cohort.main() if options.seed is None else cohort.main(seed=options.seed)
    print(display(path))


def _cohorts(options) -> None:
    from mair.published import identified
    from mair.studies import cohort, ranges

    folder = Path("build") / "cohorts"
    files = cohort.many(options.n, folder)
    print(f"{len(files)} cohorts in {folder}", flush=True)
    found = ranges.ranges("params/mair.yaml", files)
    found.to_csv(folder / identified.FILE, index=False, lineterminator="\n")
    print(f"{folder / identified.FILE}: {found['identified'].sum()} of {len(found)} unprinted "
          "statistics are alike in all")


def _audit(options) -> int:
    from mair.run import gate

    return gate.main(update=options.update)


def _bench(options) -> int:
    from mair.studies import bench

    return bench.main()


def _campaign(options) -> None:
    from mair.studies import campaign

    campaign.main()


def _simulate(options) -> None:
    from mair.studies import simulate
    from mair.trial.errors import display

    print(display(simulate.main()))


def _environment(options) -> None:
    from mair.run import environment

    print(environment.write())


def _schema(options) -> None:
    import json

    from mair.trial import schema

    print(json.dumps(schema.json_schema(), indent=2))


def _verify_r(options) -> int | None:
    from mair.studies import verify_r

    return verify_r.main()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted; the earlier output is as it was", file=sys.stderr)
        sys.stderr.flush()
        os._exit(130)  # without waiting for notebooks; their kernels end with this process
