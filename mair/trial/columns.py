"""Columns of a data table by participant, the same whether the file is wide or long."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from mair.trial.errors import NUMBER, display, listed, nearest, shown
from mair.trial.file import Source
from mair.trial.schema import BaselineEntry, Measure, TrialFile
from mair.trial.tables import NOT_A_NUMBER, Column, Table, number_of, text_of

MOST_LINES = 10  # of one column; more wrong cells are one line with their number
YES_NO = dict.fromkeys(("yes", "y", "true", "1"), True) | dict.fromkeys(
    ("no", "n", "false", "0"), False)


@dataclass(frozen=True, eq=False)
class Feature:
    """An entry of the baseline table, or a covariate.

    ``values`` is by participant: float where ``kind`` is continuous, else text, nan where
    missing. ``levels`` are those that occur, sorted (codes by number), never in the order of
    a file's value labels, which a csv has not; of a yes/no column always ``("no", "yes")``.
    ``level`` is the one a binary feature counts.
    """

    name: str
    column: str
    label: str
    kind: str
    level: str | None
    levels: tuple[str, ...]
    values: pd.Series = field(repr=False)


class People:
    """Who stands in which row of the data; what is wrong with a column is noted on the way.

    Parameters
    ----------
    table : Table
    spec : TrialFile
    source : Source
        Names the trial file and its keys in problems.

    Attributes
    ----------
    rows : dict of str to list of int
        Each participant's rows, in the order in which the file first names them.
    visited : dict of (str, str or None) to int
        The row of a participant at a visit; None in a wide file.
    problems : list of str
    """

    def __init__(self, table: Table, spec: TrialFile, source: Source):
        self.table, self.spec, self.source = table, spec, source
        self.problems: list[str] = []
        self.rows: dict[str, list[int]] = {}
        self.visited: dict[tuple, int] = {}
        ids = self.column(spec.participant, ("participant",))
        visits = self.column(spec.visit, ("visit",)) if spec.visit else None
        self.who = [text_of(cell) for cell in ids.cells] if ids else []
        if visits or not spec.visit:
            self._place(visits)

    def _place(self, visits: Column | None) -> None:
        """Who stands in which row: at each visit once, in a wide file (visits: None) once."""
        known, expected = (self.spec.visits, "each visit once") if visits else (
            [None], "one row a participant (a long file has visit: <column>)")
        empty, wrong, again = [], [], []
        for row, who in enumerate(self.who):
            label = visits.texts[row] if visits else None
            visit = label if label in known else text_of(visits.cells[row])
            first = self.visited.setdefault((who, visit), row)
            if who is None:
                empty.append(((row,), "empty"))
            elif visit not in known:
                wrong.append(((row,), shown(label)))
            elif first != row:
                at = f"{visit} stands" if visits else "stands"
                again.append(((row,), f"{at} in row {self.table.rows[first]} too"))
            else:
                self.rows.setdefault(who, []).append(row)
        self.tell_cells(self.spec.participant, "a participant's id", empty)
        self.tell_cells(self.spec.visit, listed(known), wrong)
        self.tell_cells(self.spec.visit or self.spec.participant, expected, again)

    @property
    def index(self) -> pd.Index:
        """The participants' ids."""
        return pd.Index(list(self.rows), dtype="str", name="participant")

    def column(self, name: str, where: tuple) -> Column | None:
        """A column; None, with a problem naming the key that asks for it, where there is none."""
        if name not in self.table.columns:
            self.tell(name, f"not in the file, expected by {self.source.key(where)}; did you mean "
                      f"{nearest(name, self.table.columns)}?")
        return self.table.columns.get(name)

    def tell(self, name: str, message: str, where: str = "") -> None:
        """Note a problem of a column."""
        self.problems.append(f"{display(self.table.path)}: column {name}{where}: {message}")

    def tell_cells(self, name: str, expected: str, wrong: list[tuple[tuple, str]]) -> None:
        """Note cells of a column, each as its rows and what stands there; many in one line."""
        if len(wrong) <= MOST_LINES:
            for rows, said in wrong:
                self.tell(name, f"{said}, expected {expected}", f", {self._at(rows)}")
            return
        first = {said: rows for rows, said in reversed(wrong)}
        few = sorted((rows, f"{said} at {self._at(rows)}") for said, rows in first.items())
        some = ", ".join([said for _, said in few[:3]] + ["…"] * (len(few) > 3))
        self.tell(name, f"{some}, expected {expected}", f", {len(wrong)} cells")

    def _at(self, rows: tuple) -> str:
        numbers, who = " and ".join(str(self.table.rows[row]) for row in rows), self.who[rows[0]]
        where = f"row{'s' if len(rows) > 1 else ''} {numbers}"
        return where if who is None else f"participant {who} ({where})"

    def values(self, name: str, where: tuple, parser: Callable, expected: str, some: str = "",
               cells: bool = False, dtype="str") -> pd.Series:
        """A column that does not change in a participant, by participant.

        In a long file a value may stand in any of the participant's rows, but only as one.

        Parameters
        ----------
        name, where : str, tuple
            The column, and the key that names it; all is missing where there is no such column.
        parser, expected, some
            As in `parse`.
        cells : bool
            Whether the parser takes the cell, else its text: a label for a code.
        dtype
            Of the values.
        """
        if (column := self.column(name, where)) is None:
            return pd.Series(None, self.index, dtype=dtype, name=name)
        texts, held, wrong = column.texts, [], []
        same = column.numbers or texts
        for rows in self.rows.values():
            given = [row for row in rows if texts[row] is not None] or rows[:1]
            other = next((row for row in given[1:] if same[row] != same[given[0]]), None)
            if other is not None:
                pair = given[0], other
                wrong.append((pair, " and ".join(shown(texts[row]) for row in pair)))
            held.append((given[0], (column.cells if cells else texts)[given[0]]))
        self.tell_cells(name, "one value a participant", wrong)
        read = self.parse(name, held, parser, expected, some)
        return pd.Series(read, self.index, dtype=dtype, name=name)

    def parse(self, name: str, held: list, parser: Callable, expected: str, some: str = "") -> list:
        """Values of cells; one that the parser refuses is a problem, and None.

        Parameters
        ----------
        name : str
            The column.
        held : list of (int, cell)
            Rows and their cells.
        parser : callable
            A cell to its value; None or nan where it is missing, ValueError or KeyError where
            it is not what the column may hold.
        expected : str
            What a cell is to be.
        some : str
            What the column is to hold, where a column without any value is a problem.
        """
        values, wrong = [], []
        for row, cell in held:
            try:
                values.append(parser(cell))
            except (KeyError, ValueError):
                values.append(None)
                wrong.append(((row,), shown(cell)))
        self.tell_cells(name, expected, wrong)
        if some and held and not wrong and all(v is None or v != v for v in values):
            self.tell(name, f"no value at all, expected {some}")
        return values

    def numbers(self, name: str, where: tuple, some: str = "") -> pd.Series:
        """A column of numbers by participant; anything else is a problem."""
        return self.values(name, where, number_of, "a number", some, cells=True, dtype=float)

    def texts(self, name: str, where: tuple, some: str = "") -> pd.Series:
        """A column of text or labels by participant; nan where it is missing."""
        return self.values(name, where, lambda text: text, "text", some)

    def yes_no(self, name: str, where: tuple, complete: bool) -> pd.Series:
        """A yes/no column by participant: True, False, or None where it is empty.

        ``complete`` says whether an empty cell is a problem.
        """
        known = {} if complete else {None: None}
        if column := self.table.columns.get(name):
            known |= {text: YES_NO[answer] for text in {*column.texts} - {None} for answer in
                      map(str.casefold, (column.codes.get(text, text), text)) if answer in YES_NO}
        return self.values(name, where, known.__getitem__, "yes or no", "yes or no", dtype=object)


