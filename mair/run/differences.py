"""Runs beside each other: ``make compare`` of two, and the page of ``make all``."""

import sys
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from mair import results
from mair.report import beside
from mair.results import KEYS
from mair.run import plan
from mair.run.output import RunFailed, manifest_in
from mair.trial.errors import TrialError, counted, display

_SHOWN = 20


class Finished:
    """A finished run as its files have it.

    Attributes
    ----------
    folder : Path
    manifest : dict
    contrasts : DataFrame
        As `mair.report.beside.contrasts` gives them.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.manifest = manifest_in(folder)
        self.chosen = self.manifest["parameters"]["analysis"]
        self.rows = results.read(folder / "results.csv")
        self.contrasts = beside.contrasts(self.rows, self.chosen)

    @property
    def primary(self) -> pd.DataFrame:
        """The contrasts of the primary outcome; where there is none, those that come first."""
        name = self.manifest["primary"] or next(iter(self.contrasts["variable"]), "")
        return self.contrasts[self.contrasts["variable"] == name]


def differing(one: Path, other: Path) -> pd.DataFrame:
    """Rows that one run has and the other has not, or has with another value.

    Parameters
    ----------
    one, other : Path
        Directories of finished runs.

    Returns
    -------
    DataFrame
        The six keys, ``A`` and ``B``: values as text, empty where not estimable, nan where
        there is no such row.

    Raises
    ------
    TrialError
        A directory holds no ``results.csv``.
    """
    found, problems = {}, []
    for name, folder in (("A", one), ("B", other)):
        try:
            table = pd.read_csv(folder / "results.csv", dtype=str, keep_default_na=False)
            found[name] = table.set_index(KEYS)["value"]
        except (OSError, KeyError):
            problems.append(f"{name}={folder}: holds no results.csv, expected a finished run")
    if problems:
        raise TrialError(problems)
    table = pd.DataFrame(found).reindex(found["A"].index.union(found["B"].index, sort=False))
    same = (table["A"] == table["B"]).fillna(False)
    return table[~same.astype(bool)].reset_index()


def main(one: Path | str, other: Path | str) -> None:
    """Print the first rows that differ, and write a page of all of them beside the second run."""
    one, other = Path(one), Path(other)
    table = differing(one, other)
    path = other.resolve().with_name(f"{other.resolve().name}.compared.html")
    title = f"{len(table)} rows differ between {display(one)} (A) and {display(other)} (B)"
    runs = [Finished(run) for run in (one, other) if "visits" in (manifest_in(run) or ())]
    parts = [{"title": "Every row that differs", "head": list(table), "fold": True,
              "rows": table.fillna("no such row").values.tolist()}]
    beside.write(path, title, [*(_beside(*runs) if len(runs) == 2 else ()), *parts])
    for row in table.head(_SHOWN).fillna("no such row").itertuples(index=False):
        print(f"{','.join(row[:6])}: {row.A or 'empty'} | {row.B or 'empty'}")
    print(f"{len(table)} rows differ; all of them: {display(path)}")


def _beside(one: Finished, other: Finished):
    """Parts of a page: what was chosen otherwise, and the contrasts of both runs."""
    here, there = ({**run.chosen, **run.manifest["packages"], **{
        name: f"SHA-256 {sha[:12]}…" for name, sha in run.manifest["inputs"].items()}}
        for run in (one, other))
    yield {"title": "What was otherwise", "head": ["Choice, input or package", "A", "B"],
           "rows": [[name, here.get(name, "none"), there.get(name, "none")]
                    for name in here | there if here.get(name) != there.get(name)],
           "said": [f"{letter}: {run.manifest['title']}, {display(run.folder)}"
                    for letter, run in zip("AB", (one, other), strict=True)]}
    yield beside.part("The contrasts", {"A": one.contrasts, "B": other.contrasts},
                      one.manifest["visits"], one.manifest["synthetic"])


def every(folder: Path | str = "params", build: Path | str = "build") -> int:
    """``make all``: run every trial file of a folder, then write the page that compares them.

    Returns
    -------
    int
        The highest exit status of a run.
    """
    status, made, build = 0, [], Path(build)
    for file in sorted(Path(folder).glob("*.yaml")):
        print(display(file), flush=True)
        out = build / file.stem
        try:
            plan.main(str(file), str(out))
            made.append(Finished(out))
        except (TrialError, RunFailed) as error:
            print(*error.problems, sep="\n", file=sys.stderr, flush=True)
            status = max(status, 1 if isinstance(error, RunFailed) else 2)
    beside.write(build / "index.html", f"{counted(len(made), 'trial file')} of {folder}/", [
        beside.part(title, {run.folder.name: run.primary for run in runs},
                    runs[0].manifest["visits"], runs[0].manifest["synthetic"],
                    [(quote(f"{run.folder.name}/index.html"), f"report of {run.folder.name}")
                     for run in runs])
        for title, of in groupby(made, lambda run: run.manifest["title"]) for runs in [list(of)]])
    print(display(build / "index.html"))
    return status
