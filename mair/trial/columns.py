"""Arms, scores and features of a trial, from the columns of its data."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from mair.trial import scales
from mair.trial.errors import NUMBER, listed, nearest, said, shown
from mair.trial.people import People
from mair.trial.schema import BaselineEntry, Key, Measure
from mair.trial.tables import NOT_A_NUMBER, YES_NO, Column, in_order, number_of


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
    wanted = {"control": arm.control, "treatment": arm.treatment}
    known: dict = {column.named(value): value for value in wanted.values()}
    absent = {key: value for key, value in wanted.items()
              if known[name := column.named(value)] != value or name not in column.texts}
    for key, value in absent.items():
        people.tell(arm.column, "nobody's arm", value, key, column.texts)
    if absent:  # one misspelt in the trial file is one problem, not one a participant
        return pd.Series(None, people.index, dtype="str")
    _leave_out_screened(people, column)
    for text in sorted({*column.texts} - {None, *known}):
        who = {people.who[row] for row, other in enumerate(column.texts) if other == text}
        if n := len(who & people.rows.keys()):
            people.tell(arm.column, "another arm", n, text, wanted.values())
        known[text] = None
    read = people.values(arm.column, where, known.__getitem__,
                         listed(wanted.values()))
    sound = not people.problems
    for value in wanted.values():
        if (n := (read == value).sum()) == 1 or (not n and sound):
            people.tell(arm.column, "few in an arm", n, value)
    return read


def _leave_out_screened(people: People, arm: Column) -> None:
    """Take out, and count, who has neither an arm nor a score after the first visit."""
    visits, held = people.spec.visits, people.table.columns
    measured = [(visit if people.spec.visit else None, name)
                for measure in people.spec.measures().values()
                for visit, names in [*measure.at(visits).items()][1:]
                for name in names if name in held]
    out = [who for who, rows in people.rows.items() if all(value is None for value in (
        *(arm.texts[row] for row in rows),
        *(held[name].cells[people.visited[who, visit]] for visit, name in measured
          if (who, visit) in people.visited)))]
    for who in out:
        del people.rows[who]
    if out:
        people.ignored["not randomised"] = len(out)
        people.note(people.spec.arm.column, "not randomised", len(out), visits[0])


def scores(people: People, where: tuple, measure: Measure) -> tuple[pd.DataFrame, ...]:
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
    DataFrame, DataFrame, DataFrame
        Scores (float, nan missing) and whether a score was under its limit (bool), by
        participant; columns are the visits at which it was measured. Of a scale, the parts of
        which its score at the first visit is made; else without a column.
    """
    key, before, long = people.source.key(where), len(people.problems), people.spec.visit
    values, under, items = {}, {}, pd.DataFrame(index=people.index)
    for visit, names in measure.at(people.spec.visits).items():
        first, at = visit == people.spec.visits[0], visit if long else None
        scale = scales.keys(people.spec).get(measure.scale)
        if first and measure.baseline_column:
            names, at, scale = [measure.baseline_column], None, None
        if not names:
            continue
        if scale:
            scale = _as_stored(people, names, scale, measure.scale, where)
        some = "" if long else said("scores at a visit", key, visit)
        ways = [_scale(measure, where[0] == "biomarkers")] if scale is None else [
            _scale(Measure(range=limits), False) for limits in scales.ranges(scale, stored=True)]
        read = [_read(people, name, where, at, *way, some)
                for name, way in zip(names, ways, strict=True)]
        values[visit] = read[0]
        under[visit] = people.values(names[0], where, lambda cell: str(cell).startswith("<"), "",
                                     cells=True, dtype=bool, visit=at)
        if scale:
            answers = np.array(read).T
            values[visit] = scales.score(answers, scale)
            some, none = np.isnan(answers).any(axis=1), np.isnan(answers).all(axis=1)
            if n := int((some & ~none).sum()):
                lost = int((np.isnan(values[visit]) & ~none).sum())
                people.note(names[0], "items left out", where[1], visit, n, n - lost, lost)
            if first:
                items = pd.DataFrame(scales.parts(answers, scale), people.index)
    frame = pd.DataFrame(values, people.index, dtype=float)
    if long and not frame.empty and len(people.problems) == before:
        frame = _seen(people, measure.column[0], key, frame)
    return frame, pd.DataFrame(under, people.index, dtype=bool)[list(frame)], items


def _read(people: People, name: str, where: tuple, visit: str | None, parser, expected: str,
          some: str) -> pd.Series:
    """The values of a column of numbers; one of nothing but words is one problem."""
    column = people.column(name, where, True)
    words = {text for text in column.texts if text and text.casefold() not in NOT_A_NUMBER} if (
        column) else set()
    if words and not any(map(NUMBER.fullmatch, words)) and len(words) <= len(people.rows) / 2:
        people.tell(name, "words", words, expected)
        return pd.Series(math.nan, people.index)
    return people.values(name, where, parser, expected, some, cells=True, dtype=float, visit=visit)


