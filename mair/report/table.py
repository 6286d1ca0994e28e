"""Tables: one `Table`, shown as HTML and written as data (csv) and for Word (docx).

The reader's table is text, the csv the same table as numbers at full precision. All three are
made from one object, so they cannot disagree. Most tables are pivots of rows: `pivot` takes
what stands in each line and each column, and looks the statistics up.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from html import escape
from itertools import groupby
from pathlib import Path

import pandas as pd
import yaml

from mair import results
from mair.report import fmt
from mair.report.fmt import absent

OPEN, CLOSE = "\ue000", "\ue001"  # around an invented cell, until great_tables has escaped it
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
    keys : tuple, optional
        For each row and each column of `display` the keys of the ``rows`` of ``results.csv`` that
        its cell shows: from them follows which cells are a synthetic cohort's own.
    rows : DataFrame, optional
    cohort : bool
        False where, without keys, no cell speaks of participants.

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
    keys: tuple[tuple[tuple, ...], ...] = ()
    rows: pd.DataFrame | None = None
    cohort: bool = True

    def __post_init__(self):
        stem(self.name)
        columns = list(self.display.columns)
        doubled = self.display.columns[self.display.columns.duplicated()]
        if len(doubled):
            raise ValueError(f"table {self.name}: two columns {doubled[0]!r}")
        starts = [group for group, _ in self.blocks()]
        if len(set(starts)) < len(starts):
            raise ValueError(f"table {self.name}: the rows of a group do not stand together")
        for label, over in (self.spanners or {}).items():
            at = [columns.index(name) if name in columns else -1 for name in over]
            if not at or -1 in at or 0 in at or at != list(range(at[0], at[0] + len(at))):
                raise ValueError(f"table {self.name}: spanner {label!r} needs neighbouring "
                                 f"columns of the table, not {list(over)}")

    @property
    def headers(self) -> list[str]:
        """The headers as shown."""
        return [str(name).rsplit("::", 1)[-1] for name in self.display.columns]

    def cells(self) -> list[list[str]]:
        """The display as lists of strings; missing cells are empty."""
        return [["" if absent(cell) else str(cell).replace(">=", "≥") for cell in row]
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


@dataclass(frozen=True)
class Line:
    """One line of a pivot.

    Parameters
    ----------
    stub : str, or dict of str -> str
        Text of the first column, or of the leading columns by their heads.
    keys : dict of str -> str
        Key fields of ``results.csv`` that the line's statistics share. Further fields may be
        named for columns whose keys follow the line; they stand in the data, too.
    group : str
        The heading that the line stands under; lines of one group stand together.
    digits : int
        Decimals of the line's means: one on a scale of whole numbers.
    """

    stub: str | dict[str, str]
    keys: dict[str, str]
    group: str = ""
    digits: int = 2


@dataclass(frozen=True)
class Column:
    """One column of a pivot.

    Parameters
    ----------
    head : str
        Its header, unique; only what follows the last ``::`` is shown.
    statistics : tuple of str
        Looked up under the line's keys and the column's together.
    show : callable
        Takes the statistics by position, nan where empty or absent, and gives the text; where
        a mean is among them, the line's `digits` too.
    keys : dict, or callable of the Line giving one
        Key fields of ``results.csv``.
    data : str
        Prefix of the data columns, ``<data>_<statistic>``; default, the arm, or the method of
        a difference, where `keys` names one.
    """

    head: str
    statistics: tuple[str, ...]
    show: Callable[..., str]
    keys: dict[str, str] | Callable[[Line], dict[str, str]] = field(default_factory=dict)
    data: str = ""

    def wanted(self, line: Line) -> list[tuple[str, ...]]:
        """The whole keys of the column's statistics in one line."""
        keys = line.keys | (self.keys(line) if callable(self.keys) else self.keys)
        first = [keys.get(name, "") for name in results.KEYS[:-1]]
        return [(*first, statistic) for statistic in self.statistics]

    def prefix(self) -> str:
        """What the names of the data columns begin with."""
        keys = {} if callable(self.keys) else self.keys
        arm = keys.get("arm", "")
        found = self.data or (keys.get("method", "") if arm in ("", "difference") else arm)
        return f"{found}_" if found else ""