def given(text: str | None) -> str:
    """A parser that refuses a missing cell."""
    if text is None:
        raise ValueError
    return text


def arms(people: People) -> pd.Series:
    """The arm of each participant as the trial file names it; labels match first, then codes."""
    arm, where = people.spec.arm, ("arm", "column")
    if (column := people.column(arm.column, where)) is None:
        return pd.Series(None, people.index, dtype="str")
    wanted = (arm.control, arm.treatment)
    codes = {label: code for label, code in column.codes.items()
             if label not in wanted and code not in column.codes}
    held = {text: codes.get(text, text) for text in column.texts if text is not None}
    absent = {*wanted} - {*held.values()}
    few = ", ".join(sorted(held)[:8] + ["…"] * (len(held) > 8))
    for key, value in zip(("control", "treatment"), wanted, strict=True):
        if value in absent:
            people.tell(arm.column, f"{shown(value)} (arm.{key}) is nobody's value, expected one "
                        f"of {few}")
    if absent:  # one misspelt in the trial file is one problem, not one a participant
        return pd.Series(None, people.index, dtype="str")
    known = {text: value for text, value in held.items() if value in wanted}
    read = people.values(arm.column, where, known.__getitem__, listed(wanted))
    for value, n in read.value_counts().items():
        if n == 1:
            people.tell(arm.column, f"1 participant in arm {value}, expected 2 or more")
    return read


