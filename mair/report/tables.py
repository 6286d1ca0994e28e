"""Tables: one `Table`, shown as HTML and written as data (csv) and for Word (docx).

The reader's table is text, the csv the same table as numbers at full precision. All three are
made from one object, so they cannot disagree.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mair import results
from mair.report.figures import MARK, stem


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
        unique. Where two columns show one header, as under two spanners, write
        ``RT::mean (SD)``: only what follows the last ``::`` is shown. A leading em space
        (U+2003) in the stub indents.
    data : DataFrame
        The same table as numbers, tidy or wide.
    notes : tuple of str
        Below the table, one paragraph each.
    groups : Series of str, optional
        The row group of each row of `display`, by position; rows of one group stand together.
        Empty: no group heading.
    spanners : dict of str -> tuple of str, optional
        A heading over neighbouring columns, by their names.
    synthetic : bool
        Mark title and Word header.

    Raises
    ------
    ValueError
        A name that is no file stem, doubled headers, a group that is interrupted, a spanner
        over columns that are missing or not neighbours.
    """

    name: str
    title: str
    display: pd.DataFrame
    data: pd.DataFrame
    notes: tuple[str, ...] = ()
    groups: pd.Series | None = None
    spanners: dict[str, tuple[str, ...]] | None = None
    synthetic: bool = False

    def __post_init__(self):
        stem(self.name)
        columns = list(self.display.columns)
        doubled = self.display.columns[self.display.columns.duplicated()]
        if len(doubled):
            raise ValueError(f"table {self.name}: two columns {doubled[0]!r}")
        if self.groups is not None and len(self.groups) != len(self.display):
            raise ValueError(f"table {self.name}: {len(self.groups)} groups for "
                             f"{len(self.display)} rows")  # fmt: skip
        starts = [group for group, _ in self.blocks()]
        if len(set(starts)) < len(starts):
            raise ValueError(f"table {self.name}: the rows of a group do not stand together")
        for label, over in (self.spanners or {}).items():
            at = [columns.index(name) if name in columns else -1 for name in over]
            if not at or -1 in at or 0 in at or at != list(range(at[0], at[0] + len(at))):
                raise ValueError(f"table {self.name}: spanner {label!r} needs neighbouring "
                                 f"columns of the table, not {list(over)}")  # fmt: skip

    @property
    def headers(self) -> list[str]:
        """The headers as shown."""
        return [str(name).rsplit("::", 1)[-1] for name in self.display.columns]

    def cells(self) -> list[list[str]]:
        """The display as lists of strings; missing cells are empty."""
        return [
            ["" if cell is None or cell != cell else str(cell) for cell in row]
            for row in self.display.itertuples(index=False, name=None)
        ]

    def blocks(self) -> list[tuple[str, list[int]]]:
        """Runs of rows by group: ``(group or "", row positions)``."""
        if self.groups is None:
            return [("", list(range(len(self.display))))]
        out: list[tuple[str, list[int]]] = []
        for position, group in enumerate(self.groups):
            group = "" if group is None or group != group else str(group)
            if not out or out[-1][0] != group:
                out.append((group, []))
            out[-1][1].append(position)
        return out

    def numeric(self) -> list[bool]:
        """Which columns hold numbers, and so stand right: most of their cells begin so."""
        pattern = re.compile(r"[<>≥≤+−-]?\s*[\d.∞]|–$|not estimable$")
        out = [False]
        for column in list(zip(*self.cells(), strict=True))[1:]:
            filled = [cell for cell in column if cell]
            out.append(bool(filled) and sum(bool(pattern.match(c)) for c in filled)
                       > len(filled) / 2 and max(map(len, filled)) <= 40)  # fmt: skip
        return (out + [False] * len(self.headers))[: len(self.headers)]


def show(table: Table, out=None):
    """Display a table and, where `out` is given, write ``tables/<name>.csv`` and ``.docx``.

    Parameters
    ----------
    table : Table
    out : path or None
        The run's output folder; None writes nothing.
    """
    from IPython.display import display

    if out is not None:
        from mair.report.word import docx

        folder = Path(out) / "tables"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{table.name}.csv").write_bytes(csv(table))
        (folder / f"{table.name}.docx").write_bytes(docx(table))
    display({"text/html": html(table), "text/plain": _plain(table)}, raw=True)


