"""Tables: one `Table`, shown as HTML and written as data (csv) and for Word (docx).

The reader's table is text, the csv the same table as numbers at full precision. All three are
made from one object, so they cannot disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from html import escape
from itertools import groupby

import pandas as pd

from mair import results
from mair.report import fmt, written
from mair.report.fmt import absent

MARK = "SYNTHETIC: simulated data, no real participants"


@dataclass(frozen=True)
class Table:
    """A table as read by a person, and its data.

    Parameters
    ----------
    name : str
        File stem, of letters, digits, ``_`` and ``-``.
    title : str
    display : DataFrame
        Strings. The first column is the stub (row names); column names are the headers and
        unique. Of ``RT::mean (SD)`` the header is what follows the last ``::``; the rest stands
        over it and its neighbours. A leading em space (U+2003) in the stub indents.
    data : DataFrame
        The same table as numbers, tidy or wide.
    notes : tuple of str
        Below the table, one paragraph each.
    groups : Series of str, optional
        The row group of each row of `display`, by position; rows of one group stand together.
        Empty: no group heading.
    keys : tuple, optional
        For each row and each column of `display` the keys of the ``rows`` of ``results.csv`` that
        its cell shows: from them follows which cells are a synthetic cohort's own.
    rows : DataFrame, optional
    cohort : bool
        False where, without keys, no cell speaks of participants.

    Raises
    ------
    ValueError
        A name that is no file stem, doubled headers, a group that is interrupted.
    """

    name: str
    title: str
    display: pd.DataFrame
    data: pd.DataFrame
    notes: tuple[str, ...] = ()
    groups: pd.Series | None = None
    keys: tuple[tuple[tuple, ...], ...] = ()
    rows: pd.DataFrame | None = None
    cohort: bool = True

    def __post_init__(self):
        stem(self.name)
        doubled = self.display.columns[self.display.columns.duplicated()]
        if len(doubled):
            raise ValueError(f"table {self.name}: two columns {doubled[0]!r}")
        starts = [group for group, _ in self.blocks()]
        if len(set(starts)) < len(starts):
            raise ValueError(f"table {self.name}: the rows of a group do not stand together")

    @property
    def headers(self) -> list[str]:
        """The headers as shown."""
        return [str(name).rsplit("::", 1)[-1] for name in self.display.columns]

    @property
    def spanners(self) -> dict[str, list[str]]:
        """What stands over several headers, with the columns below it."""
        found: dict[str, list[str]] = {}
        for name in self.display.columns:
            found.setdefault(str(name).rpartition("::")[0], []).append(name)
        found.pop("", None)
        return found

    def cells(self, whole=False) -> list[list[str]]:
        """The display as lists of strings, missing ones empty; `whole`: short ones unbroken."""
        return [["" if absent(cell) else (unbroken if whole else str)(
            str(cell).replace(">=", "≥")) for cell in row]
                for row in self.display.itertuples(index=False, name=None)]

    def put(self, plain) -> Table:
        """The same table with each text that a reader sees put into words; its data stay."""
        return replace(self, title=plain(self.title), notes=tuple(map(plain, self.notes)),
                       display=self.display.map(lambda cell: plain(cell) if isinstance(cell, str)
                                                else cell),
                       groups=None if self.groups is None else self.groups.map(plain))

    def blocks(self) -> list[tuple[str, list[int]]]:
        """Runs of rows by group: ``(group or "", row positions)``."""
        groups = ([""] * len(self.display) if self.groups is None
                  else [str(group).replace(">=", "≥") for group in self.groups])
        return [(group, list(run))
                for group, run in groupby(range(len(groups)), groups.__getitem__)]

    def numeric(self) -> list[bool]:
        """Which columns hold numbers, and so stand right: most of their cells begin so."""
        pattern = re.compile(r"[<>≥≤+−-]?\s*[\d.∞]|–$|not estimable$")
        out = []
        for column in zip(self.headers, *self.cells(), strict=True):
            filled = [cell for cell in column[1:] if cell]
            begin = sum(bool(pattern.match(cell)) for cell in filled)
            out.append(bool(out) and 2 * begin > len(filled) and max(map(len, filled)) <= 40)
        return out


def stem(name) -> str:
    """The name, if it can be a file stem and an HTML id.

    Raises
    ------
    ValueError
        Anything but letters, digits, ``_`` and ``-``, beginning with a letter.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", str(name)):
        raise ValueError(f"a name is letters, digits, _ and -, from a letter on, not {name!r}")
    return name


