"""How a notebook shows a table or a figure: displayed, and written where the run keeps files.

Examples
--------
>>> from mair.trial import load
>>> show = Show(load("params/mair.yaml"), out=None)
>>> show.synthetic
True
"""

from __future__ import annotations

import sys
from pathlib import Path

from mair.report import table as tables
from mair.report.table import Table


class Show:
    """Shows tables and figures of one trial; the SYNTHETIC mark is the trial's.

    Parameters
    ----------
    trial : Trial
    out : path or None
        The run's output folder; None writes nothing.
    """

    def __init__(self, trial, out=None):
        self.synthetic = bool(trial.synthetic)
        self.out = out

    def __call__(self, what, name="", title="", *, alt=""):
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

        Raises
        ------
        ValueError
            A figure without `alt`, or a name that is no file stem.
        """
        from IPython.display import display

        if what is None:
            return
        if isinstance(what, Table):
            write(what, self.out, self.synthetic)
            display({"text/html": tables.html(what, self.synthetic),
                     "text/plain": tables.plain(what, self.synthetic)}, raw=True)
            return
        from mair.report import figure

        files = figure.render(what, name, alt, self.synthetic)
        _save(self.out, "figures", {f"{name}.{suffix}": file for suffix, file in files.items()})
        display({"text/html": figure.html(what, files["svg"], alt, name, title),
                 "text/plain": alt.strip()}, raw=True)
        if "matplotlib.pyplot" in sys.modules:  # pyplot's figures would be displayed once more
            sys.modules["matplotlib.pyplot"].close(getattr(what, "figure", what))


def write(table: Table, out, synthetic=False):
    """Write ``tables/<name>.csv`` and ``.docx`` below `out`; nothing where it is None."""
    if out is not None:
        from mair.report.word import docx

        _save(out, "tables", {f"{table.name}.csv": tables.csv(table),
                              f"{table.name}.docx": docx(table, synthetic)})


def _save(out, folder, files: dict[str, bytes]):
    if out is not None:
        place = Path(out) / folder
        place.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (place / name).write_bytes(content)