def _as_stored(people: People, names: list[str], scale: Key, called: str, where: tuple) -> Key:
    """The scale that answers fit, which are perhaps stored one higher or lower: that is told."""
    held = [people.column(name, where, True) for name in names]
    if not all(one and one.numbers for one in held):
        return scale
    answers = np.array([one.numbers for one in held]).T
    if (found := scales.shifted(answers, scale)) is None:
        return scale
    stored, outside = found
    (people.tell if outside else people.note)(
        names[0], "stored otherwise", called, np.nanmin(answers), np.nanmax(answers),
        *(scale.stored or scale.range), stored[0], stored)
    return scale.model_copy(update={"stored": stored}) if outside else scale


def _scale(measure: Measure, limits: bool) -> tuple[Callable, str]:
    """The parser of a score, and what it expects."""
    (low, high), log = measure.range or (-math.inf, math.inf), measure.transform == "log"
    expected = f"a number from {shown(low)} to {shown(high)}" if measure.range else "a number"
    expected = {"binomial": "0 or 1", "poisson": "a count"}.get(measure.family, expected)

    def parser(cell) -> float:
        limited = limits and isinstance(cell, str) and cell.startswith("<")
        value = number_of(cell[1:].strip() if limited else cell)
        if limited and value > 0:
            return value / math.sqrt(2)
        if measure.family and (value < 0 or value % 1 > 0 or (
                measure.family == "binomial" and value > 1)):
            raise ValueError(cell)
        if limited or value < low or value > high or (log and value <= 0):
            raise ValueError(cell)
        return value

    return parser, expected + (" above 0 (transform: log)" if log else "")


def _seen(people: People, name: str, key: str, frame: pd.DataFrame) -> pd.DataFrame:
    """In a long file, the visits that hold a value: the reference and a later one, or one alone."""
    seen, (first, *later) = frame.loc[:, frame.notna().any()], people.spec.visits
    absent = f"after {first}" if first in seen else f"at {first}" if len(seen.columns) else "at all"
    if (seen.shape[1] == 1) == (first in seen and bool(later)):
        people.tell(name, "no scores", absent, key)
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
    name, key = entry.column or entry.name, people.source.key(where)
    kind, some = entry.kind or ("binary" if entry.level is not None else None), f"values for {key}"
    if (column := people.column(name, where, kind in (None, "continuous"))) is None:
        return None
    if kind is None and column.dates:
        people.tell(name, "a date", key)
        return None
    if kind is None and column.strays:
        people.tell_cells(name, said("a number as elsewhere"), [
            ((row,), shown(column.cells[row])) for row in column.strays])
        return None
    linear, level, levels = bool(column.numbers) and not column.labelled, None, ()
    if kind == "continuous" or (linear and kind is None):
        values = people.numbers(name, where, some)
        if covariate or values.nunique() != 2:
            kind = "continuous"
    if kind != "continuous":
        values = people.texts(name, where, some)
        present, folded = set(values.dropna()), values.str.casefold()
        levels = tuple(in_order(present))
        coded = linear and kind == "categorical"
        if answers := present and not coded and set(folded.dropna()) <= set(YES_NO):
            values = folded.map({text: "yes" if yes else "no" for text, yes in YES_NO.items()})
            levels = ("no", "yes")
        if entry.levels and present:
            levels = _ordered(people, entry, column, where, levels)
        two = answers or (len(present) == 2 and not covariate)
        kind = kind or ("binary" if two else "categorical")
        if kind == "binary" and present:
            level = _level(people, entry, column, where, levels)
    return Feature(entry.name, name, entry.label or entry.name, kind, level, levels,
                   values.rename(entry.name))


def _ordered(people: People, entry, column: Column, where: tuple, present: tuple) -> tuple:
    """The levels that occur in the order that is asked for."""
    order, labels = [column.named(one) for one in entry.levels], column.labels
    if entry.levels == "labels":
        codes = sorted(labels, key=lambda code: (not NUMBER.fullmatch(code), len(code), code))
        order = [labels[code] for code in codes]
    if absent := [one for one in present if one not in order]:
        people.refuse((*where, "levels"), "level without a place", order, absent[0],
                      entry.column or entry.name)
    return tuple(one for one in order if one in present)


def _level(people: People, entry, column: Column, where: tuple, levels: tuple) -> str | None:
    """The level a binary feature counts, or None with a problem."""
    wanted, name = entry.level, entry.column or entry.name
    if len(levels) > 2:
        people.tell(name, "more than two", len(levels), levels, people.source.key(where))
    elif wanted is None:
        counted = [level for level in levels if YES_NO.get(level.casefold()) and level != "1"]
        if len(counted) == 1:
            return counted[0]
        people.refuse(where, "which level", name, " and ".join(levels))
    elif levels == ("no", "yes") and wanted.casefold() in YES_NO:
        return "yes" if YES_NO[wanted.casefold()] else "no"
    elif (wanted := column.named(wanted)) not in levels:
        people.refuse((*where, "level"), "no such level", wanted, name, levels,
                      nearest(wanted, levels))
    return wanted

