"""The template in which a paper is entered: a workbook, or a folder of CSV files."""

import csv
import os
from pathlib import Path

import openpyxl
from openpyxl.worksheet.datavalidation import DataValidation

from mair.published.entry import LAYOUT, Grid
from mair.trial.errors import TrialError, display

WIDTHS, LAST = (26, 22, 18, 20, 22), 300  # characters; the last line that is kept as text
CHOICES = "choices"  # the protected sheet that the lists are read from


def grids() -> list[Grid]:
    """The empty sheets, in the order of a paper; the instructions first, with every list."""
    more = {"facts": [[name, "", "", fact["asks"]] for name, fact in LAYOUT["facts"].items()],
            "README": [[], ["Words that are known:"], *(
                [name, *words] for name, words in LAYOUT["choices"].items())]}
    return [Grid(name, [*own["rows"], *more.get(name, ())])
            for name, own in LAYOUT["template"].items()]


def write(path: Path | str, sheets: list[Grid] | None = None) -> Path:
    """Write a paper's sheets: ``.xlsx``, or else a folder of CSV files, numbered in order.

    Parameters
    ----------
    path : path
        Never overwritten.
    sheets : list of Grid, optional
        Default: the empty template.

    Returns
    -------
    Path

    Raises
    ------
    TrialError
        It exists, or cannot be written.
    """
    path, sheets = Path(path), sheets or grids()
    if os.path.lexists(path):
        raise TrialError(f"{display(path)}: exists, expected a new file; nothing was written")
    try:
        if path.suffix == ".xlsx":
            path.parent.mkdir(parents=True, exist_ok=True)
            _workbook(sheets).save(path)
            return path
        path.mkdir(parents=True)
        for k, grid in enumerate(sheets):
            name = path / f"{k}-{grid.name.replace(' ', '-')}.csv"
            with name.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(grid.cells)
    except OSError as error:
        raise TrialError(f"{display(path)}: {error.strerror}, expected a new file") from error
    return path


def _workbook(sheets: list[Grid]) -> openpyxl.Workbook:
    """A workbook whose cells are text, with choices from a hidden, protected sheet."""
    book = openpyxl.Workbook()
    for grid in sheets:
        sheet = book.create_sheet(grid.name)
        for line in grid.cells:
            sheet.append(line)
        for column, width in zip("ABCDE", WIDTHS, strict=True):
            sheet.column_dimensions[column].width = width
        for row in sheet.iter_rows(max_row=LAST, max_col=16):
            for cell in row:
                cell.number_format = "@"
    source = book.worksheets[0]
    source.title, source.sheet_state, source.protection.sheet = CHOICES, "hidden", True
    offered = {}
    for column, (name, words) in enumerate(LAYOUT["choices"].items(), start=1):
        letters = [source.cell(row, column, word).column_letter
                   for row, word in enumerate(words, start=1)]
        offered[name] = f"{CHOICES}!${letters[0]}$1:${letters[0]}${len(words)}"
    cells = {name: own.get("lists", {}) for name, own in LAYOUT["template"].items()}
    cells["facts"] = {f"B{row}": fact for row, fact in enumerate(LAYOUT["facts"], start=2)}
    for name in set(cells) & set(book.sheetnames):
        for place, choice in cells[name].items():
            if choice in offered:
                one = DataValidation("list", formula1=offered[choice], showErrorMessage=True)
                one.add(place)
                book[name].add_data_validation(one)
    book.move_sheet(source, len(sheets))
    book.active = 0
    return book
