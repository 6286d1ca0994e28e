"""``make new``: a draft of a trial file from a data file, each guess with what it rests on."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pandas as pd

from mair.trial import readers
from mair.trial.errors import ROOT, listed, refused
from mair.trial.tables import YES_NO, Column, Table, in_order

IDS = re.compile(r"(^|_)(id|subj\w*|participant\w*|patient\w*|record\w*|pid)($|_)", re.I)
ARMS = re.compile(r"arm|group|grp|treat|trt|alloc|random|condition|interv", re.I)
VISITS = re.compile(r"visit|time|event|month|week|wave|occasion|session_no", re.I)
CONTROLS = re.compile(r"control|placebo|usual|tau|standard|wait|sham|relax|^rt$|^0$|^no", re.I)
FIRST = re.compile(r"base|pre|before|entry|^t?0$|^bl$", re.I)
STEM = re.compile(r"(.*?[A-Za-z\d])[ _.-]?(base\w*|bl|pre|post\w*|before|after|end|fu\w*"
                  r"|follow\w*|[tvmw]?\d+\w?)$", re.I)
TEMPLATE = ROOT / "mair" / "data" / "draft.yaml.j2"
GAP = "# <- to be filled in: "


def main(data: str, out: str) -> Path:
    """Write the draft; refuse where a file of this name stands.

    Raises
    ------
    TrialError
        The data cannot be read, or ``out`` exists or cannot be written.
    """
    source, target = Path(data).absolute(), Path(out).absolute()
    if os.path.lexists(target):
        raise refused(target, "exists")
    text = lines(readers.read(source), os.path.relpath(source, target.parent))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise refused(target, "cell", error.strerror, "a new file") from None
    return target


def lines(table: Table, data: str) -> str:
    """The text of the draft.

    Parameters
    ----------
    table : Table
    data : str
        The data file as the trial file is to name it.

    Returns
    -------
    str
        YAML; what was guessed ends in a comment, what could not be is a marked gap.
    """
    import jinja2

    texts = pd.DataFrame({name: column.texts for name, column in table.columns.items()})
    held = {name: in_order(texts[name].dropna()) for name in texts}
    who, visit = _participant(texts)
    arm, control, treatment, sure = _arms(held, {who, visit})
    taken = {who, visit, arm}
    if visit:
        visits = held[visit] if table.columns[visit].numbers else [*texts[visit].dropna().unique()]
        changes = texts.groupby(who).nunique().max() > 1
        measured = {name: {visit: name} for name, column in table.columns.items()
                    if name not in taken and column.numbers and changes[name]}
    else:
        visits, measured = _stems(table, taken)
    visits, outcomes = sorted(visits, key=lambda one: not FIRST.search(one)), []
    for name, columns in measured.items():
        numbers = [x for one in columns.values() for x in table.columns[one].numbers if x == x]
        outcomes.append({"name": name, "low": min(numbers), "high": max(numbers),
                         "columns": name if visit else [columns.get(one) for one in visits]})
        taken |= {*columns.values()}
    rows = [_row(name, column, held[name]) for name, column in table.columns.items()
            if name not in taken and held[name]]
    scores, answers = ([one["name"] for one in rows if one.get("kind") == kind] for kind in (
        "numbers", "no or yes"))
    results = [] if outcomes else [*scores[-1:], *answers[-1:]]
    environment = jinja2.Environment(  # YAML, no markup: `said` quotes
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True)
    environment.filters |= {"said": _said, "listed": lambda names: listed(names[:8])}
    return environment.from_string(TEMPLATE.read_text("utf-8")).render(
        name=Path(data).name, stem=Path(data).stem, data=data, n=len(table.rows), gap=GAP,
        who=who, visit=visit, arm=arm, control=control, treatment=treatment, sure=sure,
        values=held.get(arm, ["nothing"]), visits=visits, outcomes=outcomes, scores=scores,
        answers=answers, rows=[one for one in rows if one["name"] not in results],
        others=[value for value in held.get(arm, []) if value not in (control, treatment)])


def _row(name: str, column: Column, values: list[str]) -> dict:
    """An entry of the baseline table, by its values."""
    if column.dates or column.strays or (len(values) > 8 and not column.numbers):
        why = "dates" if column.dates else "not all numbers" if column.strays else "free text"
        return {"name": name, "left_out": why}
    if len(values) == 2 and not {value.casefold() for value in values} <= {*YES_NO}:
        return {"name": name, "level": values[0], "other": values[1]}
    kind = "no or yes" if len(values) == 2 else "numbers" if column.numbers else listed(values)
    return {"name": name, "kind": kind}


def _said(value) -> str:
    """A value as YAML has it on one line; plain words unquoted."""
    if isinstance(value, list):
        return f"[{', '.join(map(_said, value))}]"
    plain = value is not None and re.fullmatch(r"[A-Za-z][\w-]*( [\w-]+)*|\d+", value) and (
        value.lower() not in ("null", "true", "false", "yes", "no"))
    return value if plain else json.dumps(value, ensure_ascii=False)


def _participant(texts: pd.DataFrame) -> tuple[str, str | None]:
    """The column of ids, and of visits where an id stands in several rows."""
    n = texts.nunique()
    who = next(iter([*filter(IDS.search, texts), *n.index[n == len(texts)], *texts]))
    visits = [name for name in sorted(texts, key=lambda name: not VISITS.search(name))
              if 1 < n[name] <= 20 and not texts.duplicated([who, name]).any()]
    return who, visits[0] if visits and n[who] < len(texts) else None


def _arms(held: dict, taken: set) -> tuple[str | None, str | None, str | None, bool]:
    """Column, control, treatment, and whether the control is known by its name."""
    few = [name for name, values in held.items() if name not in taken and 2 <= len(values) <= 6]
    two = [name for name in few if len(held[name]) == 2]
    arm = next(iter([*filter(ARMS.search, few), *two]), None)
    values = held.get(arm, [])
    named = next(filter(CONTROLS.search, values), None)
    values = sorted(values, key=lambda value: value != named)
    return arm, *(*values, None, None)[:2], named is not None


def _stems(table: Table, taken: set) -> tuple[list[str], dict[str, dict[str, str]]]:
    """Visits and outcomes of a wide file, from columns such as ``pain_0`` and ``pain_6``."""
    found: dict[str, dict[str, str]] = {}
    first = ""  # the first visit, which may be "pre" here and "baseline" there
    for name, column in table.columns.items():
        parts = STEM.fullmatch(name)
        if parts and column.numbers and name not in taken:
            visit = parts[2]
            if FIRST.search(visit):
                first = first or visit
                visit = visit if first in found.get(parts[1], {}) else first
            found.setdefault(parts[1], {})[visit] = name
    found = {stem: columns for stem, columns in found.items() if len(columns) > 1 and (
        first in columns or not first)}
    return list(dict.fromkeys(visit for columns in found.values() for visit in columns)), found