@cache
def wordings() -> dict[str, dict]:
    """``tables.yaml``."""
    return yaml.safe_load(Path(__file__).with_name("tables.yaml").read_text("utf-8"))


def worded(key: str, name: str = "", **values) -> dict:
    """A table's name, title, head and notes (``tables.yaml``), with `values` filled in.

    A note that comes out empty is left out.

    Examples
    --------
    >>> worded("ratios", "biomarkers_ratios", section="Biomarkers", treatment="A", control="B")[
    ...     "title"]
    'Biomarkers on the ln scale, as ratios'
    """
    said = wordings()[key]
    notes = tuple(filter(None, (note.format(**values) for note in said.get("notes", ()))))
    return {"name": name or key, "title": said["title"].format(**values), "notes": notes,
            **({"head": said["head"]} if "head" in said else {})}


def pivot(rows, lines, columns, *, name, title, notes=(), spanners=None, head="") -> Table:
    """A table of statistics: what stands in each line, and in each column.

    A cell is blank where none of its statistics has a row. The data hold one line each: its key
    fields but for ``analysis``, then every statistic at full precision.

    Parameters
    ----------
    rows : DataFrame
        Columns of ``results.csv``.
    lines : iterable of Line
    columns : iterable of Column
    name, title, notes, spanners
        As of `Table`.
    head : str
        Header of the first column where the lines' stubs are plain text.

    Returns
    -------
    Table

    Raises
    ------
    ValueError
        Two columns that would give different statistics under one name of the data.

    Examples
    --------
    >>> rows = results.Rows("outcomes")
    >>> rows.add("FIQ", "RT", "post", "described", mean=61.2233, sd=25.897)
    >>> table = pivot(
    ...     rows.frame(),
    ...     [Line("post", {"analysis": "outcomes", "variable": "FIQ", "time": "post"})],
    ...     [Column("RT", ("mean", "sd"), "{:.1f} ({:.1f})".format,
    ...             {"arm": "RT", "method": "described"})],
    ...     name="example", title="Means (SD)", head="Visit")
    >>> table.cells(), list(table.data)
    ([['post', '61.2 (25.9)']], ['variable', 'time', 'RT_mean', 'RT_sd'])
    """
    lines, columns = list(lines), list(columns)
    values = dict(zip(rows[results.KEYS].itertuples(index=False, name=None), rows["value"],
                      strict=True))
    stubs = [head] if not lines or isinstance(lines[0].stub, str) else list(lines[0].stub)
    display, data, keys = [], [], []
    for line in lines:
        texts, numbers, own = _looked_up(values, line, columns, name)
        display.append(dict(zip(stubs, [line.stub] if isinstance(line.stub, str) else
                                line.stub.values(), strict=True)) | texts)
        data.append({k: v for k, v in line.keys.items() if k != "analysis"} | numbers)
        keys.append((*[()] * len(stubs), *own))
    groups = [line.group for line in lines]
    display = pd.DataFrame(display, columns=[*stubs, *(column.head for column in columns)])
    return Table(name, title, display, pd.DataFrame(data), tuple(notes),
                 pd.Series(groups) if any(groups) else None, spanners, tuple(keys), rows)


def _looked_up(values: dict, line: Line, columns, name: str) -> tuple[dict, dict, list]:
    """Texts by header, numbers by name of the data, and the keys of each column, of one line."""
    texts, numbers, origin, own = {}, {}, {}, []
    for column in columns:
        wanted = column.wanted(line)
        found = [math.nan if values.get(key) is None else values[key] for key in wanted]
        own.append(tuple(key for key in wanted if key in values))
        means = {"digits": line.digits} if "mean" in column.statistics else {}
        texts[column.head] = column.show(*found, **means) if own[-1] else ""
        for key, value in zip(wanted, found, strict=True):
            label = column.prefix() + key[-1]
            if origin.setdefault(label, key) != key:
                raise ValueError(f"table {name}: {label} of the data would be both "
                                 f"{origin[label]} and {key}")
            numbers[label] = value
    return texts, numbers, own


