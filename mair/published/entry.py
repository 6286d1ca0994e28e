"""A paper entered as printed: sheets of cells become the rows of ``published.csv``.

What is asked, what a cell may hold and how a number is filed stand in ``mair/data/entry.yaml``.
A sheet is told by its first cell, and sheets are read in the order of the paper.
"""

from __future__ import annotations

import csv
import functools
import re
from pathlib import Path
from typing import NamedTuple

import openpyxl
import pandas as pd
import yaml
from openpyxl.utils import get_column_letter

from mair.published.numbers import COLUMNS
from mair.trial.errors import TrialError, counted, display, folded, nearest, regular, shown

DECLARED = Path(__file__).resolve().parent.parent / "data" / "entry.yaml"
KINDS = "an entered paper (.xlsx, or a folder of .csv)"
MOST_BYTES = 20_000_000
SAME = str.maketrans({**dict.fromkeys("−–—‐‑", "-"), "·": ".", "\u00a0": " ", "≤": "<", "≥": ">"})
SIGNS = {"≤": "printed with a less-or-equal sign", "≥": "printed with a greater-or-equal sign"}
NOTHING = ("", "-", "--", "..", "...", "…", "na", "n/a", "nr")
NUMBER = re.compile(r"([<>]?)\s*((?<![\d.%)])-(?=[\d.]))?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.?\d+)")
LEVEL = re.compile(r"\d+\s*%?\s*(?:CI|confidence interval)\b", re.IGNORECASE)
WORDS = {"to", "of", "and", "ci", "sd", "se", "iqr"}  # beside a number; single letters are marks


@functools.cache
def declared() -> dict:
    """``mair/data/entry.yaml``."""
    return yaml.safe_load(DECLARED.read_text(encoding="utf-8"))


class Entered(NamedTuple):
    """A paper as entered: rows of ``published.csv``, a trial file, claims (None: none)."""

    published: pd.DataFrame
    trial: dict
    claims: pd.DataFrame | None


class Grid(NamedTuple):
    """A sheet: its name and its cells as text."""

    name: str
    cells: list[list[str]]

    def get(self, row: int, column: int) -> str:
        """A cell; empty beyond the last."""
        line = self.cells[row] if row < len(self.cells) else []
        return line[column].strip() if column < len(line) else ""


def numbers(text: str, layout: list[str]) -> list[tuple[str, str, str]]:
    """The printed numbers of a cell.

    Parameters
    ----------
    text : str
        As printed; a remark in braces behind it.
    layout : list of str
        The statistics that it prints, in order.

    Returns
    -------
    list of (statistic, printed, note)
        ``printed`` as ``published.csv`` has it; empty where the cell prints nothing.

    Raises
    ------
    ValueError
        Another number of numbers, or words that belong to none.

    Examples
    --------
    >>> numbers("−26.38 (−40.87–−11.89)", ["b", "ci_low", "ci_high"])
    [('b', '-26.38', ''), ('ci_low', '-40.87', ''), ('ci_high', '-11.89', '')]
    >>> numbers("NS", ["p"]), numbers(".05 {in a footnote}", ["p"])
    ([('p', '>0.05', 'NS')], [('p', '0.05', 'in a footnote')])
    """
    body, _, note = text.partition("{")
    notes = [note.rstrip("} "), *(said for sign, said in SIGNS.items() if sign in body)]
    body = LEVEL.sub(" ", body.strip().translate(SAME))
    if body.casefold() in NOTHING:
        return []
    if layout == ["p"] and body.casefold() in ("ns", "n.s."):
        body, notes = ">0.05", [body, *notes]
    found = NUMBER.findall(body)
    rest = {word.casefold() for word in re.findall(r"[^\W\d_]{2,}", NUMBER.sub(" ", body))}
    nobody = len(found) == 1 and found[0][2] == "0"  # with no percentage beside it
    if not rest <= WORDS or not (len(found) == len(layout) or nobody):
        raise ValueError(text)
    notes = [", ".join(filter(None, notes))] * len(found)
    if body.count(")") > body.count("("):
        notes[-1] = notes[-1] or "stray closing bracket"
    return [(statistic, sign + minus + "0" * (digits[0] == ".") + digits.replace(",", ""), said)
            for statistic, (sign, minus, digits), said in zip(layout, found, notes, strict=False)]


def sheets(path: Path) -> list[Grid]:
    """The sheets of a workbook, or of a folder of CSV files in the order of their names."""
    if path.is_dir():
        return [Grid(file.stem, list(csv.reader(file.read_text("utf-8-sig").splitlines())))
                for file in sorted(path.glob("*.csv"))]
    regular(path, MOST_BYTES, KINDS)
    try:
        book = openpyxl.load_workbook(path, data_only=True)
    except Exception as error:  # parsers raise anything at all on a broken file
        raise TrialError(f"{display(path)}: cannot be read ({error}), expected {KINDS}") from error
    return [Grid(sheet.title, [[_text(cell) for cell in row] for row in sheet.iter_rows()])
            for sheet in book.worksheets]


