"""Data files of five formats as one kind of table: cells, and labels of codes.

A cell is None (missing), text, a number or a bool. Text is trimmed; empty and
whitespace-only text is missing. ``NA``, ``NaN`` and ``.`` are missing in columns of
numbers and answers in columns of text, so nothing is converted before a column's use
is known.
"""

from __future__ import annotations

import csv
import math
import re
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from mair.trial.errors import TrialError, display, listed

FORMATS = (".csv", ".xlsx", ".sav", ".dta", ".parquet")
NOT_A_NUMBER = frozenset({"na", "nan", "."})
YES_NO = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")
_WHOLE = re.compile(r"(-?\d+)\.0+")


def text_of(cell) -> str | None:
    """A cell as text: ``7``, ``7.0`` and ``"7.0"`` are all ``"7"``; a bool is yes or no."""
    if cell is None:
        return None
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, str):
        whole = _WHOLE.fullmatch(cell)
        return whole[1] if whole else cell
    return str(cell)


def number_of(cell) -> float | None:
    """A cell as a float, nan where it is missing, None where it is not a finite number."""
    if cell is None:
        return math.nan
    if isinstance(cell, bool):
        return None
    if isinstance(cell, str):
        if cell.casefold() in NOT_A_NUMBER:
            return math.nan
        if not _NUMBER.fullmatch(cell):
            return None
    value = float(cell)
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Column:
    """One column: its cells, and the labels of its codes (by the code's text, in code order)."""

    name: str
    cells: list
    labels: dict[str, str] = field(default_factory=dict)

    @cached_property
    def numeric(self) -> bool:
        """Whether all cells are numbers or missing, and at least one is a number."""
        values = [number_of(cell) for cell in self.cells]
        return None not in values and any(value == value for value in values)

    @cached_property
    def labelled(self) -> bool:
        """Whether every code that occurs has a label (a scale may label its ends only)."""
        codes = {text_of(cell) for cell in self.cells} - {None}
        return bool(codes) and bool(self.labels) and codes <= set(self.labels)

    @cached_property
    def texts(self) -> list[str | None]:
        """Cells as text, labels for codes; in a column of numbers ``NA`` is missing."""
        if self.numeric:
            cells = [c if number_of(c) == number_of(c) else None for c in self.cells]
        else:
            cells = self.cells
        return [self.labels.get(text, text) for text in map(text_of, cells)]


@dataclass(frozen=True)
class Table:
    """A data file as read."""

    path: Path
    columns: dict[str, Column]
    rows: list[int]  # each row's number as the file's own programme shows it

    def __len__(self) -> int:
        return len(self.rows)


def read(path: Path) -> Table:
    """Read a data file.

    Parameters
    ----------
    path : Path
        Ending in .csv, .xlsx (first sheet), .sav, .dta or .parquet.

    Returns
    -------
    Table

    Raises
    ------
    TrialError
        No such file, another format, a file that cannot be read, no row, or a column
        name that stands twice.
    """
    name, kind = display(path), path.suffix.lower()
    if kind not in FORMATS:
        raise TrialError([f"{name}: {kind or 'no ending'}, expected {listed(FORMATS)}"])
    if not path.is_file():
        raise TrialError([f"{name}: no such file, expected the trial's data"])
    if path.stat().st_size == 0:
        raise TrialError([f"{name}: the file is empty, expected one line of column names and rows"])
    try:
        table = _READERS[kind](path)
    except TrialError:
        raise
    except Exception as error:  # parsers raise anything at all on a broken file
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrialError([f"{name}: cannot be read as {kind} ({why})"]) from error
    if not table.rows:
        raise TrialError([f"{name}: no row below the column names, expected participants"])
    return table


def _clean(cell):
    """A cell of any reader as None, text, a number or a bool."""
    if cell is None or isinstance(cell, (bool, int)):
        return cell
    if isinstance(cell, float):
        return None if math.isnan(cell) else cell
    if not isinstance(cell, str):
        try:  # decimals, numpy's and Arrow's numbers
            return _clean(float(cell))
        except (TypeError, ValueError):
            cell = str(cell)  # dates
    return cell.strip() or None


