"""Variables of a trial: outcomes and biomarkers, and what is known of participants at entry."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from mair.trial.errors import listed, nearest, shown
from mair.trial.people import People, numbers, texts
from mair.trial.schema import BaselineEntry
from mair.trial.tables import NOT_A_NUMBER, YES_NO, number_of, text_of


@dataclass(frozen=True)
class Variable:
    """An outcome or a biomarker; ``range`` and ``step`` are in ``unit``."""

    name: str
    section: str
    label: str
    unit: str
    range: tuple[float, float] | None
    step: float | None
    better: str
    primary: bool
    transform: str | None
    visits: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Feature:
    """An entry of the baseline table, or a covariate.

    ``values`` is by participant: float where ``kind`` is continuous, else text, nan where
    missing. ``levels`` are those that occur, in the order of the file's value labels, else
    sorted (codes by number); of a yes/no column always ``("no", "yes")``. ``level`` is the
    one a binary feature counts.
    """

    name: str
    column: str
    label: str
    kind: str
    level: str | None
    levels: tuple[str, ...]
    values: pd.Series = field(repr=False)


def feature(people: People, entry: BaselineEntry, key: str, covariate: bool) -> Feature | None:
    """A feature from a column of the data, its kind inferred where it is not declared.

    Text or labels are categorical; two values are binary, counting yes, true or 1; other
    numbers are continuous. In a covariate numbers are always linear unless declared
    otherwise. A column of nothing but yes and no (true, false, in any case; 1 and 0 where
    the kind is binary) reads ``no`` and ``yes`` in every format.

    Parameters
    ----------
    people : People
        Collects the problems.
    entry : BaselineEntry
    key : str
        The key of the trial file, as errors name it.
    covariate : bool
        Whether it is a covariate without an entry in the baseline table.

    Returns
    -------
    Feature or None
        None when there is a problem.
    """
    name = entry.column or entry.name
    if (column := people.column(name, key)) is None:
        return None
    linear = column.numeric and not column.labelled
    asked = entry.kind or ("binary" if entry.level is not None else None)
    if asked == "continuous" or (linear and asked is None):
        read = numbers(people, name, key)
        if read is None or not _any_value(people, name, key, read):
            return None
        if asked == "continuous" or covariate or read.nunique() != 2:
            return _made(entry, name, "continuous", None, (), read)
    read = texts(people, name, key)
    if read is None or not _any_value(people, name, key, read):
        return None
    read, answers = _answers(read, linear and asked == "categorical")
    present = set(read.dropna())
    if asked is None:
        binary = answers or (len(present) == 2 and not covariate)
        asked = "binary" if binary else "categorical"
    levels = ("no", "yes") if answers else _ordered(present)
    if asked == "categorical":
        return _made(entry, name, asked, None, levels, read)
    level = _level(people, entry, name, key, levels, answers)
    return _made(entry, name, asked, level, levels, read) if level is not None else None


def _made(entry, column, kind, level, levels, values) -> Feature:
    values = values.rename(entry.name)
    return Feature(entry.name, column, entry.label or entry.name, kind, level, levels, values)


def _any_value(people: People, name: str, key: str, read: pd.Series) -> bool:
    if people.rows and read.isna().all() and name not in people.faulty:
        people.tell_column(name, f"no value at all, expected values for {key}")
    return bool(read.notna().any())


def _answers(read: pd.Series, as_codes: bool) -> tuple[pd.Series, bool]:
    """A yes/no column as ``yes`` and ``no``; whether it is one."""
    folded = read.str.casefold()
    if as_codes or not folded.dropna().isin(list(YES_NO)).all():
        return read, False
    said = {text: "yes" if good else "no" for text, good in YES_NO.items()}
    return folded.map(said).astype("str"), True


def _ordered(present: set[str]) -> tuple[str, ...]:
    """Codes by number, else text sorted; never by a file's label order, which a csv has not."""
    if all((value := number_of(text)) is not None and value == value for text in present):
        return tuple(sorted(present, key=number_of))
    return tuple(sorted(present))


def _level(people: People, entry, column: str, key: str, levels, answers: bool) -> str | None:
    """The level a binary feature counts, or None with a problem."""
    if len(levels) > 2:
        few = ", ".join(levels[:5]) + (", …" if len(levels) > 5 else "")
        people.tell_column(column, f"{len(levels)} values ({few}), expected two for {key}")
        return None
    if entry.level is None:
        counted = [level for level in levels if YES_NO.get(level.casefold())]
        if len(counted) == 1:
            return counted[0]
        people.tell_key(
            f"{key}: column {column} holds {' and '.join(levels)}, expected level: with one of "
            "them (or kind: categorical or continuous)"
        )
        return None
    wanted = entry.level
    if answers and wanted.casefold() in YES_NO:
        return "yes" if YES_NO[wanted.casefold()] else "no"
    labels = people.table.columns[column].labels
    if wanted not in levels:
        wanted = labels.get(text_of(wanted), wanted)
    if wanted in levels:
        return wanted
    people.tell_key(
        f"{key}.level: {shown(entry.level)} is not among the values of column {column}, "
        f"expected {listed(levels)}; did you mean {nearest(entry.level, levels)}?"
    )
    return None


def taken_as_answers(features: list[Feature]) -> list[str]:
    """A line for each text feature in which NA, NaN or a dot was read as an answer."""
    lines = []
    for of in features:
        if of.kind == "continuous":
            continue
        for level in of.levels:
            if level.casefold() in NOT_A_NUMBER:
                n = int((of.values == level).sum())
                lines.append(
                    f"column {of.column}: {shown(level)} is read as an answer ({n} participants); "
                    "leave a cell empty where the answer is missing"
                )
    return list(dict.fromkeys(lines))
