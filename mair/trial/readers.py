"""The readers of data files, one a format, and what each infers of a file where `read` is silent.

A file is read once, as bytes; what is far larger than the data of a trial is refused before it
is unpacked.
"""

from __future__ import annotations

import csv
import io
import math
import re
import warnings
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from mair.trial.errors import TrialError, display, refused, regular, said
from mair.trial.schema import Read
from mair.trial.tables import Column, Table, text_of

MOST_BYTES = 200_000_000  # of a data file, packed and unpacked
MOST_CELLS = 20_000_000
_MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def read(path: Path, how: Read | None = None) -> Table:
    """Read a data file.

    Parameters
    ----------
    path : Path
        Ending in .csv, .tsv, .xlsx, .sav, .dta or .parquet.
    how : Read, optional
        What the trial file says of it: ``sheet``, ``header`` and ``encoding`` are used here.

    Returns
    -------
    Table

    Raises
    ------
    TrialError
        No such file, another format, a file that cannot be read, no row, or a column
        name that stands twice.
    """
    kind = path.suffix.lower()
    if kind not in _READERS:
        raise refused(path, "format", kind or "no ending", _READERS)
    regular(path, MOST_BYTES, "the trial's data")
    try:
        table = _READERS[kind](path, how or Read())
    except TrialError:
        raise
    except Exception as error:  # parsers raise anything at all on a broken file
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise refused(path, "broken", kind, why) from error
    if not table.rows:
        raise refused(path, "no rows")
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


def _table(path: Path, names: list, columns: list[list], rows: list[int], labels=None,
           notices=()) -> Table:
    """A table of clean cells; columns without a name are left out."""
    names = [text_of(_clean(name)) for name in names]
    if twice := [name for i, name in enumerate(names) if name and name in names[:i]]:
        raise TrialError([f"{display(path)}: {said('column twice', name)}" for name in twice])
    found = {name: Column(cells, (labels or {}).get(name, {}))
             for name, cells in zip(names, columns, strict=True) if name}
    return Table(path, found, rows, list(notices))


def _grid(path: Path, lines: list[tuple[int, list]], how: Read, notices: list[str],
          whole: bool = False) -> Table:
    """A table from numbered lines of cells, the names in the first below a title.

    Empty lines, titles above, footnotes below and the two further heads of Qualtrics are left
    out. ``whole``: each line has as many cells as the head.
    """
    lines = [(row, [_clean(cell) for cell in cells]) for row, cells in lines]
    lines = [(row, cells) for row, cells in lines if _held(cells)]
    if not lines:
        raise refused(path, "empty table")
    most = max(len(_held(cells)) for _, cells in lines)
    for end, what in ((0, "a title"), (-1, "a footnote")):
        while most > 2 and len(only := _held(lines[end][1])) == 1 and (
                what == "a title" or " " in str(only[0])):
            row, _ = lines.pop(end)
            notices.append(said("line aside", row, text_of(only[0]), what))
    header = _joined([cells for _, cells in lines[:how.header]])
    body = lines[how.header:]
    if len(body) > 1 and str(body[1][1][0]).startswith('{"ImportId"'):
        notices.append(said("heads of Qualtrics", body[0][0], body[1][0]))
        body = body[2:]
    width = len(header)
    least = max((i for i, name in enumerate(header, 1) if name), default=0)
    wrong = [said("width", row, len(cells), width) for row, cells in body
             if _held(cells[width:]) or (whole and len(cells) < least)]
    if wrong:
        wrong[10:] = [said("more such rows", len(wrong))] * (len(wrong) > 10)
        raise TrialError([f"{display(path)}: {line}" for line in wrong])
    columns = [[cells[i] if i < len(cells) else None for _, cells in body] for i in range(width)]
    return _table(path, header, columns, [row for row, _ in body], notices=notices)


def _held(cells: list) -> list:
    return [cell for cell in cells if cell is not None]


def _joined(heads: list[list]) -> list:
    """Column names from heads one above the other; an upper name reaches over empty cells."""
    names = pd.DataFrame(heads, dtype=object).map(text_of)
    names.iloc[:-1] = names.iloc[:-1].ffill(axis=1)
    return [" ".join(names[i].dropna()) or None for i in names]


def _text(path: Path, encoding: str | None) -> tuple[str, list[str]]:
    """A text file decoded, and a notice where its encoding was inferred."""
    content = path.read_bytes()
    known = encoding or next((e for bom, e in _BOMS.items() if content.startswith(bom)), "utf-8")
    for name in dict.fromkeys((known, encoding or "cp1252")):
        try:
            text = content.decode(name)
        except (UnicodeDecodeError, LookupError):
            continue
        return text, [f"read as {name}"] * (encoding is None and name in ("cp1252", "utf-16"))
    raise refused(path, "encoding", encoding or "UTF-8 or cp1252")