def csv(table: Table) -> bytes:
    """The table's data: UTF-8, full precision, missing values empty."""
    data = table.data.map(_cell)
    data.columns = data.columns.map(results.harmless)
    return data.to_csv(index=False, lineterminator="\n").encode("utf-8")


def _cell(value) -> str:
    """A value as in ``results.csv``; text stays."""
    if isinstance(value, str):
        return results.harmless(value)
    return "" if absent(value) else results.text(value)


def html(table: Table, synthetic=False, origins=None) -> str:
    """The great_tables HTML, equal on every call; marked where `synthetic`.

    ``origins``, as `mair.published.provenance.kinds` gives them, set invented cells apart: class
    ``invented``, and their extremes over agreeing cohorts as a title.
    """
    from great_tables import GT
    from great_tables import html as raw

    def text(label):  # in which braces would be units
        return raw(escape(label).replace("{", "&#123;"))

    cells = [[unbroken(cell) for cell in row] for row in table.cells()]
    for row, keys in zip(cells, table.keys if origins else (), strict=False):
        row[:] = [_invented(cell, [origins[key] for key in own]) for cell, own in
                  zip(row, keys, strict=True)]
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
    for label, over in (table.spanners or {}).items():
        gt = gt.tab_spanner(text(label), columns=list(over), id=label)
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
    )
    return _tidy(gt.as_raw_html(), table)


def _invented(cell: str, origins: list) -> str:
    """A cell set apart where one of its statistics is the generator's choice."""
    ranges = [f"{fmt.number(one.low)} to {fmt.number(one.high)}" for one in origins
              if one.kind == "invented" and one.low < one.high]
    if not re.search(r"\d", cell) or all(one.kind != "invented" for one in origins):
        return cell
    title = "over agreeing cohorts " + "; ".join(ranges) if ranges else ""
    return f"{OPEN}{title}>{cell}{CLOSE}"


def unbroken(cell: str) -> str:
    """An interval, or a number with its bracket, kept on one line."""
    cell = re.sub(r"(?<=[\d.∞]) to (?=[−\d])", "\u00a0to\u00a0", cell)
    return re.sub(r"(?<=[\d.]) \((?=[−\d])", "\u00a0(", cell) if len(cell) <= 18 else cell


def _tidy(text: str, table: Table) -> str:
    """Mend what great_tables leaves: rules that leak out of their table, an unmarked mark."""
    name = f"#table-{table.name}"
    text = re.sub(f"{OPEN}(.*?)&gt;(.*?){CLOSE}",
                  r'<span class="invented" title="\1">\2</span>', text)
    text = text.replace(
        f"{name} thead, tbody, tfoot, tr, td, th {{",
        f"{name} :is(thead, tbody, tfoot, tr, td, th) {{",
    ).replace("\n tr { background-color", f"\n{name} tr {{ background-color")
    text = text.replace(
        "</style>", f"{name} .gt_subtitle {{ color: #B34700; font-weight: 600; }}\n"
        f"{name} .invented {{ color: #6B6B6B; font-style: italic; }}\n"
        f"{name} .gt_empty_group_heading {{ display: none; }}\n"
        f"{name} .gt_right {{ font-variant-numeric: tabular-nums; }}\n</style>", 1
    )
    return text.replace(f'<div id="{name[1:]}"', f'<div id="{name[1:]}" '
                        'class="tex2jax_ignore" tabindex="0"', 1)  # JupyterLab sets no formula


def plain(table: Table, synthetic=False) -> str:
    """The table as text, for a terminal."""
    frame = pd.DataFrame(table.cells(), columns=table.headers)
    head = f"{table.title} ({MARK})" if synthetic else table.title
    return "\n".join([head, frame.to_string(index=False), *table.notes])