def _text(cell) -> str:
    """A cell as text; a number shows the decimals of its format."""
    if isinstance(cell.value, float) and (places := re.fullmatch(r"0\.(0+)", cell.number_format)):
        return f"{cell.value:.{len(places[1])}f}"
    return "" if cell.value is None else str(cell.value)


class Reader:
    """Reads the sheets of one paper.

    Parameters
    ----------
    path : Path
        A workbook in the template's layout, or a folder of CSV files.

    Attributes
    ----------
    slips : list of str
        What is wrong, one line each, with sheet and cell.
    """

    def __init__(self, path: Path):
        self.file, self.slips, self.rows, self.places = display(path), [], [], []
        self.facts, self.scales, self.arms, self.visits = {}, {}, [], []
        self.grids = [grid for grid in sheets(path) if grid.get(0, 0) in declared()["heads"]]

    def read(self) -> Entered:
        """The paper as entered; TrialError with every slip."""
        for kind, take in (("fact", self._fact), ("scale", self._scale)):
            for grid in self._of(kind):
                for row in range(1, len(grid.cells)):
                    if grid.get(row, 0):
                        take(grid, row)
        trial = self._trial()
        for grid in self.grids:
            if grid.get(0, 0) == "table":
                self._table(grid)
            elif grid.get(0, 0) == "where":
                for row in range(1, len(grid.cells)):
                    _, about, *keys, layout, _, method = (
                        self._cell(grid, row, i, head) for i, head in enumerate(
                            declared()["heads"]["where"]))
                    keys = [about, keys[0], keys[1] or "overall", keys[2], method]
                    self._add(grid, row, 6, keys, layout, grid.get(row, 0) or grid.name)
        frame = pd.DataFrame(self.rows, columns=COLUMNS)
        twice = frame.duplicated([*COLUMNS[:6], "source"])
        for place in frame.index[twice | (frame["variable"] == "")]:
            self.slips.append(f"{self.places[place]}: {', '.join(filter(None, self.rows[place]))}, "
                              "expected a variable, and each number of a place once")
        if frame.empty:
            self.slips.append(f"{self.file}: no printed number, expected sheets of tables or text")
        if self.slips:
            raise TrialError(self.slips)
        heads = declared()["heads"]["claim"]
        claims = [[grid.get(row, i) for i in range(len(heads))] for grid in self._of("claim")
                  for row in range(1, len(grid.cells)) if grid.get(row, 0)]
        return Entered(frame, trial, pd.DataFrame(claims, columns=heads) if claims else None)

    def _of(self, kind: str) -> list[Grid]:
        return [grid for grid in self.grids if grid.get(0, 0) == kind]

    def _at(self, grid: Grid, row: int, column: int) -> str:
        return f"{self.file}: sheet {grid.name}, {get_column_letter(column + 1)}{row + 1}"

    def _slip(self, grid: Grid, row: int, column: int, expected: str) -> None:
        self.slips.append(f"{self._at(grid, row, column)}: {shown(grid.get(row, column) or None)}, "
                          f"expected {expected}")

    def _known(self, grid: Grid, row: int, column: int, known) -> str:
        """One of the known words, whatever its case and blanks; else a slip, and empty."""
        text = grid.get(row, column)
        found = next((one for one in known if folded(one) == folded(text)), "")
        if text and not found:
            self._slip(grid, row, column, f"a word that is known here, such as "
                       f"{nearest(text, known)}")
        return found

    def _cell(self, grid: Grid, row: int, column: int, name: str):
        """What a cell of a column or fact says: of a choice what its word means, else its text."""
        known = declared()["choices"].get(name)
        word = grid.get(row, column) if known is None else self._known(grid, row, column, known)
        return known[word] if known and word else word

    def _fact(self, grid: Grid, row: int) -> None:
        if name := self._known(grid, row, 0, declared()["facts"]):
            self.facts[name] = self._cell(grid, row, 1, name)
            if name in ("block size", "ratio", "strata"):
                self._add(grid, row, 1, ["", "allocation", "overall", "", ""],
                          [name.replace(" ", "_")], grid.get(row, 2) or "facts")

    def _scale(self, grid: Grid, row: int) -> None:
        kind = {head: self._cell(grid, row, i, head)
                for i, head in enumerate(declared()["heads"]["scale"])}
        low, high, step = (kind.pop(name) for name in ("lowest", "highest", "step"))
        for column, text in enumerate((low, high, step), start=3):
            if text and not re.fullmatch(r"-?\d+(\.\d+)?", text.translate(SAME)):
                self._slip(grid, row, column, "a number")
        if low and high and not self.slips and float(low.translate(SAME)) >= float(high):
            self._slip(grid, row, 4, "a number above the lowest")
        name = kind.pop("scale")
        self.scales[name] = {**kind, "step": step, "range": [low, high] * bool(high)}

    def _trial(self) -> dict:
        """The trial file of the paper, and the arms and visits that the tables may name."""
        found: dict = {"published": "published.csv", "arm": {"column": "arm"}}
        for name, fact in declared()["facts"].items():
            *above, last = fact.get("key") or [""]
            if last and self.facts.get(name):
                functools.reduce(lambda at, key: at.setdefault(key, {}), above, found)[last] = (
                    self.facts[name])
        lists = {name: [one.strip() for one in self.facts.get(name, "").split(";") if one.strip()]
                 for name in ("visits", "visits in words")}
        self.arms = [self.facts.get(f"{arm} arm", "") for arm in ("control", "treatment")]
        self.visits = found["visits"] = lists["visits"]
        for name in ("title", "control arm", "treatment arm", "visits"):
            if not self.facts.get(name):
                self.slips.append(f"{self.file}: sheet facts: {name} is empty, expected: "
                                  f"{declared()['facts'][name]['asks']}")
        full = (self.facts.get(f"{arm} arm in full") for arm in ("control", "treatment"))
        found["arm"]["labels"] = {arm: said for arm, said in zip(self.arms, full, strict=True)
                                  if said}
        found["visit_labels"] = dict(zip(self.visits, lists["visits in words"], strict=False))
        for name, scale in self.scales.items():
            found.setdefault(scale["kind"] or "outcomes", {})[name] = {
                key: value for key, value in scale.items() if value and key != "kind"}
        return found

    def _table(self, grid: Grid) -> None:
        """A printed table: what its columns are, the people at their heads, then its lines."""
        first = [grid.get(row, 0) for row in range(len(grid.cells))]
        lines = {word: first.index(word) if word in first else len(first)
                 for word in (*declared()["heads"]["table"], "variable")}
        for word in ("about", "arm", "layout", "variable"):
            if word not in first:
                self.slips.append(f"{self.file}: sheet {grid.name}: no line begins with {word}, "
                                  "expected one, as in the template")
        source, columns = grid.get(0, 1) or grid.name, []
        about = self._cell(grid, lines["about"], 1, "about")
        for column in range(4, max(map(len, grid.cells))):
            arm = self._known(grid, lines["arm"], column, [*self.arms, "overall", "difference"])
            layout = self._cell(grid, lines["layout"], column, "layout")
            columns += [(column, arm, layout)] if arm else []
        usual = next((layout for _, arm, layout in columns if arm in self.arms), "")
        variable, body = "", [row for row in range(lines["variable"] + 1, len(grid.cells))
                              if any(grid.cells[row])]
        for row in body:
            variable, own = grid.get(row, 0) or variable, self._cell(grid, row, 2, "layout")
            key, time = self._named(grid, row, about, variable)
            for column, arm, _ in columns if row == body[0] else ():
                keys = (["flow", "randomised", arm, "", ""] if about in ("baseline", "flow")
                        else [about, key, arm, *(self.visits or [""])[:1], ""])
                self._add(grid, lines["n"], column, keys, ["n"], source)
            self._add(grid, row, 3, [self.scales.get(key, {}).get("kind", ""), key, "overall", "",
                                     ""], ["range_low", "range_high"], source)
            for column, arm, layout in columns:
                keys = [about, key, arm, grid.get(lines["visit"], column) or time,
                        grid.get(lines["method"], column)]
                self._add(grid, row, column, keys, own if own and arm != "difference" else layout,
                          source, (own or usual or [""])[0])

    def _named(self, grid: Grid, row: int, about: str, variable: str) -> tuple[str, str]:
        """The variable and the visit of a line: at baseline, a class of the variable."""
        if about in ("baseline", "flow"):
            return ": ".join(filter(None, (variable, grid.get(row, 1)))), ""
        return variable, self._known(grid, row, 1, self.visits)

    def _add(self, grid: Grid, row: int, column: int, keys: list[str], layout: list[str],
             source: str, first: str = "") -> None:
        """The numbers of a cell as rows; ``keys`` with an empty method get the usual one."""
        about, variable, arm, time, method = keys
        if about == "outcomes":
            about = self.scales.get(variable.partition(": ")[0], {}).get("kind") or about
        try:
            found = numbers(grid.get(row, column), layout)
        except ValueError:
            name = next((name for name, own in declared()["choices"]["layout"].items()
                         if own == layout), "nothing here, or a layout that says what is printed")
            return self._slip(grid, row, column, name + (
                f", so {counted(len(layout), 'number')}" if layout else ""))
        for statistic, *said in found:
            own = {"analysis": about, "arm": arm, "statistic": statistic, "row": first}
            rule = next(rule for rule in declared()["methods"] if all(
                value in rule.get(key, [value]) for key, value in own.items()))
            usual = "/".join(self.facts.get(fact, "") for fact in rule.get("facts", ()))
            self.rows.append([about, variable, arm, time, method or rule.get("method", usual),
                              statistic, said[0], source, said[1]])
            self.places.append(self._at(grid, row, column))
        return None
