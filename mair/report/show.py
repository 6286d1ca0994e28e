"""How a notebook shows a table or a figure: displayed, and written where the run keeps files.

Examples
--------
>>> from mair.trial import load
>>> show = Show(load("params/mair.yaml"), out=None)
>>> show.marked(True), show.marked(False)
(True, False)
"""

import sys
from dataclasses import replace
from pathlib import Path

from mair.published import provenance
from mair.report import table as tables
from mair.report.table import Table
from mair.report.words import plain

LIGHTER = ("Lighter numbers are not the paper's: they differ between cohorts that agree with every "
           "printed number. The table of provenance has their ranges.")


class Show:
    """Shows tables and figures of one trial; the SYNTHETIC mark is the trial's.

    Parameters
    ----------
    trial : Trial
    out : path or None
        The run's output folder; None writes nothing.
    """

    def __init__(self, trial, out=None):
        self.trial, self.out = trial, out

    def __call__(self, what, name="", title="", *, alt="", of=None):
        """Display a table or a figure and, where there is an output folder, write it.

        Parameters
        ----------
        what : Table, matplotlib Figure or Axes, or None
            None, as where a trial has nothing for a table, shows nothing.
        name : str
            Of a figure: its file stem. Tables carry their own.
        title : str
            Of a figure: its caption.
        alt : str
            Of a figure, and required: what it shows, for those who cannot see it.
        of : DataFrame or False, optional
            Of a figure: the rows of ``results.csv`` that it draws, False where it draws nothing
            of participants; of a synthetic trial it bears the mark unless all are printed.

        Raises
        ------
        ValueError
            A figure without `alt`, or a name that is no file stem.
        """
        from IPython.display import display

        if what is None:
            return
        if isinstance(what, Table):
            origins = {} if what.rows is None else provenance.kinds(self.trial, what.rows)
            shown = [origins[key] for row in what.keys for own in row for key in own
                     if key in origins]
            if any(one.kind == "invented" for one in shown):
                what = replace(what, notes=(*what.notes, LIGHTER))
            what = what.put(plain(self.trial))
            mark = self.marked(shown if what.keys and origins else what.cohort)
            write(what, self.out, mark, self.trial)
            display({"text/html": tables.html(what, mark, origins),
                     "text/plain": tables.plain(what, mark)}, raw=True)
            return
        from mair.report import figure

        drawn = of is None if of is None or of is False else list(
            provenance.kinds(self.trial, of).values())
        files = figure.render(what, name, alt, self.marked(drawn))
        save(self.out, "figures", {f"{name}.{suffix}": file for suffix, file in files.items()})
        display({"text/html": figure.html(what, files["svg"], alt, name, title),
                 "text/plain": alt.strip()}, raw=True)
        if "matplotlib.pyplot" in sys.modules:  # pyplot's figures would be displayed once more
            sys.modules["matplotlib.pyplot"].close(getattr(what, "figure", what))

    def keep(self, table: Table, **documents: bytes) -> None:
        """Write a table, and Word documents by name, without displaying them."""
        write(table, self.out, False, self.trial)
        save(self.out, "tables", {f"{name}.docx": text for name, text in documents.items()})

    def marked(self, cohort) -> bool:
        """Whether something bears the SYNTHETIC mark: it holds numbers of an invented cohort.

        Parameters
        ----------
        cohort : bool or list of Origin
            Whether it speaks of participants, or where its numbers come from.
        """
        if isinstance(cohort, list) and provenance.has(self.trial):
            cohort = any(one.kind != "printed" for one in cohort)
        return bool(self.trial.synthetic and cohort is not False)


def write(table: Table, out, synthetic, trial):
    """Write ``tables/<name>.csv`` and ``.docx`` below `out`; nothing where it is None."""
    if out is not None:
        from mair.report.word import abbreviations, docx

        save(out, "tables", {f"{table.name}.csv": tables.csv(table),
                             f"{table.name}.docx": docx(table, synthetic,
                                                        abbreviations(trial, table))})


def save(out, folder, files: dict[str, bytes]):
    """Write files into a folder below `out`; nothing where it or they are none."""
    if out is not None and files:
        place = Path(out) / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (place / name).write_bytes(content)
