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
from functools import cache, partial
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
    more : dict of str -> str
        Fields for columns whose keys follow the line that do not stand in the data.
    """

    stub: str | dict[str, str]
    keys: dict[str, str]
    group: str = ""
    digits: int = 2
    more: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Column:
    """One column of a pivot.

    Parameters
    ----------
    head : str
        Its header, unique; what precedes the last ``::`` is shown over it and its neighbours.
    statistics : tuple of str
        Looked up under the line's keys and the column's together.
    show : callable
        Takes the statistics by position, nan where empty or absent, and gives the text; where
        a mean is among them, the line's `digits` too.
    keys : dict
        Key fields of ``results.csv``; ``{braces}`` are filled from `said` and the line's fields.
    data : str
        Prefix of the data columns, ``<data>_<statistic>``.
    said : dict
    """

    head: str
    statistics: tuple[str, ...]
    show: Callable[..., str]
    keys: dict[str, str] = field(default_factory=dict)
    data: str = ""
    said: dict = field(default_factory=dict)

    def wanted(self, line: Line) -> dict[str, tuple[str, ...]]:
        """The whole keys of the column's statistics in one line, by their names in the data."""
        fields = self.said | line.keys | line.more
        keys = line.keys | {key: text.format(**fields) for key, text in self.keys.items()}
        first = [keys.get(name, "") for name in results.KEYS[:-1]]
        return {f"{self.data}_{one}".lstrip("_"): (*first, one) for one in self.statistics}


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


def columns(key: str, **values) -> list[Column]:
    """The columns of a table (``tables.yaml``), with `values` filled in.

    Raises
    ------
    KeyError
        A list, number or text that a declaration names and `values` has not.
    """
    found = []
    for block in wordings()[key]["columns"]:
        for own in values[block["each"]] if "each" in block else [{}]:
            said = values | own
            found += [Column(head.format(**said), tuple(of.format(**said).split()),
                             _format(show, values), block.get("keys", {}) | dict(*keys),
                             block.get("data", "").format(**said), said)
                      for head, of, show, *keys in block["are"]]
    return found


def _format(show, values) -> Callable[..., str]:
    """A format of `mair.report.fmt` or of `values` by name, with what it is given; a template."""
    if "{" in show:
        return partial(fmt.TEMPLATE.format, show)
    (name, given), = show.items() if isinstance(show, dict) else [(show, {})]
    return partial(getattr(fmt, name, values.get(name)), **given)


def sides(trial) -> dict:
    """What declarations may name of every trial: its arms, the confidence, the primary outcome."""
    label = {arm: trial.labels[arm] if arm.isdecimal() else arm for arm in trial.arms}
    arms = [{"arm": arm, "label": said, "heading": f"{said} (n = {trial.n(arm)})"}
            for arm, said in label.items()]
    percent = 100 * trial.analysis.confidence
    return {"arms": arms, "everybody": [*arms, {"arm": "overall",
                                                "heading": f"Overall (n = {trial.n()})"}],
            "treatment": label[trial.treatment], "control": label[trial.control],
            "percent": percent, "ci": f"{percent:g}% CI",
            "primary": trial.primary.name if trial.primary else ""}


def declared(trial, rows, lines, key: str, name: str = "", **values) -> Table | None:
    """A table that ``tables.yaml`` declares; None without lines.

    Parameters
    ----------
    trial : Trial
    rows : DataFrame
        Columns of ``results.csv``.
    lines : iterable of Line
    key : str
        Of the declaration.
    name : str
        Of the table, where it is not the declaration's.
    **values
        What the declaration names besides `sides`.
    """
    values, lines = sides(trial) | values, list(lines)
    return pivot(rows, lines, columns(key, **values),
                 **worded(key, name, **values)) if lines else None


def pivot(rows, lines, columns, *, head="", **worded) -> Table:
    """A table of statistics: what stands in each line, and in each column.

    A cell is blank where none of its statistics has a row. The data hold one line each: its key
    fields but for ``analysis``, then every statistic at full precision.

    Parameters
    ----------
    rows : DataFrame
        Columns of ``results.csv``.
    lines : list of Line
    columns : list of Column
    head : str
        Header of the first column where the lines' stubs are plain text.
    **worded
        ``name``, ``title`` and ``notes`` of `Table`.

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
    ...     [Column("RT", ("mean", "sd"), fmt.mean_sd, {"arm": "RT", "method": "described"}, "RT")],
    ...     name="example", title="Means (SD)", head="Visit")
    >>> table.cells(), list(table.data)
    ([['post', '61.22 (25.90)']], ['variable', 'time', 'RT_mean', 'RT_sd'])
    """
    values = dict(zip(rows[results.KEYS].itertuples(index=False, name=None),
                      pd.to_numeric(rows["value"]), strict=True))
    display, data, shown = [], [], []
    for line in lines:
        texts = dict(line.stub) if isinstance(line.stub, dict) else {head: line.stub}
        wanted, keys = {}, [()] * len(texts)
        for column in columns:
            own = column.wanted(line)
            if twice := [one for one in own if wanted.get(one, own[one]) != own[one]]:
                raise ValueError(f"{worded['name']}: {twice[0]} of the data would be both "
                                 f"{wanted[twice[0]]} and {own[twice[0]]}")
            wanted |= own
            keys.append(tuple(key for key in own.values() if key in values))
            found = [values.get(key, math.nan) for key in own.values()]
            means = {"digits": line.digits} if "mean" in column.statistics else {}
            texts[column.head] = column.show(*found, **means) if keys[-1] else ""
        display.append(texts)
        data.append({key: text for key, text in line.keys.items() if key != "analysis"}
                    | {name: values.get(key, math.nan) for name, key in wanted.items()})
        shown.append(tuple(keys))
    groups = [line.group for line in lines]
    return Table(display=pd.DataFrame(display), data=pd.DataFrame(data), keys=tuple(shown),
                 groups=pd.Series(groups) if any(groups) else None, rows=rows, **worded)


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
    for label, over in table.spanners.items():
        gt = gt.tab_spanner(text(label), columns=over, id=label)
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