def _grid(path: Path, header: list, lines: list[tuple[int, list]]) -> Table:
    """A table from a line of names and numbered lines of cells; empty lines are left out."""
    file, problems = display(path), []
    names = [text_of(_clean(name)) for name in header]
    for i, name in enumerate(names):
        if name is not None and name in names[:i]:
            problems.append(f"{file}: column {name} stands twice, expected each name once")
    kept = []
    for row, cells in lines:
        cells = [_clean(cell) for cell in cells]
        if all(cell is None for cell in cells):
            continue
        beyond = [cell for cell in cells[len(names) :] if cell is not None]
        if beyond:
            problems.append(f"{file}: row {row}: {len(cells)} cells, expected {len(names)}")
        kept.append((row, cells + [None] * (len(names) - len(cells))))
    if problems:
        raise TrialError(problems)
    columns = {
        name: Column(name, [cells[i] for _, cells in kept])
        for i, name in enumerate(names)
        if name is not None
    }
    return Table(path, columns, [row for row, _ in kept])


def _csv(path: Path) -> Table:
    file = display(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TrialError(
            [f"{file}: byte {error.start} is not UTF-8, expected a CSV file saved as UTF-8"]
        ) from error
    if "\0" in text:
        raise TrialError([f"{file}: holds binary data, expected comma-separated text"])
    reader = csv.reader(text.splitlines(keepends=True), strict=True)
    lines, last = [], 0
    for cells in reader:
        lines.append((last + 1, cells))
        last = reader.line_num
    lines = [(row, cells) for row, cells in lines if any(cell.strip() for cell in cells)]
    if not lines:
        raise TrialError([f"{file}: the file is empty, expected column names and rows"])
    header = lines[0][1]
    if len(header) == 1 and re.search(r"[;\t|]", header[0]):
        mark = re.search(r"[;\t|]", header[0])[0]
        raise TrialError([f"{file}: columns are separated by {mark!r}, expected commas"])
    return _grid(path, header, lines[1:])


def _xlsx(path: Path) -> Table:
    import openpyxl

    with warnings.catch_warnings(record=True):  # styles and validations, which hold no values
        book = openpyxl.load_workbook(path, data_only=True)
    sheet = book.worksheets[0]
    lines = [(i, list(cells)) for i, cells in enumerate(sheet.iter_rows(values_only=True), 1)]
    book.close()
    lines = [(row, cells) for row, cells in lines if any(_clean(c) is not None for c in cells)]
    if not lines:
        raise TrialError([f"{display(path)}: the first sheet is empty, expected names and rows"])
    return _grid(path, lines[0][1], lines[1:])


def _labelled(path: Path) -> Table:
    """SPSS and Stata: codes stay codes, labels stand beside them, user-missing is missing."""
    import pyreadstat

    reader = pyreadstat.read_sav if path.suffix.lower() == ".sav" else pyreadstat.read_dta
    data, meta = reader(str(path), output_format="dict", disable_datetime_conversion=True)
    columns = {}
    for name in meta.column_names:
        labels = meta.variable_value_labels.get(name, {})
        # sorted by code: the order in the file is that of the programme that wrote it
        ordered = sorted(labels, key=lambda c: (isinstance(c, str), c))
        columns[name.strip()] = Column(
            name.strip(),
            [_clean(cell) for cell in data[name]],
            {text_of(_clean(code)): labels[code].strip() for code in ordered},
        )
    n = len(next(iter(columns.values())).cells) if columns else 0
    return Table(path, columns, list(range(1, n + 1)))


def _parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns, table = {}, pq.read_table(path)
    for name, values in zip(table.column_names, table.columns, strict=True):
        labels = {}
        if pa.types.is_dictionary(values.type) and values.type.ordered and values.num_chunks:
            levels = [text_of(_clean(v)) for v in values.chunk(0).dictionary.to_pylist()]
            labels = {level: level for level in levels}
        columns[name.strip()] = Column(
            name.strip(), [_clean(cell) for cell in values.to_pylist()], labels
        )
    return Table(path, columns, list(range(1, table.num_rows + 1)))


_READERS = {
    ".csv": _csv,
    ".xlsx": _xlsx,
    ".sav": _labelled,
    ".dta": _labelled,
    ".parquet": _parquet,
}