def csv(table: Table) -> bytes:
    """The table's data: UTF-8, full precision, missing values empty."""
    data = table.data.copy()
    for name in data.columns:
        data[name] = [_cell(value) for value in data[name]]
    return data.to_csv(index=False, lineterminator="\n").encode("utf-8")


def _cell(value) -> str:
    """A value as in ``results.csv``; text stays."""
    if value is None or value is pd.NA or value != value:
        return ""
    return value if isinstance(value, str) else results.text(value)


def html(table: Table) -> str:
    """The great_tables HTML, equal on every call."""
    from great_tables import GT

    cells = [[_unbroken(cell) for cell in row] for row in table.cells()]
    frame = pd.DataFrame(cells, columns=list(table.display.columns), dtype=object)
    stub, *rest = frame.columns
    group = None
    if table.groups is not None:
        group = "\x00group"
        frame[group] = [name for name, rows in table.blocks() for _ in rows]
    gt = GT(frame, rowname_col=stub, groupname_col=group, id=f"table-{table.name}")
    gt = gt.tab_header(title=table.title, subtitle=MARK if table.synthetic else None)
    gt = gt.tab_stubhead(table.headers[0])
    gt = gt.cols_label(dict(zip(rest, table.headers[1:], strict=True)))
    for label, over in (table.spanners or {}).items():
        gt = gt.tab_spanner(label, columns=list(over))
    for note in table.notes:
        gt = gt.tab_source_note(note)
    numbers = [name for name, flag in zip(frame, table.numeric(), strict=False) if flag]
    gt = gt.cols_align("left", columns=[name for name in rest if name not in numbers])
    gt = gt.cols_align("right", columns=numbers)
    gt = gt.tab_options(
        table_font_size="14px", heading_align="left", heading_title_font_size="16px",
        heading_title_font_weight="600", heading_subtitle_font_size="13px",
        column_labels_font_weight="600", row_group_font_weight="600", data_row_padding="4px",
        source_notes_font_size="13px", table_margin_left="0", stub_border_style="none",
        container_overflow_y="visible", data_row_padding_horizontal="8px",
        column_labels_padding_horizontal="8px", row_group_padding="4px",
    )  # fmt: skip
    return _tidy(gt.as_raw_html(), table)


def _unbroken(cell: str) -> str:
    """An interval, or a number with its bracket, kept on one line."""
    cell = re.sub(r"(?<=[\d.∞]) to (?=[−\d])", "\u00a0to\u00a0", cell)
    return re.sub(r"(?<=[\d.]) \((?=[−\d])", "\u00a0(", cell) if len(cell) <= 18 else cell


def _tidy(text: str, table: Table) -> str:
    """Mend what great_tables leaves: rules that leak out of their table, an unmarked mark."""
    name = f"#table-{table.name}"
    text = text.replace(
        f"{name} thead, tbody, tfoot, tr, td, th {{",
        f"{name} :is(thead, tbody, tfoot, tr, td, th) {{",
    ).replace("\n tr { background-color", f"\n{name} tr {{ background-color")
    text = text.replace(
        "</style>", f"{name} .gt_subtitle {{ color: #B34700; font-weight: 600; }}\n"
        f"{name} .gt_empty_group_heading {{ display: none; }}\n"
        f"{name} .gt_right {{ font-variant-numeric: tabular-nums; }}\n</style>", 1
    )  # fmt: skip
    return text.replace(f'<div id="{name[1:]}"', f'<div id="{name[1:]}" tabindex="0"', 1)


def _plain(table: Table) -> str:
    """The table as text, for a terminal."""
    frame = pd.DataFrame(table.cells(), columns=table.headers)
    head = f"{table.title} ({MARK})" if table.synthetic else table.title
    return "\n".join([head, frame.to_string(index=False), *table.notes])
