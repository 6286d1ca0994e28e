"""A paper entered as printed: sheets of cells become the rows of ``published.csv``.

What is asked, what a cell may hold and how a number is filed stand in ``mair/data/entry.yaml``.
A sheet is told by its first cell, and sheets are read in the order of the paper.
"""

import csv
import re
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from openpyxl.utils import get_column_letter

from mair.published.numbers import COLUMNS
from mair.trial import errors
from mair.trial.errors import TrialError, counted, display, folded, nearest, regular, shown

LAYOUT = errors.declared("entry")
KINDS = "an entered paper (.xlsx, or a folder of .csv)"
MOST_BYTES = 20_000_000
SAME = str.maketrans({**dict.fromkeys("−–—‐‑", "-"), "·": ".", "\u00a0": " ", "≤": "<", "≥": ">"})
SIGNS = {"≤": "printed with a less-or-equal sign", "≥": "printed with a greater-or-equal sign"}
NOTHING = ("", "-", "--", "..", "...", "…", "na", "n/a", "nr")
NUMBER = re.compile(r"([<>]?)\s*((?<![\d.%)])-(?=[\d.]))?(\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d*\.?\d+)")
LEVEL = re.compile(r"\d+\s*%?\s*(?:CI|confidence interval)\b", re.IGNORECASE)
KEPT = ("scale", "kind")  # of a scale: not in a trial file
WORDS = {"to", "of", "and", "ci", "sd", "se", "iqr"}  # beside a number; single letters are marks


class Entered(NamedTuple):
    """A paper as entered: rows of ``published.csv``, a trial file, rows of ``claims.csv``, and
    the cell of each number."""

    published: pd.DataFrame
    trial: dict
    claims: pd.DataFrame
    cells: pd.DataFrame


class Cell(str):
    """The text of a cell, and where it stands."""

    at = ""


