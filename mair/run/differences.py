"""``make compare``: the rows of ``results.csv`` that differ between two runs."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pandas as pd

from mair.results import KEYS
from mair.trial.errors import TrialError, display

_SHOWN = 20


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
    title = f"{len(table)} rows differ between {escape(display(one))} (A) and " \
            f"{escape(display(other))} (B)"
    path.write_text(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        "<style>body{font-family:sans-serif}td,th{padding:.2em .6em;text-align:left}</style>"
        f"<h1>{title}</h1>{table.to_html(index=False, na_rep='no such row', border=0)}</html>\n",
        encoding="utf-8")
    for row in table.head(_SHOWN).fillna("no such row").itertuples(index=False):
        print(f"{','.join(row[:6])}: {row.A or 'empty'} | {row.B or 'empty'}")
    print(f"{len(table)} rows differ; all of them: {display(path)}")
