"""Who stands in which row of the data, and a column by participant, wide or long alike."""

import re
from collections.abc import Callable
from itertools import chain

import pandas as pd

from mair.trial.errors import display, folded, nearest, said, shown, some, written
from mair.trial.file import Source
from mair.trial.schema import TrialFile
from mair.trial.tables import YES_NO, Column, Table, number_of, text_of

MOST_LINES = 10  # of one column; more wrong cells are one line with their number
NO_ANSWER = re.compile(  # of a label, or of a cell among words
    r"missing|unknown|refus|no (answer|data)|don.?t know|not (done|asked|known|appl|avail)"
    r"|^(#?n[/.]?a\.?|nan|null|ns/?nc|k\.? ?a\.?|[-–?.]+)$", re.IGNORECASE)


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
        Each participant's rows, in the order in which the file first names them; those at
        visits that are left out stand last.
    visited : dict of (str, str or None) to int
        The row of a participant at a visit; None in a wide file.
    problems : list of str
    lines : list of str
        What may be meant otherwise of the whole; ``notices`` has those of columns, too.
    ignored, other_arms : dict of str to int
        Rows left out by what they hold; people of arms that are not compared.
    """

    def __init__(self, table: Table, spec: TrialFile, source: Source):
        self.table, self.spec, self.source = table, spec, source
        self.problems: list[str] = []
        self.lines = [f"{table.path.name}: {line}" for line in table.notices]
        self._noted: dict[tuple, list[tuple]] = {}
        self.ignored: dict[str, int] = {}
        self.other_arms: dict[str, int] = {}
        self._asked: dict[tuple, Column] = {}
        self._ambiguous: set[str] = set()
        self.rows: dict[str, list[int]] = {}
        self.visited: dict[tuple, int] = {}
        self._aside: set[int] = set()
        self.who: list[str | None] = [None] * len(table.rows)
        ids = self.column(spec.participant, ("participant",))
        visits = self.column(spec.visit, ("visit",)) if spec.visit else None
        if ids:
            self.who = [text_of(cell) for cell in ids.cells]
            if visits or not spec.visit:
                self._place(visits)

    def _place(self, visits: Column | None) -> None:
        """Who stands in which row: at each visit once, in a wide file (visits: None) once."""
        known, skipped = self.spec.visits if visits else [None], self._ignored()
        empty, wrong, again = [], [], []
        for row, who in enumerate(self.who):
            if row in skipped:
                continue
            if row in self._aside and who is not None:
                self.rows.setdefault(who, []).append(row)
                continue
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
        self.tell_cells(self.spec.visit, said("one of the visits", known), wrong)
        self.tell_cells(self.spec.visit or self.spec.participant, said(
            "a visit once" if visits else "a participant once"), again)
        for rows in self.rows.values():
            rows.sort(key=self._aside.__contains__)
        self._spelled_alike()

    def _ignored(self) -> set[int]:
        """Rows that the trial file leaves out; of an arm that is left out, all of its people's.

        Those at visits that are left out go to ``_aside``: whose they are was randomised all the
        same, and what does not change may stand there alone, as the age at a screening.
        """
        asked, spec, out = self.spec.ignore, self.spec, set()
        for where, name, values in (
                (("ignore", "arms"), spec.arm.column, asked.arms),
                (("ignore", "visits"), spec.visit, asked.visits),
                *((("ignore", "where", name), name, v) for name, v in asked.where.items())):
            column = self.column(name, where) if values and name else None
            key = self.source.key(where)
            for value in values if column else ():
                rows = {row for row, held in enumerate(zip(
                    column.texts, map(text_of, column.cells), strict=True)) if value in held}
                if not rows:
                    self.tell(name, "nowhere", value, key, column.texts)
                elif where[1] == "arms":
                    people = {self.who[row] for row in rows}
                    rows = {row for row, who in enumerate(self.who) if who in people}
                    self.other_arms[value] = len(people)
                else:
                    self.ignored[f"ignored: {name} {value}"] = len(rows - out - self._aside)
                self.note(name, "rows left out", value, key, n=len(rows))
                (self._aside if where[1] == "visits" else out).update(rows)
        return out

    def _spelled_alike(self) -> None:
        """Ids that differ in case, blanks or leading zeros only: one person, or a notice."""
        alike: dict[str, list[str]] = {}
        for who in self.rows:
            alike.setdefault(re.sub(r"0*(\d+)", r"\1", folded(who)), []).append(who)
        wrong, apart = [], []
        for first, other in ((ids[0], other) for ids in alike.values() for other in ids[1:]):
            visits = [visit for who, visit in self.visited if who in (first, other)]
            pair = self.rows[first][0], self.rows[other][0]
            if self.spec.visit and len({*visits}) == len(visits):
                wrong.append((pair, said("spelled twice", first, other)))
            else:
                apart += [first, other]
        self.tell_cells(self.spec.participant, "one spelling a participant", wrong)
        if apart:
            self.note(self.spec.participant, "spelled alike", len(apart) // 2, who=apart)

    @property
    def index(self) -> pd.Index:
        """The participants' ids."""
        return pd.Index(list(self.rows), dtype="str", name="participant")

    def column(self, name: str, where: tuple, numeric: bool = False) -> Column | None:
        """A column; None, with a problem naming the key that asks for it, where there is none.

        ``numeric``: it is to hold numbers, so decimal commas are read.
        """
        if name not in self.table.columns:
            self.tell(name, *(("one of several", self.source.key(where), name) if (
                f"{name} (1)" in self.table.columns) else (
                "no column", self.source.key(where), nearest(name, self.table.columns))))
            return None
        if (name, numeric) not in self._asked:
            plain = self._plain(name) if not numeric else self.column(name, where)
            self._asked[name, numeric] = self._numeric(name, plain) if numeric else plain
        return self._asked[name, numeric]

    def _plain(self, name: str) -> Column:
        """A column with its codes for missing taken out, and only text that can be shown."""
        column, codes = self.table.columns[name], self.spec.read.missing
        texts = [((row,), cell) for row, cell in enumerate(column.cells) if isinstance(cell, str)]
        self.tell_cells(name, "text without control characters", [
            (row, shown(cell)) for row, cell in texts if not written(cell)])
        if self.table.path.suffix.lower() == ".xlsx" and (formulas := [
                (row, f"the formula {shown(cell)}") for row, cell in texts if cell[0] == "="]):
            self.tell_cells(name, said("a stored value"), formulas)
            self._ambiguous.add(name)
        for code in codes:
            column, before = column.without(code), column
            if n := column.cells.count(None) - before.cells.count(None):
                self.note(name, "declared missing", code, n=n)
        return column

    def _numeric(self, name: str, column: Column) -> Column:
        """A column of numbers by its decimal mark: stated, or the only one that occurs."""
        marks, stated = column.marks, self.spec.read.decimal
        for code, label in {} if column.labelled else column.labels.items():
            if NO_ANSWER.search(label) and (n := [*map(text_of, column.cells)].count(code)):
                self.tell(name, "labelled missing", code, n, label)
                self._ambiguous.add(name)
        if not stated and (len(marks) == 2 or (marks.keys() == {","} and column.thousands)):
            self.tell(name, "decimal marks", " beside ".join(
                f"{shown(text_of(column.cells[row]))} (row {self.table.rows[row]})"
                for row in marks.values()))
            self._ambiguous.add(name)
        elif not stated and marks.keys() == {","}:
            who = [self.who[row] for row, cell in enumerate(column.cells) if "," in str(cell)]
            self.note(name, "decimal comma", n=len(who), who=who * (len(who) <= MOST_LINES))
            stated = ","
        return column.read_with(stated) if stated else column

    def note(self, name: str, sentence: str, *values, n: int | None = None, who=()) -> None:
        """Note what may be meant otherwise; ``n`` counts what of the column it concerns.

        Participants are named where nothing is kept.
        """
        told = self._noted.setdefault((sentence, repr(values)), [])
        told.append((name, n, [*map(str, who)], values))

    @property
    def notices(self) -> list[tuple[str, str]]:
        """Lines without and with participants' ids; alike of several columns, it is one line."""
        found = [(line, line) for line in self.lines]
        for (sentence, _), told in self._noted.items():
            names, counts, ids, (values, *_) = zip(*told, strict=True)
            total, who = [] if None in counts else [sum(counts)], [*dict.fromkeys(chain(*ids))]
            line = (f"{self.table.path.name}: column{'s' if len(names) > 1 else ''} "
                    f"{some(names, 3)}: {said(sentence, *total, *values)}")
            found.append((line, line + f" (participants {some(who, MOST_LINES)})" * bool(who)))
        return found

    def tell(self, name: str, sentence: str, *values, where: str = "") -> None:
        """Note a problem of a column, unless how to read it is the problem."""
        if name not in self._ambiguous:
            self.problems.append(f"{display(self.table.path)}: column {name}{where}: "
                                 f"{said(sentence, *values)}")

    def refuse(self, where: tuple, sentence: str, *values) -> None:
        """Note a problem of a key of the trial file that the data show."""
        self.problems.append(self.source.line(where, sentence, *values))

    def tell_cells(self, name: str, expected: str, wrong: list[tuple[tuple, str]]) -> None:
        """Note cells of a column, each as its rows and what stands there; many in one line."""
        if len(wrong) <= MOST_LINES:
            for rows, held in wrong:
                self.tell(name, "cell", held, expected, where=f", {self._at(rows)}")
            return
        first = {held: rows for rows, held in reversed(wrong)}
        some = [f"{held} at {self._at(rows)}" for held, rows in sorted(
            first.items(), key=lambda one: one[1])]
        self.tell(name, "cell", ", ".join(some[:3] + ["…"] * (len(some) > 3)), expected,
                  where=f", {len(wrong)} cells")

    def _at(self, rows: tuple) -> str:
        numbers, who = " and ".join(str(self.table.rows[row]) for row in rows), self.who[rows[0]]
        where = f"row{'s' if len(rows) > 1 else ''} {numbers}"
        return where if who is None else f"participant {who} ({where})"

    def values(self, name: str, where: tuple, parser: Callable, expected: str, some: str = "",
               cells: bool = False, dtype="str", visit: str | None = None) -> pd.Series:
        """A column by participant: at a visit of a long file, or what does not change.

        The latter may stand in any of the participant's rows, but only as one value.

        Parameters
        ----------
        name, where : str, tuple
            The column, and the key that names it; all is missing where there is no such column.
        parser : callable
            A cell to its value; None or nan where it is missing, ValueError or KeyError where
            it is not what the column may hold.
        expected : str
            What a cell is to be.
        some : str
            What the column is to hold, where a column without any value is a problem.
        cells : bool
            Whether the parser takes the cell, else its text: a label for a code.
        dtype
            Of the values.
        visit : str, optional
            Where a long file has one value a visit; missing where there is no such row.
        """
        if (column := self.column(name, where, cells)) is None:
            return pd.Series(None, self.index, dtype=dtype, name=name)
        texts, values, several, wrong = column.texts, [], [], []
        same = column.numbers or texts
        for who, rows in self.rows.items():
            if visit is not None:
                rows = [self.visited[who, visit]] if (who, visit) in self.visited else [None]
            row, *others = [row for row in rows if row is not None and texts[row] is not None] or (
                rows[:1])
            if differ := [other for other in others if same[other] != same[row] and (
                    row in self._aside or other not in self._aside)]:
                several.append(((row, differ[0]), " and ".join(
                    shown(texts[one]) for one in (row, differ[0]))))
            cell = None if row is None else (column.cells if cells else texts)[row]
            try:
                values.append(parser(cell))
            except (KeyError, ValueError):
                values.append(None)
                wrong.append(((row,), shown(cell)))
        self.tell_cells(name, "one value a participant", several)
        self.tell_cells(name, expected, wrong)
        if some and values and not wrong and all(v is None or v != v for v in values):
            self.tell(name, "no value", some)
        return pd.Series(values, self.index, dtype=dtype, name=name)

    def numbers(self, name: str, where: tuple, some: str = "") -> pd.Series:
        """A column of numbers by participant; anything else is a problem."""
        return self.values(name, where, number_of, "a number", some, cells=True, dtype=float)

    def texts(self, name: str, where: tuple, some: str = "") -> pd.Series:
        """A column of text or labels by participant; nan where it is missing."""
        return self.values(name, where, lambda text: text, "text", some)

    def good(self, name: str, where: tuple, better: str | None) -> pd.Series:
        """Who has the good value of a column: True, False, or None where it is empty.

        ``better``: yes or no of a yes/no column (None: yes), or any other value.
        """
        column, word = self.table.columns.get(name), YES_NO.get((better or "yes").casefold())
        others = column and not {*map(str.casefold, {*column.texts} - {None})} <= {*YES_NO}
        if column is None or (word is not None and not (others and (better or "").isdigit())):
            values, wanted = self.yes_no(name, (*where, "column"), False), word
        else:
            values = self.texts(name, (*where, "column"), "a result")
            wanted = column.named(better)
            if not (values == wanted).any():
                self.refuse((*where, "better"), "nobody's result", better, name, values.dropna())
        return (values == wanted).astype(object).where(values.notna(), None)

    def yes_no(self, name: str, where: tuple, complete: bool) -> pd.Series:
        """A yes/no column by participant: True, False, or None where it is empty.

        ``complete`` says whether an empty cell is a problem.
        """
        column, known = self.column(name, where), {} if complete else {None: None}
        known |= column.answers if column else {}
        return self.values(name, where, known.__getitem__, "yes or no", "yes or no", dtype=object)