class Grid(NamedTuple):
    """A sheet: its name and its cells as text."""

    name: str
    cells: list[list[str]]

    def get(self, row: int, column: int) -> Cell:
        """A cell; empty beyond the last."""
        line = self.cells[row] if row < len(self.cells) else []
        cell = Cell(line[column].strip() if column < len(line) else "")
        cell.at = f"sheet {self.name}, {get_column_letter(column + 1)}{row + 1}"
        return cell

    def lines(self, after: int = 0) -> list[int]:
        """The lines below one that hold something."""
        return [row for row in range(after + 1, len(self.cells)) if any(self.cells[row])]


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
        book = pd.read_excel(path, sheet_name=None, header=None, dtype=str, na_filter=False)
    except Exception as error:  # parsers raise anything at all on a broken file
        raise TrialError(f"{display(path)}: cannot be read ({error}), expected {KINDS}") from error
    return [Grid(name, frame.to_numpy().tolist()) for name, frame in book.items()]


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
        self.file, self.slips, self.rows, self.cells = display(path), [], [], []
        self.facts, self.scales, self.kinds, self.arms, self.visits = {}, {}, {}, [], []
        self.grids = [grid for grid in sheets(path) if grid.get(0, 0) in LAYOUT["heads"]]

    def read(self) -> Entered:
        """The paper as entered; TrialError with every slip."""
        for kind in ("fact", "scale"):
            for line in self._of(kind):
                getattr(self, f"_{kind}")(line)
        trial = self._trial()
        for grid in self.grids:
            if grid.get(0, 0) == "table":
                self._table(grid)
            for line in self._of("where", grid):
                keys = [self._said(line[name], name) for name in ("about", "variable", "arm",
                                                                  "visit", "method")]
                self._add(line["printed"], [*keys[:2], keys[2] or "overall", *keys[3:]],
                          self._said(line["layout"], "layout"), line["where"] or grid.name)
        frame = pd.DataFrame(self.rows, columns=COLUMNS)
        keys = frame[[*COLUMNS[:6], "source"]]
        for place in frame.index[keys.duplicated() | (frame["variable"] == "")]:
            first = (keys == keys.loc[place]).all(axis=1).idxmax()
            self._slip(self.cells[place], f"each number of a place once: {self.cells[first].at} "
                       f"has {frame.at[first, 'printed']}" if frame.at[place, "variable"] else
                       "a variable to it")
        claims = pd.DataFrame(self._claims(frame), columns=LAYOUT["heads"]["claim"])
        if frame.empty:
            self.slips.append(f"{self.file}: no printed number, expected sheets of tables or text")
        if self.slips:
            raise TrialError(self.slips)
        return Entered(frame, trial, claims, keys.assign(cell=[c.at for c in self.cells]))

    def _of(self, kind: str, only: Grid | None = None) -> list[dict[str, Cell]]:
        """The lines of the sheets of a kind, by the heads of their columns."""
        heads = LAYOUT["heads"][kind]
        return [{head: grid.get(row, k) for k, head in enumerate(heads)}
                for grid in self.grids if grid.get(0, 0) == kind and only in (None, grid)
                for row in grid.lines()]

    def _claims(self, printed: pd.DataFrame) -> list[dict[str, Cell]]:
        """The claims; a slip for each word no check takes, each name that is not printed."""
        lines = self._of("claim")
        for line in lines:
            known = {"claim": LAYOUT["claims"], "analysis": [*printed["analysis"].unique()],
                     "variable": ["*", *printed["variable"].unique()],
                     "time": ["*", "", *self.visits]}
            words = known["claim"].get(line["claim"])
            known["word"] = words or {"larger": self.visits}.get(line["claim"], [line["word"]])
            for head, allowed in known.items():
                if not set(line[head].split(";")) <= {*allowed}:
                    self._slip(line[head], f"{head}: {', '.join(filter(None, allowed))}")
        return lines

    def _slip(self, cell: Cell, expected: str) -> None:
        text = shown(str(cell) or None)
        self.slips.append(f"{self.file}: {cell.at}: {text}, expected {expected}")

    def _known(self, cell: Cell, known) -> str:
        """One of the known words, whatever its case and blanks; else a slip, and empty."""
        found = next((one for one in known if folded(one) == folded(cell)), "")
        if cell and not found:
            self._slip(cell, f"a word that is known here, such as {nearest(cell, known)}")
        return found

    def _said(self, cell: Cell, name: str):
        """What a cell of a column or fact says: of a choice what its word means, else its text."""
        if name in ("lowest", "highest", "step") and cell:
            if not re.fullmatch(r"-?\d+(\.\d+)?", cell.translate(SAME)):
                self._slip(cell, "a number")
            return cell.translate(SAME)
        known = LAYOUT["choices"].get(name)
        return str(cell) if known is None else known.get(self._known(cell, known), "")

    def _fact(self, line: dict[str, Cell]) -> None:
        name = self._known(line["fact"], LAYOUT["facts"])
        self.facts[name] = self._said(line["value"], name)
        if statistic := LAYOUT["facts"].get(name, {}).get("prints"):
            self._add(line["value"], ["", "allocation", "overall", "", ""], [statistic],
                      line["where"] or "facts")

    def _scale(self, line: dict[str, Cell]) -> None:
        said = {head: self._said(cell, head) for head, cell in line.items()}
        low, high = said.pop("lowest"), said.pop("highest")
        first = next((name for name, own in self.scales.items() if own["primary"]), "")
        if said["primary"] and first:
            self._slip(line["primary"], f"one primary outcome, which {first} is already")
        self.kinds[said["scale"]] = said["kind"] or "outcomes"
        self.scales[said["scale"]] = {**said, "range": [low, high] * bool(high)}

    def _trial(self) -> dict:
        """The trial file of the paper, and the arms and visits that the tables may name."""
        asked = LAYOUT["facts"]
        facts = {name: self.facts.get(name) or "" for name in asked}
        self.slips += [f"{self.file}: sheet facts: {name} is empty, expected: {fact['asks']}"
                       for name, fact in asked.items() if "needed" in fact and not facts[name]]
        self.visits, words = ([one.strip() for one in facts[name].split(";") if one.strip()]
                              for name in ("visits", "visits in words"))
        arms = {kind: facts[f"{kind} arm"] for kind in ("control", "treatment")}
        self.arms, families = [*arms.values()], facts["family of corrections"]
        found = {
            "trial": facts["title"], "published": "published.csv",
            "about": {key: facts[key] for key in ("citation", "registration") if facts[key]},
            "arm": {"column": "arm", **arms, "labels": {
                arm: facts[f"{kind} arm in full"] or arm for kind, arm in arms.items()}},
            "allocation": {"scheme": facts["allocation"] or "complete"}, "visits": self.visits,
            "visit_labels": dict(zip(self.visits, words, strict=False)),
            "analysis": {"fdr_families": families} if families else {}}
        for name, scale in self.scales.items():
            found.setdefault(self.kinds[name], {})[name] = {
                key: value for key, value in scale.items() if value and key not in KEPT}
        return found

    def _table(self, grid: Grid) -> None:
        """A printed table: what its columns are, the people at their heads, then its lines."""
        first = [grid.get(row, 0) for row in range(len(grid.cells))]
        lines = {word: first.index(word) if word in first else len(first)
                 for word in (*LAYOUT["heads"]["table"], "variable")}
        self.slips += [f"{self.file}: sheet {grid.name}: no line begins with {word}, expected one, "
                       "as in the template" for word in ("about", "arm", "layout", "variable")
                       if word not in first]
        source = grid.get(0, 1) or grid.name
        about = self._said(grid.get(lines["about"], 1), "about")
        known, people = [*self.arms, "overall", "difference"], about in ("baseline", "flow")
        columns = [(k, arm, self._said(grid.get(lines["layout"], k), "layout"),
                    grid.get(lines["visit"], k), grid.get(lines["method"], k))
                   for k in range(4, max(map(len, grid.cells)))
                   if (arm := self._known(grid.get(lines["arm"], k), known))]
        usual = next((layout for _, arm, layout, *_ in columns if arm in self.arms), "")
        rows = grid.lines(lines["variable"])  # whose variable the next line may leave out
        named = [*accumulate((grid.get(row, 0) for row in rows), lambda above, own: own or above)]
        for k, arm, _, visit, method in columns:
            self._add(grid.get(lines["n"], k), ["flow", "randomised", arm, "", ""] if people else [
                about, (*named, "")[0], arm, visit or (*self.visits, "")[0], method], ["n"], source)
        for row, variable in zip(rows, named, strict=True):
            name, time = variable, "" if people else self._known(grid.get(row, 1), self.visits)
            own = self._said(grid.get(row, 2), "layout")
            if people and grid.get(row, 1):
                name = f"{variable}: {grid.get(row, 1)}"
            self._add(grid.get(row, 3), [self.kinds.get(name, ""), name, "overall",
                                         "", ""], ["range_low", "range_high"], source)
            same = [r for r, of in zip(rows, named, strict=True) if of == variable]
            for k, arm, layout, visit, method in columns:
                whole = (people and arm == "difference" and row in (same[0], same[-1])
                         and [r for r in same if grid.get(r, k)] == [row] != same)
                self._add(grid.get(row, k), [about, variable if whole else name, arm,
                                             visit or time, method],
                          own if own and arm != "difference" else layout, source,
                          (own or usual or [""])[0])

    def _add(self, cell: Cell, keys: list[str], layout: list[str], source: str,
             first: str = "") -> None:
        """The numbers of a cell as rows; ``keys`` with an empty method get the usual one."""
        about, variable, arm, time, method = keys
        if about == "outcomes":
            about = self.kinds.get(variable.partition(": ")[0], about)
        try:
            found = numbers(cell, layout)
        except ValueError:
            name = next((name for name, own in LAYOUT["choices"]["layout"].items()
                         if own == layout), "nothing here, or a layout that says what is printed")
            return self._slip(cell, name + f", so {counted(len(layout), 'number')}" * bool(layout))
        for statistic, printed, note in found:
            own = {"analysis": about, "arm": arm, "statistic": statistic, "row": first}
            rule = next(rule for rule in LAYOUT["methods"] if all(
                value in rule.get(key, [value]) for key, value in own.items()))
            usual = "/".join(self.facts.get(fact, "") for fact in rule.get("facts", ()))
            row = [*map(str, (about, variable, arm, time)), str(
                method or rule.get("method", usual)), statistic, printed, str(source), note]
            if statistic != "n" or row not in self.rows:  # a head and a line may both say it
                self.rows.append(row)
                self.cells.append(cell)
        return None
