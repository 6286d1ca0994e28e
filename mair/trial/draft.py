"""``make new``: a draft of a trial file from a data file, each guess with what it rests on."""

import json
import os
import re
from dataclasses import replace
from functools import cache, reduce
from pathlib import Path

import pandas as pd

from mair.trial import readers
from mair.trial.errors import NUMBER, ROOT, declared, listed, refused
from mair.trial.notices import far
from mair.trial.people import NO_ANSWER
from mair.trial.schema import Read
from mair.trial.tables import YES_NO, Column, Table, in_order

DATA = ROOT / "mair" / "data"
GAP = "# <- to be filled in: "
LONG = 0.75  # ids of all rows: fewer, and the file has several rows a person


def main(data: str, out: str) -> Path:
    """Write the draft; refuse where a file of this name stands.

    Of a workbook the sheet is read that holds most, which the draft says.

    Raises
    ------
    TrialError
        The data cannot be read, or ``out`` exists or cannot be written.
    """
    source, target = Path(data).absolute(), Path(out).absolute()
    if os.path.lexists(target):
        raise refused(target, "exists")
    table = readers.read(source)
    if table.sheets:
        table = readers.read(source, Read(sheet=max(table.sheets, key=table.sheets.get)))
    text = lines(table, os.path.relpath(source, target.parent))
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

    table, where = _single(table)
    who, visit, again = _participant(texts := _texts(table))
    codes = _codes([column for name, column in table.columns.items() if name != who])
    known = {name: reduce(Column.without, codes, of) for name, of in table.columns.items()}
    table = replace(table, columns={name: of.read_with(",") if {*of.marks} == {","} else of
                                    for name, of in known.items()})
    texts = _texts(table)
    if again:
        texts[who] = texts[again] + " " + texts[who]
    arms = _arms(table, texts.groupby(who).nunique().max() == 1)
    way = (_long if visit else _wide)(table, texts, {"who": who, "visit": visit, "arm": arms[0]})
    rows = [_row(name, column, way) for name, column in table.columns.items()
            if name not in way["taken"] and texts[name].notna().any()]
    scores, answers = ([one["name"] for one in rows if one["kind"] == kind and not one["left_out"]]
                       for kind in ("numbers", "no or yes"))
    results = [] if way["measured"] else [*scores[-1:], *answers[-1:]]
    environment = jinja2.Environment(  # YAML, no markup: `said` quotes
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True)
    environment.filters |= {"said": _said, "listed": lambda names: listed([*names][:8]),
                            "isdigit": str.isdigit}
    return environment.from_string((DATA / "draft.yaml.j2").read_text("utf-8")).render(
        name=Path(data).name, stem=Path(data).stem, data=data, n=len(texts), gap=GAP, table=table,
        codes=codes, where=where, who=who, visit=visit, again=again, way=way, arms=arms,
        scores=scores, answers=answers, rows=[one for one in rows if one["name"] not in results],
        **_outcomes(table, way, visit), labels={
            one: _guess("visit_end").sub("", one).replace("_", " ") for one in way["visits"]
            if _guess("visit_end").search(one)})


def _texts(table: Table) -> pd.DataFrame:
    return pd.DataFrame({name: column.texts for name, column in table.columns.items()})


@cache
def _guess(what: str):
    """The words of ``data/guesses.yaml``: a pattern, or patterns by what they say."""
    words = declared("guesses")[what]
    return re.compile(words, re.I) if isinstance(words, str) else {
        what: re.compile(one, re.I) for what, one in words.items()}


def _single(table: Table) -> tuple[Table, dict[str, list[str]]]:
    """The table without the rows of REDCap's repeated forms, and what leaves them out."""
    name = next(filter(_guess("repeats").search, table.columns), None)
    texts = table.columns[name].texts if name else [None] * len(table.rows)
    keep = [row for row, text in enumerate(texts) if text is None] or [*range(len(texts))]
    return replace(table, columns={
        one: replace(column, cells=[column.cells[row] for row in keep])
        for one, column in table.columns.items()}), {
            name: in_order({*texts} - {None})} if len(keep) < len(texts) else {}


def _codes(columns: list[Column]) -> list[str]:
    """Codes for missing: -99, where it is far outside the rest everywhere; n.a. among numbers."""
    numbers = [pd.Series(column.numbers) for column in columns if column.numbers]
    found = {code for of in numbers for code in far(of.to_numpy())}
    inside = {code for of in numbers for code in found.intersection(of)
              if (rest := of[~of.isin(found)]).min() <= code <= rest.max()}
    words = set()
    for column in columns:
        said = {text for text in column.texts if text and NO_ANSWER.search(text)}
        bare = reduce(Column.without, said, column)
        words |= said if bare.numbers or bare.marks else set()
    return [*(f"{code:g}" for code in sorted(found - inside)), *sorted(words)]


