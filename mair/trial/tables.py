"""A data file as one kind of table, whatever its format: cells, and labels of codes.

A cell is None (missing), text, a number or a bool. Text is trimmed; empty and
whitespace-only text is missing; a date is its ISO text. ``NA``, ``NaN`` and ``.`` are
missing in columns of numbers and answers in columns of text, so nothing is converted
before a column's use is known.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from mair.trial.errors import NUMBER

YES_NO = dict.fromkeys(("yes", "y", "true", "1"), True) | dict.fromkeys(
    ("no", "n", "false", "0"), False)
NOT_A_NUMBER = frozenset({"na", "nan", "."})
_WHOLE = re.compile(r"(-?\d+)(\.0+|,0)")  # 1,000 may be a thousand
_DATE = re.compile(r"\d{4}-\d\d-\d\d( \d\d:.*)?|\d{1,2}([./-])\d{1,2}\2(\d{4}|\d\d)")
# Both decimal marks, with the other one between thousands: 41,5 and 1.234,5; 41.5 and 1,234.5
_MARKED = {",": re.compile(r"[-+]?(\d+|\d{1,3}(\.\d{3})+),\d+"),
           ".": re.compile(r"[-+]?(\d*|\d{1,3}(,\d{3})+)\.\d+")}
_THOUSANDS = re.compile(r"[-+]?[1-9]\d{0,2}(,\d{3})+")


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


def _parsed(cell) -> float | None:
    try:
        return number_of(cell)
    except ValueError:
        return None


def in_order(texts: Iterable[str]) -> list[str]:
    """Different texts in order, numbers by their value where all are numbers."""
    texts = {*texts}
    return sorted(texts, key=float if all(map(NUMBER.fullmatch, texts)) else None)


@dataclass(frozen=True)
class Column:
    """One column: its cells, and the labels of its codes (by the code's text)."""

    cells: list
    labels: dict[str, str] = field(default_factory=dict)
    title: str | None = None  # what an SPSS or Stata file says the column is

    @cached_property
    def parsed(self) -> list[float | None]:
        """Cells as numbers, nan where they are missing; None where they hold anything else."""
        return [*map(_parsed, self.cells)]

    @cached_property
    def numbers(self) -> list[float]:
        """Cells as numbers; empty unless all are numbers or missing, and one is a number."""
        some = None not in self.parsed and any(value == value for value in self.parsed)
        return self.parsed if some else []

    @cached_property
    def strays(self) -> list[int]:
        """Rows that hold no number, where most of those that hold anything do."""
        wrong = [row for row, value in enumerate(self.parsed) if value is None]
        held = len(self.cells) - self.cells.count(None)
        return wrong if 0 < len(wrong) < held / 2 and not self.labels else []

    @cached_property
    def dates(self) -> bool:
        """Whether most cells that hold anything hold dates."""
        texts = [cell for cell in self.cells if cell is not None]
        return sum(bool(_DATE.fullmatch(str(cell))) for cell in texts) > len(texts) / 2

    @cached_property
    def marks(self) -> dict[str, int]:
        """Decimal marks of a column of text that are numbers, each with a row that has it."""
        found: dict[str, int] = {}
        for row, cell in enumerate(self.cells):
            mark = next((m for m, form in _MARKED.items() if form.fullmatch(str(cell))), None)
            if mark is None and self.parsed[row] is None:
                return {}
            if mark and (isinstance(cell, str) or not float(cell).is_integer()):
                found.setdefault(mark, row)
        return found

    @property
    def thousands(self) -> bool:
        """Whether each comma may stand between thousands as well."""
        return all(_THOUSANDS.fullmatch(str(cell)) for cell in self.cells if "," in str(cell))

    def read_with(self, mark: str) -> Column:
        """The column with its numbers read by this decimal mark, the other one left out."""
        other = "," if mark == "." else "."
        return replace(self, cells=[
            float(cell.replace(other, "").replace(",", ".")) if isinstance(cell, str)
            and (_MARKED[mark].fullmatch(cell) or (mark == "." and _THOUSANDS.fullmatch(cell)))
            else cell for cell in self.cells])

    def without(self, code: str) -> Column:
        """The column with this code, or the code of this label, missing."""
        return replace(self, cells=[
            None if code in (text, self.labels.get(text)) else cell
            for cell, text in zip(self.cells, map(text_of, self.cells), strict=True)])

    @cached_property
    def codes(self) -> dict[str, str]:
        """Codes by their label."""
        return {label: code for code, label in self.labels.items()}

    def named(self, value: str) -> str:
        """The text of what a trial file names: a label first, else a code."""
        return value if value in self.texts else self.labels.get(value, value)

    @cached_property
    def answers(self) -> dict[str, bool]:
        """Of its texts those that say yes or no, by their codes or themselves."""
        return {text: YES_NO[answer] for text in {*self.texts} - {None} for answer in
                map(str.casefold, (self.codes.get(text, text), text)) if answer in YES_NO}

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
    notices: list[str] = field(default_factory=list)  # what was inferred of the file
    sheets: dict[str, int] = field(default_factory=dict)  # of several: the cells that each holds
