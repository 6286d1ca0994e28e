"""A data table as one record a participant, the same whether the file is wide or long."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

import pandas as pd

from mair.trial.errors import display, listed, nearest, shown
from mair.trial.schema import Measure, TrialFile
from mair.trial.tables import YES_NO, Table, number_of, text_of


@dataclass
class People:
    """Who stands in which row; problems are collected on the way.

    ``rows`` holds each participant's rows in file order; ``visited`` (long files only)
    the row of a participant at a visit. ``stated_in`` is the trial file, as errors name it.
    """

    table: Table
    spec: TrialFile
    stated_in: str = ""
    problems: list[str] = field(default_factory=list)
    rows: dict[str, list[int]] = field(default_factory=dict)
    visited: dict[tuple[str, str], int] = field(default_factory=dict)
    faulty: set[str] = field(default_factory=set)  # columns with a problem in a row
    _absent: set[str] = field(default_factory=set)

    @property
    def ids(self) -> list[str]:
        return list(self.rows)

    @property
    def index(self) -> pd.Index:
        return pd.Index(self.ids, dtype="str", name="participant")

    def column(self, name: str, asked_by: str):
        """A column, or None with a problem saying which key asks for it."""
        if name in self.table.columns:
            return self.table.columns[name]
        if name not in self._absent:
            self._absent.add(name)
            like = nearest(name, self.table.columns)
            self.problems.append(
                f"{display(self.table.path)}: column {name}: not in the file, expected by "
                f"{asked_by}; did you mean {like}?"
            )
        return None

    def tell(self, column: str, who: str | None, rows: list[int] | int, message: str) -> None:
        """Add one problem of a column at a participant and rows."""
        rows = [rows] if isinstance(rows, int) else rows
        self.faulty.add(column)
        numbers = " and ".join(str(self.table.rows[row]) for row in rows)
        at = f"row{'s' if len(rows) > 1 else ''} {numbers}"
        where = at if who is None else f"participant {who} ({at})"
        self.problems.append(f"{display(self.table.path)}: column {column}, {where}: {message}")

    def tell_column(self, column: str, message: str) -> None:
        """Add one problem of a column as a whole."""
        self.problems.append(f"{display(self.table.path)}: column {column}: {message}")

    def tell_key(self, message: str) -> None:
        """Add one problem of a key of the trial file."""
        self.problems.append(f"{self.stated_in}: {message}")

    def once(self, name: str, asked_by: str, numbers: bool = False):
        """What does not change in a participant: (text or cell, row) by participant.

        In a long file a value may stand in any of the participant's rows, but only one
        value. Missing where it stands in none.

        Returns
        -------
        dict of str to (value or None, int), or None
            None when the column is not in the file.
        """
        if (column := self.column(name, asked_by)) is None:
            return None
        found = {}
        for who, rows in self.rows.items():
            given = [(column.texts[r], r) for r in rows if column.texts[r] is not None]
            first, row = given[0] if given else (None, rows[0])
            for other, at in given[1:]:
                same = other == first or (numbers and number_of(other) == number_of(first))
                if not same:
                    self.tell(
                        name,
                        who,
                        [row, at],
                        f"{shown(first)} and {shown(other)}, expected one value a participant",
                    )
                    break
            found[who] = (column.cells[row] if numbers and given else first, row)
        return found


def gather(table: Table, spec: TrialFile, stated_in: str) -> People:
    """Find the participants, in order of first appearance.

    Parameters
    ----------
    table : Table
    spec : TrialFile
    stated_in : str
        The trial file, as errors name it.

    Returns
    -------
    People
        ``problems`` names empty and repeated ids, and visits that the trial does not have.
    """
    people = People(table, spec, stated_in)
    ids = people.column(spec.participant, "participant")
    visits = people.column(spec.visit, "visit") if spec.visit is not None else None
    if ids is None or (spec.visit is not None and visits is None):
        return people
    doubled = []
    for row, who in enumerate(map(text_of, ids.cells)):
        if who is None:
            people.tell(spec.participant, None, row, "empty, expected a participant's id")
        elif visits is None:
            if who in people.rows:
                doubled.append((who, row))
            else:
                people.rows[who] = [row]
        else:
            _place(people, who, row, visits)
    _tell_doubled(people, doubled)
    return people


def _place(people: People, who: str, row: int, visits) -> None:
    """One row of a long file."""
    spec = people.spec
    code, label = text_of(visits.cells[row]), visits.texts[row]
    visit = label if label in spec.visits else code
    people.rows.setdefault(who, []).append(row)
    if visit not in spec.visits:
        held = visits.cells[row] if visits.numeric and label == code else label
        people.tell(spec.visit, who, row, f"{_quoted(held)}, expected {listed(spec.visits)}")
    elif (who, visit) in people.visited:
        first = people.table.rows[people.visited[who, visit]]
        people.tell(
            spec.visit, who, row, f"{visit} again (first in row {first}), expected each visit once"
        )
    else:
        people.visited[who, visit] = row


def _tell_doubled(people: People, doubled: list[tuple[str, int]]) -> None:
    name = people.spec.participant
    if len(doubled) > len(people.rows) / 2 and len(doubled) > 2:
        people.tell_column(
            name,
            f"{len(people.rows)} participants in {len(people.table)} rows, expected one row a "
            "participant (for a long file say visit: <column>)",
        )
        return
    for who, row in doubled:
        first = people.table.rows[people.rows[who][0]]
        people.tell(name, who, row, f"stands in row {first} too, expected one row a participant")


def _quoted(cell) -> str:
    """A cell as an error quotes it: a number without quotes, also where it was read as text."""
    if isinstance(cell, str) and (value := number_of(cell)) is not None and value == value:
        return text_of(cell)
    return shown(cell)


def arms(people: People) -> pd.Series:
    """The arm of each participant as the trial file names it; labels match first, then codes."""
    spec = people.spec.arm
    name, wanted = spec.column, (spec.control, spec.treatment)
    held = people.once(name, "arm.column")
    if held is None:
        return pd.Series(index=people.index, dtype="str")
    column = people.table.columns[name]
    labels = set(column.labels.values())
    code = {label: code for code, label in column.labels.items()}
    matched = {}
    for who, (value, _) in held.items():
        own_code = code.get(value, value)
        by_code = own_code in wanted and own_code not in labels
        matched[who] = value if value in wanted else own_code if by_code else None
    size = Counter(matched.values())
    common = Counter(value for value, _ in held.values())
    nobody = [arm for arm in wanted if people.rows and not size[arm]]
    for arm in nobody:
        key = "control" if arm == spec.control else "treatment"
        values = sorted(value for value in common if value is not None)
        people.tell_column(
            name, f"{shown(arm)} (arm.{key}) is nobody's value, expected one of {_few(values)}"
        )
    for who, (value, row) in held.items():
        # an arm misspelt in the trial file is one problem, not one a participant
        if matched[who] is None and not (nobody and common[value] > 1 and value is not None):
            people.tell(name, who, row, f"{_quoted(value)}, expected {listed(wanted)}")
    for arm in wanted:
        if size[arm] == 1:
            people.tell_column(name, f"1 participant in arm {arm}, expected 2 or more")
    return pd.Series([matched[who] for who in people.ids], index=people.index, dtype="str")


def _few(values: list[str]) -> str:
    return ", ".join(values[:8]) + (", …" if len(values) > 8 else "")


def scores(people: People, key: str, measure: Measure, limits: bool):
    """The scores of an outcome or biomarker by participant and visit.

    Parameters
    ----------
    people : People
    key : str
        Where the trial file declares it, as ``outcomes.FIQ``.
    measure : Measure
    limits : bool
        Whether ``<x`` is a value under the detection limit x: read as x / sqrt(2)
        (Hornung RW, Reed LD. Appl Occup Environ Hyg 1990;5:46-51).

    Returns
    -------
    DataFrame, DataFrame
        Scores (float, nan missing) and whether a score was under its limit (bool), by
        participant; columns are the visits at which it was measured.
    """
    visits = people.spec.visits
    cells: dict[str, list] = {}
    names: dict[str, str] = {}
    if people.spec.visit is None:
        for visit, name in zip(visits, measure.columns, strict=True):
            column = people.column(name, key) if name is not None else None
            if column is not None:
                names[visit] = name
                cells[visit] = [(column.cells[rows[0]], rows[0]) for rows in people.rows.values()]
    elif (column := people.column(measure.column, key)) is not None:
        for visit in visits:
            at = [people.visited.get((who, visit)) for who in people.rows]
            names[visit] = measure.column
            cells[visit] = [(None if r is None else column.cells[r], r) for r in at]
    values, under = {}, {}
    for visit, of_visit in cells.items():
        read = [
            _score(people, names[visit], who, cell, row, measure, limits)
            for who, (cell, row) in zip(people.rows, of_visit, strict=True)
        ]
        values[visit] = [value for value, _ in read]
        under[visit] = [limited for _, limited in read]
    measured = _measured(people, key, names, values)
    frame = pd.DataFrame({v: values[v] for v in measured}, index=people.index, dtype=float)
    return frame, pd.DataFrame({v: under[v] for v in measured}, index=people.index, dtype=bool)


def _score(people, column, who, cell, row, measure, limits) -> tuple[float, bool]:
    """One score, and whether it was under its detection limit; nan where it is wrong."""
    if limits and isinstance(cell, str) and cell.startswith("<"):
        limit = number_of(cell[1:].strip())
        if limit is not None and limit > 0:
            return limit / math.sqrt(2), True
    value = number_of(cell)
    low, high = measure.range or (-math.inf, math.inf)
    if value is not None and (math.isnan(value) or low <= value <= high):
        if measure.transform == "log" and value <= 0:
            people.tell(
                column, who, row, f"{_quoted(cell)}, expected a number above 0 (transform: log)"
            )
            return math.nan, False
        return value, False
    within = f" from {shown(low)} to {shown(high)}" if measure.range else ""
    people.tell(column, who, row, f"{_quoted(cell)}, expected a number{within}")
    return math.nan, False


def _measured(people, key, names, values) -> list[str]:
    """The visits at which it was measured; in a long file those that hold a value."""
    empty = [v for v, read in values.items() if all(math.isnan(x) for x in read)]
    if people.spec.visit is None:
        for visit in empty:
            if names[visit] not in people.faulty and people.rows:
                people.tell_column(
                    names[visit],
                    f"no value at all, expected scores of {key} at {visit} (null in the trial "
                    "file where it was not measured)",
                )
        return list(values)
    reference = people.spec.visits[0]
    column = next(iter(names.values()), None)
    if column is not None and column not in people.faulty and people.rows:
        if len(empty) == len(values):
            people.tell_column(column, f"no value at all, expected scores of {key}")
        elif reference in empty:
            people.tell_column(
                column, f"no value at {reference}, expected scores of {key} at the reference visit"
            )
        elif len(empty) == len(values) - 1:
            people.tell_column(
                column, f"no value after {reference}, expected scores of {key} at a later visit"
            )
    return [v for v in values if v not in empty]


def numbers(people: People, name: str, key: str) -> pd.Series | None:
    """A column of numbers by participant; anything else is a problem."""
    if (held := people.once(name, key, numbers=True)) is None:
        return None
    read = []
    for who, (cell, row) in held.items():
        value = number_of(cell)
        if value is None:
            people.tell(name, who, row, f"{_quoted(cell)}, expected a number")
        read.append(math.nan if value is None else value)
    return pd.Series(read, index=people.index, dtype=float, name=name)


def texts(people: People, name: str, key: str) -> pd.Series | None:
    """A column of text or labels by participant; nan where it is missing."""
    if (held := people.once(name, key)) is None:
        return None
    return pd.Series([v for v, _ in held.values()], index=people.index, dtype="str", name=name)


def yes_no(people: People, name: str, key: str, complete: bool) -> pd.Series | None:
    """A yes/no column by participant: True, False, or None where it is empty.

    Parameters
    ----------
    people : People
    name, key : str
        The column, and the key that names it.
    complete : bool
        Whether an empty cell is a problem.
    """
    if (held := people.once(name, key)) is None:
        return None
    codes = {label: code for code, label in people.table.columns[name].labels.items()}
    read = []
    for who, (value, row) in held.items():
        answer = None
        if value is not None:
            answer = YES_NO.get(value.casefold(), YES_NO.get(codes.get(value, "").casefold()))
        if answer is None and (value is not None or complete):
            people.tell(name, who, row, f"{_quoted(value)}, expected yes or no")
        read.append(answer)
    return pd.Series(read, index=people.index, dtype=object, name=name)