def _csv(path: Path, how: Read) -> Table:
    text, notices = _text(path, how.encoding)
    if "\0" in text:
        raise refused(path, "binary")
    lines, mark = text.splitlines()[:200], ","
    if path.suffix.lower() == ".tsv":
        mark = "\t"
    elif lines:
        mark = max(_MARKS, key=lambda one: _evenness(lines, one))
        notices += [said("separator", _MARKS[mark])] * (mark != ",")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True)
    return _grid(path, [(reader.line_num, cells) for cells in reader], how, notices, whole=True)


def _evenness(lines: list[str], mark: str) -> tuple[float, int]:
    """How even a separator makes the lines: the share of the commonest width, and that width."""
    widths = [len(cells) for cells in csv.reader(lines, delimiter=mark)]
    common = max(set(widths), key=lambda width: (widths.count(width), width))
    return (widths.count(common) / len(widths), common) if common > 1 else (0, 1)


def _unpacked(path: Path, sizes: Iterable[int]) -> None:
    if sum(sizes) > MOST_BYTES:
        raise refused(path, "too large unpacked", MOST_BYTES // 10**6)


def _xlsx(path: Path, how: Read) -> Table:
    import openpyxl

    with zipfile.ZipFile(path) as packed:
        _unpacked(path, (one.file_size for one in packed.infolist()))
        formulas = any(re.search(rb"<f[ >/]", packed.read(one)) for one in packed.namelist()
                       if one.startswith("xl/worksheets/"))
    with warnings.catch_warnings(record=True):  # styles and validations, which hold no values
        sheets = [_sheet(path, openpyxl.load_workbook(path, data_only=values), how)
                  for values in ([True, False] if formulas else [True])]
    held = sheets[0]
    for place, formula in sheets[-1].items():  # where no value was stored, the formula's text
        held.setdefault(place, str(getattr(formula, "text", formula)))
    width = max((column for _, column in held), default=0)
    rows = sorted({row for row, _ in held})
    if len(rows) * width > MOST_CELLS:
        raise refused(path, "too many cells", len(rows), width, MOST_CELLS)
    return _grid(path, [(row, [held.get((row, column)) for column in range(1, width + 1)])
                        for row in rows], how, [])


def _sheet(path: Path, book, how: Read) -> dict[tuple[int, int], object]:
    """The cells of the sheet that hold a value, by row and column, both from 1."""
    names, asked = book.sheetnames, how.sheet
    if asked is not None and asked not in names and not (
            asked.isdecimal() and 0 < int(asked) <= len(names)):
        raise refused(path, "no sheet", asked, names, len(names))
    sheet = book[asked] if asked in names else book[names[int(asked or 1) - 1]]
    # Only cells that the file holds: a coloured last row does not make a million of them.
    return {place: cell.value for place, cell in getattr(sheet, "_cells", {}).items()
            if cell.value is not None}


def _labelled(path: Path, how: Read) -> Table:
    """SPSS and Stata: codes stay codes, labels stand beside them, user-missing is missing."""
    import pyreadstat

    reader = pyreadstat.read_sav if path.suffix.lower() == ".sav" else pyreadstat.read_dta
    data, meta = reader(str(path), output_format="dict", encoding=how.encoding)
    labels = {
        name.strip(): {text_of(_clean(code)): label.strip() for code, label in labels.items()}
        for name, labels in meta.variable_value_labels.items()}
    columns = [[_clean(cell) for cell in data[name]] for name in meta.column_names]
    rows = list(range(1, len(columns[0]) + 1)) if columns else []
    return _table(path, meta.column_names, columns, rows, labels)


def _parquet(path: Path, how: Read) -> Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    held = pq.read_metadata(path)
    _unpacked(path, (held.row_group(i).total_byte_size for i in range(held.num_row_groups)))
    table = pq.read_table(path)
    columns = [[_clean(cell) for cell in values.to_pylist()] for values in table.columns]
    labels = {
        name.strip(): {text: text for text in map(text_of, cells) if text is not None}
        for name, cells, values in zip(table.column_names, columns, table.columns, strict=True)
        if pa.types.is_dictionary(values.type)}
    return _table(path, table.column_names, columns, list(range(1, table.num_rows + 1)), labels)


_READERS = {".csv": _csv, ".tsv": _csv, ".xlsx": _xlsx, ".sav": _labelled, ".dta": _labelled,
            ".parquet": _parquet}
