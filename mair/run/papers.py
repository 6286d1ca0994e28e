"""``make papers``: one table over several papers, and the cells that two of them share."""

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from mair.report import reviewer, show, table, word
from mair.report.table import Table
from mair.results import KEYS
from mair.run import paper
from mair.run.output import Build
from mair.sections import audit
from mair.trial import load
from mair.trial.errors import TrialError, display

DIGITS = 6  # of a shared cell: fewer agree by chance too often


def main(folder: str, out: str | None = None) -> None:
    """Audit the papers of a folder together, print the tables and write them into a directory."""
    build, problems, trials = Build(Path(out) if out else Path("build") / "papers"), [], {}
    with TemporaryDirectory() as scratch:
        for path in sorted(Path(folder).iterdir()) if Path(folder).is_dir() else ():
            try:
                if path.suffix == ".xlsx" or (path.is_dir() and any(path.glob("*.csv"))):
                    trials[path.stem] = paper.opened(path, Path(scratch) / path.stem)
                elif path.suffix == ".yaml" and (trial := load(path)).published:
                    trials[path.stem] = trial
            except TrialError as error:
                problems += error.problems
        if problems or not trials:
            raise TrialError(problems or [f"{folder}: holds no paper, expected a folder of .xlsx, "
                                          "of folders of .csv or of trial files"])
        tables = [overview(trials), shared(trials)]
    with build.alone(print), build.staging() as staging:
        for one in tables:
            print(table.plain(one))
            show.write(one, staging / "whole", False, next(iter(trials.values())))
        word.number(staging / "whole" / "tables", "")  # no page numbers these
        build.write_manifest(staging / "whole", {"parameters": {"trial": folder}})
        build.swap(staging / "whole")
    print(display(build.out))


def overview(trials: dict) -> Table:
    """One line a paper: its printed numbers by class, and the findings."""
    frame = pd.DataFrame([
        {"Paper": name, "Printed": len(audit.judged(trial)),
         **{kind.capitalize(): (audit.judged(trial)["holds"] == kind).sum()
            for kind in reviewer.SAID["classes"]}, "Findings": len(audit.found(trial))}
        for name, trial in trials.items()])
    return Table("papers", "The printed numbers of several papers", frame.astype(str), frame)


def shared(trials: dict) -> Table:
    """Cells of an arm alike to the last digit in two papers: a flag, no verdict.

    A cell is what is printed of a variable in an arm at a visit, of two numbers and six digits or
    more; which variable it is of does not matter.
    """
    cells = []
    for name, trial in trials.items():
        own = audit.published(trial)
        own = own[own["arm"].isin(trial.arms) & (own["statistic"] != "n")]
        for _, part in own.groupby([*KEYS[:5], "source"], sort=False):
            place = reviewer.where(trial, part.iloc[0].to_dict() | {"statistic": ""})
            cells += [(" ".join(part["printed"]), name, place)] * (len(part) > 1)
    frame = pd.DataFrame(cells, columns=["Printed", "Paper", "There"])
    frame = frame[frame["Printed"].str.count(r"\d") >= DIGITS]
    pairs = frame.merge(frame, on="Printed", suffixes=("", ", other"))
    pairs = pairs[pairs["Paper"] < pairs["Paper, other"]].reset_index(drop=True)
    return Table("shared", "Cells alike to the last digit in two papers", pairs, pairs, notes=(
        f"{len(pairs)} pairs of {len(frame)} cells of {DIGITS} digits or more. The same people "
        "reported twice would explain them, and so does chance where cells are many.",))
