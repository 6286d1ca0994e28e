"""Data files of five formats as one kind of table: cells, and labels of codes.

A cell is None (missing), text, a number or a bool. Text is trimmed; empty and
whitespace-only text is missing. ``NA``, ``NaN`` and ``.`` are missing in columns of
numbers and answers in columns of text, so nothing is converted before a column's use
is known.
"""

from __future__ import annotations

import csv
import io
import math
import re
import warnings
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path

from mair.trial.errors import NUMBER, TrialError, display, listed

NOT_A_NUMBER = frozenset({"na", "nan", "."})
_WHOLE = re.compile(r"(-?\d+)\.0+")


def text_of(cell) -> str | None:
    """A cell as text: ``7``, ``7.0`` and ``"7.0"`` are all ``"7"``; a bool is yes or no."""
    if cell is None or isinstance(cell, bool):
        return {None: None, True: "yes", False: "no"}[cell]
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    whole = _WHOLE.fullmatch(str(cell))
    return whole[1] if whole else str(cell)


def number_of(cell) -> float:
    """A cell as a float, nan where it is missing; ValueError where it is no finite number."""
    if cell is None or (isinstance(cell, str) and cell.casefold() in NOT_A_NUMBER):
        return math.nan
    wrong = not NUMBER.fullmatch(cell) if isinstance(cell, str) else isinstance(cell, bool)
    if wrong or not math.isfinite(value := float(cell)):
        raise ValueError(cell)
    return value


@dataclass(frozen=True)
class Column:
    """One column: its cells, and the labels of its codes (by the code's text)."""

    cells: list
    labels: dict[str, str] = field(default_factory=dict)

    @cached_property
    def numbers(self) -> list[float]:
        """Cells as numbers; empty unless all are numbers or missing, and one is a number."""
        try:
            values = [number_of(cell) for cell in self.cells]
        except ValueError:
            return []
        return values if any(value == value for value in values) else []

    @cached_property
    def codes(self) -> dict[str, str]:
        """Codes by their label."""
        return {label: code for code, label in self.labels.items()}

    @cached_property
    def labelled(self) -> bool:
        """Whether every code that occurs has a label (a scale may label its ends only)."""
        return set() < {*map(text_of, self.cells)} - {None} <= set(self.labels)

    @cached_property
    def texts(self) -> list[str | None]:
        """Cells as text, labels for codes; in a column of numbers ``NA`` is missing."""
        texts = [self.labels.get(text, text) for text in map(text_of, self.cells)]
        return [t if n == n else None for t, n in zip(texts, self.numbers or texts, strict=True)]


@dataclass(frozen=True)
class Table:
    """A data file as read."""

    path: Path
    columns: dict[str, Column]
    rows: list[int]  # each row's number as the file's own programme shows it


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
    if kind not in _READERS:
        raise TrialError(f"{name}: {kind or 'no ending'}, expected {listed(_READERS)}")
    if not path.is_file():
        raise TrialError(f"{name}: no such file, expected the trial's data")
    try:
        table = _READERS[kind](path)
    except TrialError:
        raise
    except Exception as error:  # parsers raise anything at all on a broken file
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise TrialError(f"{name}: cannot be read as {kind} ({why})") from error
    if not table.rows:
        raise TrialError(f"{name}: no row below the column names, expected participants")
    return table


def _clean(cell):
    """A cell of any reader as None, text, a number or a bool; dates are ISO text."""
    if isinstance(cell, float):
        return None if math.isnan(cell) else cell
    if cell is None or isinstance(cell, (bool, int)):
        return cell
    if not isinstance(cell, str):
        try:  # decimals, numpy's and Arrow's numbers
            return _clean(float(cell))
        except (TypeError, ValueError):
            cell = str(cell).removesuffix(" 00:00:00")
    return cell.strip() or None


def _table(path: Path, names: list, columns: list[list], rows: list[int], labels=None) -> Table:
    """A table of clean cells; columns without a name are left out."""
    names = [text_of(_clean(name)) for name in names]
    if twice := [name for i, name in enumerate(names) if name and name in names[:i]]:
        raise TrialError([f"{display(path)}: column {name} stands twice, expected each name once"
                          for name in twice])
    found = {name: Column(cells, (labels or {}).get(name, {}))
             for name, cells in zip(names, columns, strict=True) if name}
    return Table(path, found, rows)


def _grid(path: Path, lines: list[tuple[int, list]]) -> Table:
    """A table from numbered lines of cells, the names in the first; empty lines are left out."""
    lines = [(row, [_clean(cell) for cell in cells]) for row, cells in lines]
    lines = [(row, cells) for row, cells in lines if any(cell is not None for cell in cells)]
    if not lines:
        raise TrialError(f"{display(path)}: the file is empty, expected column names and rows")
    (_, header), *body = lines
    width = len(header)
    if long := [f"{display(path)}: row {row}: {len(cells)} cells, expected {width}"
                for row, cells in body if {*cells[width:]} - {None}]:
        raise TrialError(long)
    columns = [list(cells) for _, *cells in zip_longest(header, *(c[:width] for _, c in body))]
    return _table(path, header, columns, [row for row, _ in body])


def _csv(path: Path) -> Table:
    text = path.read_text(encoding="utf-8-sig")
    if "\0" in text:
        raise TrialError(f"{display(path)}: holds binary data, expected comma-separated text")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = [(reader.line_num, cells) for cells in reader]
    head = text.strip().partition("\n")[0]
    mark = max(";\t|", key=head.count)
    if head.count(mark) > head.count(","):
        raise TrialError(f"{display(path)}: columns are separated by {mark!r}, expected commas")
    return _grid(path, lines)


def _xlsx(path: Path) -> Table:
    import openpyxl

    with warnings.catch_warnings(record=True):  # styles and validations, which hold no values
        book = openpyxl.load_workbook(path, data_only=True)
    lines = [(i, list(cells)) for i, cells in enumerate(book.worksheets[0].values, 1)]
    book.close()
    return _grid(path, lines)


def _labelled(path: Path) -> Table:
    """SPSS and Stata: codes stay codes, labels stand beside them, user-missing is missing."""
    import pyreadstat

    reader = pyreadstat.read_sav if path.suffix.lower() == ".sav" else pyreadstat.read_dta
    data, meta = reader(str(path), output_format="dict", disable_datetime_conversion=True)
    labels = {
        name.strip(): {text_of(_clean(code)): label.strip() for code, label in labels.items()}
        for name, labels in meta.variable_value_labels.items()}
    columns = [[_clean(cell) for cell in data[name]] for name in meta.column_names]
    rows = list(range(1, len(columns[0]) + 1)) if columns else []
    return _table(path, meta.column_names, columns, rows, labels)


def _parquet(path: Path) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    columns = [[_clean(cell) for cell in values.to_pylist()] for values in table.columns]
    labels = {
        name.strip(): {text: text for text in map(text_of, cells) if text is not None}
        for name, cells, values in zip(table.column_names, columns, table.columns, strict=True)
        if pa.types.is_dictionary(values.type)}
    return _table(path, table.column_names, columns, list(range(1, table.num_rows + 1)), labels)


_READERS = {".csv": _csv, ".xlsx": _xlsx, ".sav": _labelled, ".dta": _labelled,
            ".parquet": _parquet}