def scores(people: People, where: tuple, measure: Measure) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The scores of an outcome or biomarker by participant and visit.

    In a biomarker ``<x`` is a value under the detection limit x: read as x / sqrt(2)
    (Hornung RW, Reed LD. Appl Occup Environ Hyg 1990;5:46-51).

    Parameters
    ----------
    people : People
    where : tuple
        The key that declares it, as ``("outcomes", "FIQ")``.
    measure : Measure

    Returns
    -------
    DataFrame, DataFrame
        Scores (float, nan missing) and whether a score was under its limit (bool), by
        participant; columns are the visits at which it was measured.
    """
    key, before, long = people.source.key(where), len(people.problems), measure.columns is None
    parser, expected = _scale(measure, limits=where[0] == "biomarkers")
    values, under, visits = {}, {}, people.spec.visits
    for visit, name in zip(visits, measure.columns or [measure.column] * len(visits), strict=True):
        if name is None or (column := people.column(name, where)) is None:
            continue
        rows = [people.visited.get((who, visit if long else None)) for who in people.rows]
        held = [(row, None if row is None else column.cells[row]) for row in rows]
        some = "" if long else (
            f"scores of {key} at {visit} (null in the trial file where it was not measured)")
        values[visit] = people.parse(name, held, parser, expected, some)
        under[visit] = [str(cell).startswith("<") for _, cell in held]
    frame = pd.DataFrame(values, people.index, dtype=float)
    if long and people.rows and len(people.problems) == before:
        frame = _seen(people, measure.column, key, frame)
    return frame, pd.DataFrame(under, people.index, dtype=bool)[list(frame)]


def _scale(measure: Measure, limits: bool) -> tuple[Callable, str]:
    """The parser of a score, and what it expects."""
    (low, high), log = measure.range or (-math.inf, math.inf), measure.transform == "log"
    expected = f"a number from {shown(low)} to {shown(high)}" if measure.range else "a number"

    def parser(cell) -> float:
        limited = limits and isinstance(cell, str) and cell.startswith("<")
        value = number_of(cell[1:].strip() if limited else cell)
        if limited and value > 0:
            return value / math.sqrt(2)
        if limited or value < low or value > high or (log and value <= 0):
            raise ValueError(cell)
        return value

    return parser, expected + (" above 0 (transform: log)" if log else "")


def _seen(people: People, name: str, key: str, frame: pd.DataFrame) -> pd.DataFrame:
    """In a long file, the visits that hold a value: the reference and a later one at least."""
    seen, first = frame.loc[:, frame.notna().any()], people.spec.visits[0]
    absent = f"after {first}" if first in seen else f"at {first}" if len(seen.columns) else "at all"
    if first not in seen or seen.shape[1] == 1:
        people.tell(name, f"no value {absent}, expected scores of {key}")
    return seen


def feature(people: People, entry: BaselineEntry, where: tuple, covariate: bool) -> Feature | None:
    """An entry of the baseline table or a covariate; its kind is inferred when not declared.

    Text or labels are categorical; two values are binary, counting yes, true or 1; other
    numbers are continuous. In a covariate numbers are always linear unless declared
    otherwise. A column of nothing but yes and no (y and n, true and false, in any case; 1 and
    0 where the kind is binary) reads ``no`` and ``yes`` in every format.

    Parameters
    ----------
    people : People
        Collects the problems.
    entry : BaselineEntry
    where : tuple
        The key of the trial file, as errors name it.
    covariate : bool
        Whether it is a covariate without an entry in the baseline table.

    Returns
    -------
    Feature or None
        None where there is no such column.
    """
    name, some = entry.column or entry.name, f"values for {people.source.key(where)}"
    if (column := people.column(name, where)) is None:
        return None
    linear, level, levels = bool(column.numbers) and not column.labelled, None, ()
    kind = entry.kind or ("binary" if entry.level is not None else None)
    if kind == "continuous" or (linear and kind is None):
        values = people.numbers(name, where, some)
        if covariate or values.nunique() != 2:
            kind = "continuous"
    if kind != "continuous":
        values = people.texts(name, where, some)
        present, folded = set(values.dropna()), values.str.casefold()
        levels = tuple(sorted(present, key=float if all(map(NUMBER.fullmatch, present)) else None))
        coded = linear and kind == "categorical"
        if answers := present and not coded and set(folded.dropna()) <= set(YES_NO):
            values = folded.map(lambda text: "yes" if YES_NO[text] else "no", na_action="ignore")
            levels = ("no", "yes")
        two = answers or (len(present) == 2 and not covariate)
        kind = kind or ("binary" if two else "categorical")
        if kind == "binary" and present:
            level = _level(people, entry, name, where, levels)
    return Feature(entry.name, name, entry.label or entry.name, kind, level, levels,
                   values.rename(entry.name))


def _level(people: People, entry, column: str, where: tuple, levels: tuple) -> str | None:
    """The level a binary feature counts, or None with a problem."""
    source, wanted = people.source, entry.level
    if len(levels) > 2:
        few = ", ".join(levels[:5] + ("…",) * (len(levels) > 5))
        people.tell(column, f"{len(levels)} values ({few}), expected two for {source.key(where)}")
    elif wanted is None:
        counted = [level for level in levels if YES_NO.get(level.casefold())]
        if len(counted) == 1:
            return counted[0]
        people.problems.append(source.line(where, (
            f"column {column} holds {' and '.join(levels)}, expected level: with one of them (or "
            "kind: categorical or continuous)")))
    elif levels == ("no", "yes") and wanted.casefold() in YES_NO:
        return "yes" if YES_NO[wanted.casefold()] else "no"
    elif wanted not in levels:
        wanted = people.table.columns[column].labels.get(wanted, wanted)
        if wanted not in levels:
            people.problems.append(source.line((*where, "level"), (
                f"{shown(wanted)} is not among the values of column {column}, expected "
                f"{listed(levels)}; did you mean {nearest(wanted, levels)}?")))
    return wanted


def taken_as_answers(features: list[Feature]) -> list[str]:
    """A line for each text feature in which NA, NaN or a dot was read as an answer."""
    counts = {(of.column, level): int((of.values == level).sum())
              for of in features for level in of.levels if level.casefold() in NOT_A_NUMBER}
    return [f"column {column}: {shown(level)} is read as an answer ({n} participants); leave a "
            "cell empty where the answer is missing" for (column, level), n in counts.items()]