def csv(table: Table) -> bytes:
    """The table's data: UTF-8, full precision, missing values empty."""
    data = table.data.map(lambda value: results.harmless(value) if isinstance(value, str) else
                          "" if absent(value) else results.text(value))
    data.columns = data.columns.map(results.harmless)
    return data.to_csv(index=False, lineterminator="\n").encode("utf-8")


def html(table: Table, synthetic=False, origins=None) -> str:
    """The great_tables HTML, equal on every call; marked where `synthetic`.

    ``origins``, as `mair.published.provenance.kinds` gives them, set invented cells apart: class
    ``invented``, and their extremes over agreeing cohorts as a title.
    """
    from great_tables import GT
    from great_tables import html as raw

    def text(label):  # in which braces would be units
        return raw(escape(label).replace("{", "&#123;"))

    keys = table.keys if origins else [[()] * len(table.headers)] * len(table.display)
    cells = [[first, *(_cell(cell, [origins[key] for key in own])
                       for cell, own in zip(row, of[1:], strict=True))]
             for (first, *row), of in zip(table.cells(whole=True), keys, strict=True)]
    frame = pd.DataFrame(cells, columns=list(table.display.columns), dtype=object)
    stub, *rest = frame.columns
    group = None
    if table.groups is not None:
        group = "\x00group"
        frame[group] = [head for head, run in table.blocks() for _ in run]
    gt = GT(frame, rowname_col=stub, groupname_col=group, id=f"table-{table.name}")
    gt = gt.tab_header(title=table.title, subtitle=MARK if synthetic else None)
    gt = gt.tab_stubhead(table.headers[0])
    gt = gt.cols_label(dict(zip(rest, map(text, table.headers[1:]), strict=True)))
    for label, over in table.spanners.items():
        gt = gt.tab_spanner(text(label), columns=over, id=label)
    for note in table.notes:
        gt = gt.tab_source_note(note)
    numbers = [name for name, flag in zip(frame, table.numeric(), strict=False) if flag]
    gt = gt.fmt(str, columns=rest)  # which are HTML already
    gt = gt.cols_align("left", columns=[name for name in rest if name not in numbers])
    gt = gt.cols_align("right", columns=numbers)
    gt = gt.tab_options(**written.data("look")["options"])
    return _tidy(gt.as_raw_html(), table)


def _cell(text: str, origins: list) -> str:
    """A cell in HTML, set apart where one of its statistics is the generator's choice."""
    ranges = [f"{fmt.number(one.low)} to {fmt.number(one.high)}" for one in origins
              if one.kind == "invented" and one.low < one.high]
    if not re.search(r"\d", text) or all(one.kind != "invented" for one in origins):
        return escape(text)
    title = "over agreeing cohorts " + "; ".join(ranges) if ranges else ""
    return f'<span class="invented" title="{title}">{escape(text)}</span>'


def unbroken(cell: str) -> str:
    """An interval, or a number with its bracket, kept on one line."""
    cell = re.sub(r"(?<=[\d.∞]) to (?=[−\d])", "\u00a0to\u00a0", cell)
    return re.sub(r"(?<=[\d.]) \((?=[−\d])", "\u00a0(", cell) if len(cell) <= 18 else cell


def _tidy(text: str, table: Table) -> str:
    """Mend what great_tables leaves: rules that leak out of their table, an unmarked mark."""
    name = f"#table-{table.name}"
    for leaking, mended in written.data("look")["mended"].items():
        text = text.replace(leaking.replace("#table", name), mended.replace("#table", name))
    text = text.replace("</style>", written.data("look")["rules"].replace("#table", name), 1)
    return text.replace(f'<div id="{name[1:]}"', f'<div id="{name[1:]}" '
                        'class="tex2jax_ignore" tabindex="0"', 1)  # JupyterLab sets no formula


def plain(table: Table, synthetic=False) -> str:
    """The table as text, for a terminal."""
    frame = pd.DataFrame(table.cells(), columns=table.headers)
    head = f"{table.title} ({MARK})" if synthetic else table.title
    return "\n".join([head, frame.to_string(index=False), *table.notes])