def _participant(texts: pd.DataFrame) -> tuple[str, str | None, str | None]:
    """The column of ids; of visits where an id stands in several rows; what numbers ids anew."""
    n = texts.nunique()
    who = next(iter([*filter(_guess("ids").search, texts), *n.index[n == len(texts)], *texts]))
    if n[who] > LONG * len(texts):
        return who, None, None
    known = texts[texts[who].notna()].drop(columns=texts.columns[n > 50].difference([who]))
    named = [*filter(_guess("visits").search, known.columns.drop(who))]
    once = [name for name in (*named, *known) if 1 < n[name] <= 20
            and not known.duplicated([who, name]).any()]
    again = [] if once else [one for one in known if named and not known.duplicated(
        [who, named[0], one]).any()]
    return who, *(*once, *named, None)[:1], *(*again, None)[:1]


def _arms(table: Table, constant: pd.Series) -> tuple:
    """Column, control, treatment, whether the control is known by its name, and all values."""
    few = {name: values for name, column in table.columns.items()
           if constant.get(name) and not _guess("no_arm").search(name)
           and 2 <= len(values := in_order({*column.texts} - {None})) <= 6}
    arm = next(iter([
        *(name for words in _guess("arms").values() for name in filter(words.search, few)),
        *(name for name, values in few.items() if len(values) == 2)]), None)
    values, labels = few.get(arm, []), table.columns[arm].labels if arm else {}
    ordered = [labels[code] for code in in_order(labels) if labels[code] in values] or values
    named = next(filter(_guess("controls").search, ordered), None)
    control, treatment, *_ = *sorted(ordered, key=lambda value: value != named), None, None
    return arm, control, treatment, named is not None, values


def _long(table: Table, texts: pd.DataFrame, roles: dict) -> dict:
    """Visits and outcomes of a long file: numbers that change and are seen at the first visit.

    Returns
    -------
    dict
        ``visits``; ``measured``, of each outcome its columns by visit; ``taken``, columns that
        have a role; ``late``, those known after the first visit only, and when; ``changing``,
        those that differ from visit to visit; ``aside``, visits that are left out.
    """
    known = texts[texts[[roles["who"], roles["visit"]]].notna().all(axis=1)]
    at, each = known[roles["visit"]], known.groupby(roles["who"])
    order = [*each.cumcount().groupby(at).mean().sort_values(kind="stable").index]
    order = in_order(order) if all(map(NUMBER.fullmatch, order)) else order
    changing = {name for name, most in each.nunique().max().items() if most > 1}
    seen = {name: {*at[known[name].notna()]} for name in known}
    scored = [name for name in known if name in changing - {*roles.values()}
              and table.columns[name].numbers and not _no_row(name)]
    visits = [one for one in order if any(one in seen[name] for name in scored)
              and not _guess("unplanned").search(one)]
    visits.sort(key=lambda one: not _guess("first").search(one))
    measured = {name: {roles["visit"]: name} for name in scored
                if {*visits[:1]} < seen[name] & {*visits}}
    late = {name: listed(sorted(at, key=order.index)) for name, at in seen.items()
            if name not in changing and at <= {*visits[1:]}}
    return {"visits": visits, "measured": measured, "taken": {*measured, *roles.values()},
            "late": late, "changing": changing,
            "aside": [one for one in order if one not in visits]}


def _wide(table: Table, texts: pd.DataFrame, roles: dict) -> dict:
    """The same of a wide file: ``pain_0`` and ``pain_6``, or ``BL.pain`` and ``V3.pain``."""
    names = pd.Series([name for name in texts if name not in roles.values() and not _no_row(name)])
    ways = [_stems(names, form) for form in (r"(?P<stem>.*?[\w)])[ _.-]?(?P<visit>{})",
                                             r"(?P<visit>{})[ _.-](?P<stem>.+)")]
    first = _guess("first").search
    found = max(ways, key=lambda way: [sum(len(of) for of in way.values() if fits(of)) for fits in (
        lambda of: any(map(first, of)), lambda of: len(of) > 1)])
    several = {stem: numbers for stem, of in found.items() if len(numbers := {
        one: name for one, name in of.items() if table.columns[name].numbers}) > 1}
    if begin := {one for of in several.values() for one in of if first(one)}:
        several = {stem: of for stem, of in several.items() if begin & {*of}}
    visits = sorted(dict.fromkeys(one for of in several.values() for one in of),
                    key=lambda one: not first(one))
    plain = [stem.strip(" _.-") for stem in several]
    taken = {name for of in several.values() for name in of.values()} | {*roles.values()}
    return {"visits": visits, "taken": taken, "changing": {}, "aside": [],
            "measured": {short if plain.count(short) == 1 else stem: of
                         for short, (stem, of) in zip(plain, several.items(), strict=True)},
            "late": {name: one for of in found.values() for one, name in of.items()
                     if one in visits[1:]}}


