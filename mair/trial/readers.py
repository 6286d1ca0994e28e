"""The readers of data files, one a format, and what each infers of a file where `read` is silent.

A file is read once, as bytes; what is far larger than the data of a trial is refused before it
is unpacked.
"""

import csv
import io
import math
import re
import warnings
import zipfile
from collections.abc import Container, Iterable
from dataclasses import replace
from itertools import zip_longest
from pathlib import Path

import pandas as pd

from mair.trial.errors import NUMBER, TrialError, display, refused, regular, said
from mair.trial.schema import Read
from mair.trial.tables import Column, Table, text_of

MOST_BYTES = 200_000_000  # of a data file, packed and unpacked
MOST_CELLS = 20_000_000
_MARKS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_TOTALS = re.compile(r"(mean|average|mittelwert|median|sum|summe|total|gesamt|s\.?d\.?|n)\W*",
                     re.IGNORECASE)
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
        No such file, another format, a file that cannot be read, or no row.
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
           titles=(), notices=()) -> Table:
    """A table of clean cells; columns without a name are left out, those of one name numbered."""
    names, notices = [text_of(_clean(name)) for name in names], list(notices)
    for name in dict.fromkeys(filter(None, names)):
        if (n := names.count(name)) > 1:
            notices.append(said("column twice", name, n))
            for i in range(1, n + 1):
                names[names.index(name)] = f"{name} ({i})"
    found = {name: Column(cells, (labels or {}).get(name, {}), title)
             for name, cells, title in zip_longest(names, columns, titles) if name}
    return Table(path, found, rows, notices)


def _grid(path: Path, lines: list[tuple[int, list]], how: Read, notices: list[str],
          merged: Container[int] = (), whole: bool = False) -> Table:
    """A table from numbered lines of cells, the names in the first below a title.

    Empty lines, titles above, footnotes and totals below and the two further heads of Qualtrics
    are left out. ``merged``: lines with cells over several columns. ``whole``: each line has as
    many cells as the head.
    """
    lines = [(row, [_clean(cell) for cell in cells]) for row, cells in lines]
    lines = [(row, cells) for row, cells in lines if _held(cells)]
    if not lines:
        raise refused(path, "empty table")
    most = max(len(_held(cells)) for _, cells in lines)
    for end, what in ((0, "a title"), (-1, "a footnote"), (-1, "totals")):
        while most > 2 and _is_aside(lines[end][1], what):
            row, cells = lines.pop(end)
            notices.append(said("line aside", row, text_of(_held(cells)[0]), what))
    heads = how.header or (2 if _two_heads(lines, merged) else 1)
    if heads != (how.header or 1):
        notices.append(said("two heads", lines[0][0], lines[1][0]))
    header, body = _joined([cells for _, cells in lines[:heads]]), lines[heads:]
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


def _is_aside(cells: list, what: str) -> bool:
    """Whether a line above or below a table is none of its rows: alone, or totals without an id."""
    first, *more = _held(cells)
    if what == "totals":
        return (cells[0] is None or len(str(first)) > 3) and bool(_TOTALS.fullmatch(str(first)))
    return not more and (what == "a title" or " " in str(first))


def _two_heads(lines: list[tuple[int, list]], merged: Container[int]) -> bool:
    """Whether names stand in two rows: the lower one has words where the upper one has gaps.

    Either the upper one reaches over cells that were merged, or the lower one holds words alone,
    with numbers below them.
    """
    (row, upper), (_, lower), *below = [*lines[:50], (0, []), (0, [])][:50]
    gaps = [i for i, cell in enumerate(lower) if cell is not None and (upper + lower)[i] is None]
    if row in merged or not all(map(_wordy, _held(lower))):
        return bool(gaps) and row in merged
    under = [_held([cells[i] for _, cells in below if i < len(cells)]) for i in gaps]
    return any(2 * sum(map(_wordy, cells)) < len(cells) for cells in under)


def _wordy(cell) -> bool:
    """Whether a cell holds anything but a number, by either decimal mark."""
    return isinstance(cell, str) and not Column([cell]).marks and not NUMBER.fullmatch(cell)


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
        books = [openpyxl.load_workbook(path, data_only=values)
                 for values in ([True, False] if formulas else [True])]
    sheets = {one: len(_cells(books[0][one])) for one in books[0].sheetnames}
    name = _sheet(path, sheets, how.sheet)
    held, formulas = (_cells(book[name]) for book in (books[0], books[-1]))
    for place, formula in formulas.items():  # where no value was stored, the formula's text
        held.setdefault(place, str(getattr(formula, "text", formula)))
    width = max((column for _, column in held), default=0)
    rows = sorted({row for row, _ in held})
    if len(rows) * width > MOST_CELLS:
        raise refused(path, "too many cells", len(rows), width, MOST_CELLS)
    merged = {one.min_row for one in books[0][name].merged_cells.ranges if one.size["columns"] > 1}
    others = [*filter(name.__ne__, sheets)]
    notices = [said("sheet", name, others)] * bool(others and not how.sheet)
    table = _grid(path, [(row, [held.get((row, column)) for column in range(1, width + 1)])
                         for row in rows], how, notices, merged)
    return replace(table, sheets=sheets if others else {})


def _sheet(path: Path, sheets: dict[str, int], asked: str | None) -> str:
    """The name of the sheet that is asked for by name or number; else the first that holds any."""
    names = [*sheets]
    if asked is None or asked in names:
        return asked or next(filter(sheets.get, names), names[0])
    if not (asked.isdecimal() and 0 < int(asked) <= len(names)):
        raise refused(path, "no sheet", asked, names, len(names))
    return names[int(asked) - 1]


def _cells(sheet) -> dict[tuple[int, int], object]:
    """The cells that hold a value, by row and column, both from 1."""
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
    return _table(path, meta.column_names, columns, rows, labels, meta.column_labels)


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
