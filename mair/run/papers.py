"""``make papers``: one table over several papers, and the cells that two of them share."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from mair.report import reviewer, show, table
from mair.report.table import Table
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
            if path.suffix in (".xlsx", ".yaml") or (path.is_dir() and any(path.glob("*.csv"))):
                try:
                    trials[path.stem] = one = load(
                        path if path.suffix == ".yaml" else
                        paper.write(paper.files(path), Path(scratch) / path.stem))
                    problems += [] if one.published else [f"{display(path)}: names no published "
                                                          "numbers, expected an entered paper"]
                except TrialError as error:
                    problems += error.problems
        if problems or not trials:
            raise TrialError(problems or [f"{folder}: holds no paper, expected a folder of .xlsx, "
                                          "of folders of .csv or of trial files"])
        tables = [overview(trials), shared(trials)]
    with build.alone(print), build.staging() as staging:
        for one in tables:
            print(table.plain(one))
            show.write(one, staging / "whole")
        build.write_manifest(staging / "whole", {"parameters": {"trial": folder}})
        build.swap(staging / "whole")
    print(display(build.out))


def overview(trials: dict) -> Table:
    """One line a paper: its printed numbers by class, and the findings."""
    rows = []
    for name, trial in trials.items():
        sizes = audit.judged(trial)["holds"].value_counts()
        rows.append({"Paper": name, "Printed": sizes.sum(), **{
            kind.capitalize(): sizes.get(kind, 0) for kind in reviewer.SAID},
            "Findings": len(audit.found(trial))})
    frame = pd.DataFrame(rows)
    return Table("papers", "The printed numbers of several papers", frame.astype(str), frame)


def shared(trials: dict) -> Table:
    """Cells of an arm alike to the last digit in two papers: a flag, no verdict.

    A cell is what is printed of a variable in an arm at a visit, of two numbers and six digits or
    more; which variable it is of does not matter.
    """
    cells = defaultdict(list)
    for name, trial in trials.items():
        own = audit.published(trial)
        own = own[own["arm"].isin(trial.arms) & (own["statistic"] != "n")]
        for _, part in own.groupby(["analysis", "variable", "arm", "time", "source"], sort=False):
            text = " ".join(part["printed"])
            if len(part) > 1 and sum(map(str.isdigit, text)) >= DIGITS:
                cells[text].append((name, reviewer.where(
                    trial, part.iloc[0].to_dict() | {"statistic": ""})))
    rows = [{"Printed": text, "Paper": a, "There": there, "Other paper": b, "In the other": other}
            for text, places in cells.items()
            for (a, there), (b, other) in combinations(places, 2) if a != b]
    frame = pd.DataFrame(rows, columns=["Printed", "Paper", "There", "Other paper", "In the other"])
    return Table("shared", "Cells alike to the last digit in two papers", frame, frame, notes=(
        f"{len(frame)} of {sum(map(len, cells.values()))} cells of {DIGITS} digits or more. The "
        "same people reported twice would explain it, and so does chance where cells are many.",))