def _stems(names: pd.Series, form: str) -> dict[str, dict[str, str]]:
    """Columns by what they measure and the visit, where their names have this form."""
    form = form.format(_guess("token").pattern)
    parts = names.str.extract(f"^{form}$", re.I)[["stem", "visit"]].assign(name=names).dropna()
    begin = parts[parts["visit"].str.contains(_guess("first"))]
    # the first visit, which may be "pre" here and "baseline" there
    parts.loc[begin.index[~begin.duplicated("stem")], "visit"] = begin["visit"].head(1).max()
    return {stem: dict(zip(of["visit"], of["name"], strict=True))
            for stem, of in parts.groupby("stem", sort=False)}


def _outcomes(table: Table, way: dict, visit: str | None) -> dict:
    """Outcomes as the draft writes them, and the scales of those that are numbered answers."""
    found, scales = {}, {}
    for stem, columns in way["measured"].items():
        of = [table.columns[name] for name in columns.values()]
        numbers = pd.Series([x for one in of for x in one.numbers]).dropna()
        low, high, whole = numbers.min(), numbers.max(), (numbers % 1 == 0).all()
        title = os.path.commonprefix([one.title or "" for one in of])  # noqa: RUF071
        base, item = re.fullmatch(r"(.*?)[ _.-]?(\d*)", stem).groups()
        alike = [one for one in way["measured"] if re.fullmatch(
            re.escape(base) + r"[ _.-]?\d+", one)] if item and whole and high - low <= 10 else []
        name, form = (base, stem.removesuffix(item) + "{item}") if len(alike) > 2 else (stem, stem)
        held = [stem] if visit else [columns.get(one) for one in way["visits"]]
        found.setdefault(name, {
            "title": title.strip(" ,.:;-(["), "low": low, "high": high,
            "columns": [one and one.replace(stem, form, 1) for one in held],
            "binary": whole and (low, high) == (0, 1)})
        if name != stem:
            scale = scales.setdefault(name, {"answered": [], "low": low, "high": high})
            scale |= {"answered": [*scale["answered"], item], "low": min(low, scale["low"]),
                      "high": max(high, scale["high"])}
    first = next(iter([*filter(_guess("score").search, found), *found]), None)
    return {"outcomes": found, "scales": scales, "first": first}


def _no_row(name: str) -> list[str]:
    """What a column is, by its name, that is no characteristic of people."""
    return [what for what, words in _guess("no_row").items() if words.search(name)]


def _row(name: str, column: Column, way: dict) -> dict:
    """An entry of the baseline table, by its name and values."""
    values, texts = in_order({*column.texts} - {None}), [*map(str, column.cells)]
    half, codes = len(texts) / 2, [[*map(str, range(i, i + len(values)))] for i in (0, 1)]
    why = {**dict.fromkeys(_no_row(name), True), "dates": column.dates,
           "two numbers in one cell": half < sum(
               bool(re.fullmatch(r"\d+ ?/ ?\d+", text)) for text in texts),
           "not all numbers": column.strays, "free text": len(values) > 8 and not column.numbers,
           "mostly empty": not column.numbers and column.cells.count(None) > half,
           f"known at {way['late'].get(name)}": name in way["late"],
           "changes between visits": name in way["changing"]}
    numbers = bool(column.numbers) and not column.labelled
    two = len(values) == 2
    return {"name": name, "title": (column.title or "").strip(), "held": values,
            "ordered": column.labelled and not two,
            "left_out": next((what for what, so in why.items() if so), None),
            "level": two and not {value.casefold() for value in values} <= {*YES_NO},
            "codes": numbers and 3 <= len(values) <= 6 and values in codes,
            "kind": "no or yes" if two else "numbers" if numbers else listed(values)}


def _said(value) -> str:
    """A value as YAML has it on one line; plain words unquoted."""
    if isinstance(value, list):
        return f"[{', '.join(map(_said, value))}]"
    plain = value is not None and re.fullmatch(r"[A-Za-z][\w-]*( [\w-]+)*|-?\d+", value) and (
        value.lower() not in ("null", "true", "false", "yes", "no"))
    return value if plain else json.dumps(value, ensure_ascii=False)
