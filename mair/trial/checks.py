"""What the keys of a trial file must agree on among themselves, before any data are read.

The rules read the keys as stated, so that all problems of a file are said at once: a key of
another type than expected is as good as absent here, pydantic says what is wrong with it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

from mair.trial.errors import listed, nearest, shown

Rule = tuple[object, tuple, str]  # whether it is broken, where, and what is wrong
SECTIONS = ("outcomes", "biomarkers")
MISSING = "required key missing"


def problems(raw: dict) -> list[tuple[tuple, str]]:
    """Every disagreement between keys.

    Parameters
    ----------
    raw : dict
        The keys of the trial file as stated.

    Returns
    -------
    list of ((str or int, ...), str)
        Location and message, in the order of the file's keys.
    """
    rules = (_arms, _visits, _measures, _columns, _features, _responders, _harms, _progression,
             _choices)
    return [(where, said) for part in rules for broken, where, said in part(raw) if broken]


def _at(raw: dict, *location, kind: type = str):
    """The value at a location; where it is absent or of another kind, None or an empty one."""
    value: object = raw
    for key in location:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, dict):
        value = {key: inside for key, inside in value.items() if inside is not None}
    return value if isinstance(value, kind) else None if kind is str else kind()


def _texts(raw: dict, *location) -> list[str]:
    return [value for value in _at(raw, *location, kind=list) if isinstance(value, str)]


def _declared(raw: dict) -> list[tuple[str, str]]:
    return [(section, name) for section in SECTIONS for name in _at(raw, section, kind=dict)]


def _number(stated) -> float:
    """A number as stated; nan, of which no rule is broken, where pydantic refuses it."""
    try:
        return float(stated)
    except (TypeError, ValueError):
        return math.nan


def _twice(where: tuple, values: list[str], each: str) -> Iterator[Rule]:
    for value, n in Counter(values).items():
        yield n > 1, where, f"{shown(value)} stands {n} times, expected each {each} once"


def _labels(raw: dict, where: tuple, each: str, names: list[str]) -> Iterator[Rule]:
    labels = _at(raw, *where, kind=dict)
    for name in labels:
        yield name not in names, (*where, name), f"unknown {each}, expected {listed(names)}"
    yield from _twice(where, [str(labels.get(n, n)) for n in dict.fromkeys(names)], "label")


def _arms(raw: dict) -> Iterator[Rule]:
    data, arms = _at(raw, "data"), [_at(raw, "arm", key) for key in ("control", "treatment")]
    yield (not data and not _at(raw, "published"), ("data",),
           f"{MISSING} (it may be left out only with published)")
    yield (data and not _at(raw, "participant"), ("participant",),
           f"{MISSING}: the column of participants' ids")
    yield (arms[0] == arms[1] != None, ("arm", "treatment"),  # noqa: E711
           f"{shown(arms[1])} is the control too, expected two different arms")
    others = _at(raw, "flow", "other_arms", kind=dict)
    for where, name in ((("arm", "control"), arms[0]), (("arm", "treatment"), arms[1]),
                        *((("flow", "other_arms", name), name) for name in others)):
        yield (name in ("overall", "difference"), where,
               f"{shown(name)} is a word of results.csv, expected another name")
        yield (name in arms and where[0] == "flow", where,
               f"is an arm of the trial, expected another than {listed(arms)}")
    yield from _labels(raw, ("arm", "labels"), "arm", arms)
    for key, inside in (("interventions", dict), ("not_reported", str)):
        stated = _at(raw, "about", kind=dict).get(key)
        yield (stated is not None and not (isinstance(stated, list) and all(
            isinstance(one, inside) for one in stated)), ("about", key),
            f"{shown(stated)}, expected a list" + " of keys with values" * (inside is dict))


def _visits(raw: dict) -> Iterator[Rule]:
    visits = _texts(raw, "visits")
    yield raw.get("visits") == [], ("visits",), "[], expected one visit or more"
    twice = any(len(_at(raw, *where, "columns", kind=list)) > 1 for where in _declared(raw))
    yield (raw.get("visits") is None and (twice or _at(raw, "visit")), ("visits",),
           f"{MISSING}: an outcome has more than one")
    yield from _twice(("visits",), visits, "visit")
    yield from _labels(raw, ("visit_labels",), "visit", visits)


def _measures(raw: dict) -> Iterator[Rule]:
    declared, first = _declared(raw), None
    alone = raw.get("published") and not raw.get("data")  # an audit needs no result
    yield (not declared and not raw.get("responders") and not alone, ("outcomes",),
           f"{MISSING} (or biomarkers, or responders): at least one result")
    for section in _at(raw, "describe", kind=dict):
        yield (section in SECTIONS and not raw.get(section), ("describe", section),
               f"there are no {section}, expected a section of the file")
    for where in declared:
        measure = _at(raw, *where, kind=dict)
        yield (where[0] == "biomarkers" and ("outcomes", where[1]) in declared, where,
               "is the name of an outcome too, expected another name")
        if str(measure.get("primary")).lower() == "true":
            yield (first, (*where, "primary"),
                   f"true, but {first} is primary already, expected one primary outcome")
            first = first or where[1]
        yield ("family" in measure and "transform" in measure, (*where, "family"),
               "beside transform, expected one of them: the link is a logarithm already")
        yield from _where_measured(raw, where, measure)


def _where_measured(raw: dict, where: tuple, measure: dict) -> Iterator[Rule]:
    """``columns`` in a wide file, ``column`` in a long one."""
    visit, visits, columns = _at(raw, "visit"), _texts(raw, "visits"), measure.get("columns")
    key, other, shape = ("column", "columns", "long") if visit else ("columns", "column", "wide")
    yield (other in measure, (*where, other), f"{shown(measure.get(other))}, expected {key}: in a "
           f"{shape} file ({f'visit: {visit}' if visit else 'a long file has visit: <column>'})")
    yield (_at(raw, "data") and not {key, other} & set(measure), (*where, key),
           f"{MISSING} in a {shape} file")
    if visits and not visit and isinstance(columns, list):
        seen = [i for i, column in enumerate(columns) if column]
        held = len(columns) == len(visits) and seen and (
            len(seen) == 1) != (seen[0] == 0 and len(visits) > 1)
        yield (not held, (*where, "columns"), f"{shown(columns)}, expected {len(visits)}, one a "
               f"visit ({', '.join(visits)})" + (
                   f": null where it was not measured, but a column at {visits[0]} and a later "
                   "one, or at one later visit alone" if len(visits) > 1 else ""))


def _columns(raw: dict) -> Iterator[Rule]:
    """A column is one thing only: id, visit, arm, or one outcome at one visit."""
    taken: dict[str, str] = {}
    for where in [("participant",), ("visit",), ("arm", "column"), *(
            (*measure, key) for measure in _declared(raw) if not _at(raw, *measure, "scale")
            for key in ("columns", "column"))]:
        for column in [*_texts(raw, *where), *filter(None, [_at(raw, *where)])]:
            yield (column in taken, where,
                   f"{shown(column)} is used by {taken.get(column)} too, expected another column")
            taken.setdefault(column, ".".join(where))


def _features(raw: dict) -> Iterator[Rule]:
    entries = [{"name": entry} if isinstance(entry, str) else entry if isinstance(entry, dict)
               else {} for entry in _at(raw, "baseline", kind=list)]
    names = [name for _, name in _declared(raw)]
    yield from _twice(("baseline",), [e["name"] for e in entries if _at(e, "name")], "name")
    yield from _twice(("covariates",), _texts(raw, "covariates"), "covariate")
    columns = {_at(e, "name"): _at(e, "column") or _at(e, "name") for e in entries}
    taken = {_at(raw, *where): ".".join(where) for where in (
        ("arm", "column"), ("participant",), ("visit",))}
    for where, name in [*((("baseline", i), _at(e, "name")) for i, e in enumerate(entries)),
                        *((("covariates",), name) for name in _texts(raw, "covariates"))]:
        column = columns.get(name, name)
        yield (column is not None and column in taken, where, f"{shown(column)} is the column of "
               f"{taken.get(column)}, expected another column")
    for i, entry in enumerate(entries):
        level, kind = entry.get("level"), entry.get("kind")
        yield (level and kind and kind != "binary", ("baseline", i, "level"),
               f"{shown(level)}, expected only with kind: binary")
        yield (kind in ("binary", "categorical") and not entry.get("column")
               and entry.get("name") in names, ("baseline", i, "kind"),
               f"{kind}, expected continuous for an outcome")


def _responders(raw: dict) -> Iterator[Rule]:
    stated = raw.get("responders")
    if stated is None:
        return
    entries = stated if isinstance(stated, list) else [stated]
    yield from _twice(("responders",), [
        name for one in entries if (name := _at(one, "column"))], "column")
    yield (sum(bool(_at(one, "outcome")) for one in entries) > 1, ("responders",),
           "two outcomes, expected reductions of one")
    for i, one in enumerate(entries):
        yield from _criterion(raw, ("responders", i) if entries is stated else ("responders",), one)


def _harms(raw: dict) -> Iterator[Rule]:
    stated = _at(raw, "harms", kind=dict)
    yield (bool(raw.get("harms")) and ("column" in stated) == ("data" in stated), ("harms",),
           "expected either column, or data with term")
    own = sorted({"participant", "term", "terms"} & {*stated})
    yield ("column" in stated and own, ("harms", "column"),
           f"beside {listed(own)}, expected only with data")


def _progression(raw: dict) -> Iterator[Rule]:
    flow, visits = _at(raw, "flow", kind=dict), _texts(raw, "visits")
    for name, one in _at(raw, "progression", kind=dict).items():
        where, one = ("progression", name), _at({"one": one}, "one", kind=dict)
        own, need = {"recruitment": (["months", "ineligible"], "assessed"),
                     "adherence": (["sessions"], "sessions")}.get(name, (["visit"], ""))
        green, amber = (_number(one.get(key)) for key in ("green", "amber"))
        share = "months" not in one
        yield (amber >= green or (share and green > 1), where, f"amber {amber:g}, green {green:g}, "
               "expected amber below green" + ", and proportions" * share)
        yield (set(one) - {"green", "amber", *own}, where,
               f"{listed(one)}, expected {listed(['green', 'amber', *own])}")
        yield need and share and need not in flow, ("flow", need), f"{MISSING} by {name}"
        yield name == "adherence" and "sessions" not in one, (*where, "sessions"), MISSING
        for key, known in (("visit", visits), ("ineligible", _at(flow, "excluded", kind=dict))):
            for stated in [*_texts(one, key), *filter(None, [_at(one, key)])]:
                yield (stated not in known and (visits or key != "visit"), (*where, key),
                       f"{shown(stated)}, expected {listed(known)}")


def _criterion(raw: dict, where: tuple, stated) -> Iterator[Rule]:
    """One way to tell who responded."""
    stated, visits = stated if isinstance(stated, dict) else {}, _texts(raw, "visits")
    names = [name for _, name in _declared(raw)]
    by_outcome, by_column = ([key for key in keys if key in stated] for keys in (
        ("outcome", "reductions"), ("column", "better")))
    if by_outcome and by_column:
        yield (True, where, f"{listed(by_outcome)} beside {listed(by_column)}, expected "
               "outcome with visit and reductions, or column with better")
    else:
        for key in ("column",) if by_column else ("outcome", "visit", "reductions"):
            yield key not in stated, (*where, key), MISSING
    outcome, visit, cuts = (stated.get(key) for key in ("outcome", "visit", "reductions"))
    unknown = outcome is not None and outcome not in names
    yield (unknown, (*where, "outcome"),
           f"{shown(outcome)}, expected an outcome; did you mean {nearest(outcome, names)}?")
    columns = [column for section in SECTIONS
               for column in _at(raw, section, str(outcome), "columns", kind=list)]
    seen = columns if len(columns) == len(visits) else visits
    later = [visit for visit, column in zip(visits[1:], seen[1:], strict=True) if column]
    of = f" of {outcome}" if outcome else ""
    yield (seen and not unknown and outcome and not (later and seen[0]), (*where, "outcome"),
           f"{shown(outcome)} is seen once, expected one with a baseline to be reduced")
    yield (visit and visits and not unknown and visit not in (later or visits),
           (*where, "visit"), f"{shown(visit)}, expected a later visit{of}: {listed(later)}")
    yield (isinstance(cuts, list) and (not cuts or len(set(map(str, cuts))) < len(cuts)),
           (*where, "reductions"), f"{shown(cuts)}, expected one fraction or more, each once")


def _choices(raw: dict) -> Iterator[Rule]:
    strata = _at(raw, "allocation", "strata")
    yield (strata and _at(raw, "allocation", "scheme") != "blocks", ("allocation", "strata"),
           f"{shown(strata)}, expected only with scheme: blocks")
    size = _at(raw, "sample_size", kind=dict)
    mean, relative = (key in size for key in ("mean", "relative_difference"))
    yield (mean != relative, ("sample_size", "relative_difference" if mean else "mean"),
           f"{MISSING}: mean and relative_difference")
    yield (size and not (mean or relative or "difference" in size), ("sample_size", "difference"),
           f"{MISSING} (or mean with relative_difference)")
    alpha, power, sd, difference = (_number(size.get(key, default)) for key, default in (
        ("alpha", 0.05), ("power", 0.8), ("sd", None), ("difference", None)))
    yield (power <= alpha, ("sample_size", "power"),
           f"{power:g}, expected a number above alpha ({alpha:g})")
    yield (not 0.01 <= (ratio := difference / sd if sd else 1) <= 10 and ratio > 0,
           ("sample_size", "difference"),
           f"{difference:g} is {ratio:.2g} standard deviations, expected 0.01 to 10")
    chosen = _at(raw, "analysis", kind=dict)
    rule, estimator = chosen.get("missing", "observed"), chosen.get("estimator", "difference")
    yield (rule != "observed" and estimator != "difference", ("analysis", "missing"),
           f"{rule} with estimator {estimator}, expected estimator difference")
    imputed = chosen.get("responder_missing") == "mi-mar"
    criteria = raw.get("responders")
    by_outcome = any(_at(one, "outcome") for one in (
        criteria if isinstance(criteria, list) else [criteria]))
    yield (imputed and not by_outcome, ("analysis", "responder_missing"),
           "mi-mar, expected responders by an outcome's reductions: a yes/no column has no scores "
           "to impute")
