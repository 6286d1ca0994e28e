"""What the keys of a trial file must agree on among themselves, before any data are read.

The rules read what pydantic accepts of the keys, so that all problems of a file are said at once:
a key that it refuses is as good as absent here. Their sentences stand in ``data/sentences.yaml``.
"""

from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from functools import reduce

from pydantic import Field, ValidationError

from mair.trial.errors import nearest
from mair.trial.schema import Arm, Describe, Flow, Measure, Responders, Section, Text, TrialFile

Rule = tuple  # whether it is broken, where, its sentence, and what that sentence names


class Stated(TrialFile):
    """What of a trial file is sound: of the keys that it must have, those that it has."""

    arm: Arm | None = None
    visits: list[Text] = Field([])


def at(content, location: tuple):
    """The value at a location of a trial file as stated; None where there is none."""
    try:
        return reduce(lambda inside, part: inside[part], location, content)
    except (KeyError, IndexError, TypeError):
        return None


def sound(raw: dict) -> tuple[Stated, list[dict]]:
    """The keys that pydantic accepts, and its errors, whose ``loc`` is a place in the file.

    Parameters
    ----------
    raw : dict
        The keys of the trial file as stated.
    """
    try:
        return Stated.model_validate(raw), []
    except ValidationError as refused:
        errors = [error | {"loc": single(raw, error["loc"])}
                  for error in refused.errors(include_url=False)]
    kept = deepcopy(raw)
    for *above, key in {_stated(raw, error["loc"]) for error in errors}:
        (at(kept, above) or {}).pop(key, None)
    return sound(kept)[0], errors


def single(raw: dict, location: tuple) -> tuple:
    """A location without the place in a list of which a single entry stands by itself."""
    return tuple(part for i, part in enumerate(location)
                 if not (isinstance(part, int) and isinstance(at(raw, location[:i]), dict)))


def _stated(raw: dict, location: tuple) -> tuple:
    """The nearest key at a location or above it that stands in the file."""
    above = at(raw, location[:-1])
    there = isinstance(above, dict) and location[-1] in above
    return location if there else _stated(raw, location[:-1])


def problems(spec: Stated) -> Iterator[tuple]:
    """Every disagreement between keys: location, sentence and what it names."""
    for part in (_arms, _visits, _measures, _columns, _features, _responders, _harms,
                 _progression, _choices):
        yield from (rule for broken, *rule in part(spec) if broken)


def _keys(stated: Section) -> list[str]:
    """The keys that a section of the file states."""
    return [*stated.model_dump(exclude_unset=True, exclude_none=True)]


def _twice(where: tuple, values: list[str], each: str) -> Iterator[Rule]:
    for value, n in Counter(values).items():
        yield n > 1, where, "stands twice", value, n, each


def _labels(where: tuple, each: str, labels: dict, names: list[str]) -> Iterator[Rule]:
    for name in labels:
        yield name not in names, (*where, name), "label of none", each, names
    yield from _twice(where, [labels.get(n, n) for n in dict.fromkeys(names)], "label")


def _arms(spec: Stated) -> Iterator[Rule]:
    yield not spec.arm, ("arm",), "missing"
    yield not (spec.data or spec.published), ("data",), "no data"
    yield spec.data and not spec.participant, ("participant",), "no participant"
    for key, inside, kind in (("interventions", dict, " of keys with values"),
                              ("not_reported", str, "")):
        held = spec.about.get(key, [])
        yield (not isinstance(held, list) or not all(isinstance(one, inside) for one in held),
               ("about", key), "no list", kind)
    if not spec.arm:
        return
    arms, others = [spec.arm.control, spec.arm.treatment], (spec.flow or Flow()).other_arms
    yield arms[0] == arms[1], ("arm", "treatment"), "one arm"
    for where, name in ((("arm", "control"), arms[0]), (("arm", "treatment"), arms[1]),
                        *((("flow", "other_arms", name), name) for name in others)):
        yield name in ("overall", "difference"), where, "word of results", name
        yield name in arms and where[0] == "flow", where, "other arm compared", arms
    yield from _labels(("arm", "labels"), "arm", spec.arm.labels, arms)


def _visits(spec: Stated) -> Iterator[Rule]:
    stated = "visits" in spec.model_fields_set
    several = spec.visit or any(len(one.columns or ()) > 1 for one in spec.measures().values())
    yield stated and not spec.visits, ("visits",), "no visits"
    yield several and not stated, ("visits",), "visits missing"
    yield from _twice(("visits",), spec.visits, "visit")
    yield from _labels(("visit_labels",), "visit", spec.visit_labels, spec.visits)


def _measures(spec: Stated) -> Iterator[Rule]:
    declared, first = spec.measures(), None
    alone = spec.published and not spec.data  # an audit needs no result
    yield not (declared or spec.responders or alone), ("outcomes",), "no result"
    for section in _keys(spec.describe or Describe()):
        yield not getattr(spec, section), ("describe", section), "nothing to describe", section
    for where, measure in declared.items():
        section, name = where
        yield section == "biomarkers" and ("outcomes", name) in declared, where, "name of another"
        yield measure.primary and first, (*where, "primary"), "primary twice", first
        first = first or (name if measure.primary else None)
        yield measure.family and measure.transform, (*where, "family"), "family and transform"
        yield from _where_measured(spec, where, measure)


def _where_measured(spec: Stated, where: tuple, measure: Measure) -> Iterator[Rule]:
    """``columns`` in a wide file, ``column`` in a long one."""
    visits, columns, held = spec.visits, measure.columns, {*_keys(measure)}
    key, other, shape, why = ("column", "columns", "long", f"visit: {spec.visit}") if (
        spec.visit) else ("columns", "column", "wide", "a long file has visit: <column>")
    yield other in held, (*where, other), "column or columns", key, shape, why
    yield (spec.data and not {key, other} & held, (*where, key), "columns missing", shape)
    if visits and columns is not None and not spec.visit:
        seen = [i for i, names in enumerate(columns) if names]
        fits = len(columns) == len(visits) and seen and (
            len(seen) == 1) != (seen[0] == 0 and len(visits) > 1)
        yield (not fits, (*where, "columns"), "columns by visit" if len(visits) > 1
               else "column of one visit", len(visits), ", ".join(visits), visits[0])


def _columns(spec: Stated) -> Iterator[Rule]:
    """A column is one thing only: id, visit, arm, or one outcome at one visit."""
    taken: dict[str, str] = {}
    for where, names in [*_roles(spec).items(), *(
            ((*of, key), names) for of, one in spec.measures().items() if not one.scale
            for key, by_visit in (("columns", one.columns or ()), ("column", [one.column]))
            for names in by_visit if names)]:
        for name in names:
            yield name in taken, where, "column taken", name, taken.get(name)
            taken.setdefault(name, ".".join(where))


def _roles(spec: Stated) -> dict[tuple, list[str]]:
    """The columns of ids, visits and arms, by their keys."""
    held = {("participant",): spec.participant, ("visit",): spec.visit,
            ("arm", "column"): spec.arm and spec.arm.column}
    return {where: [name] for where, name in held.items() if name}


def _features(spec: Stated) -> Iterator[Rule]:
    entries, covariates = spec.baseline or [], spec.covariates or []
    outcomes = [name for _, name in spec.measures()]
    yield from _twice(("baseline",), [entry.name for entry in entries], "name")
    yield from _twice(("covariates",), covariates, "covariate")
    columns = {entry.name: entry.column or entry.name for entry in entries}
    taken = {name: ".".join(where) for where, (name,) in _roles(spec).items()}
    for where, name in [*((("baseline", i), entry.name) for i, entry in enumerate(entries)),
                        *((("covariates",), name) for name in covariates)]:
        column = columns.get(name, name)
        yield column in taken, where, "column of a role", column, taken.get(column)
    for i, entry in enumerate(entries):
        yield (entry.level and entry.kind not in (None, "binary"), ("baseline", i, "level"),
               "level of another kind")
        yield (entry.kind in ("binary", "categorical") and not entry.column
               and entry.name in outcomes, ("baseline", i, "kind"), "kind of an outcome")


def _responders(spec: Stated) -> Iterator[Rule]:
    entries = spec.responders or []
    yield from _twice(("responders",), [one.column for one in entries if one.column], "column")
    yield len([one for one in entries if one.outcome]) > 1, ("responders",), "two outcomes"
    for i, one in enumerate(entries):
        yield from _criterion(spec, ("responders", i), one)


def _criterion(spec: Stated, where: tuple, one: Responders) -> Iterator[Rule]:
    """One way to tell who responded."""
    held, visits = _keys(one), spec.visits
    measures = {name: measure for (_, name), measure in spec.measures().items()}
    by_outcome, by_column = ([key for key in keys if key in held] for keys in (
        ("outcome", "reductions"), ("column", "better")))
    if by_outcome and by_column:
        yield True, where, "outcome beside column", by_outcome, by_column
    else:
        for key in ("column",) if by_column else ("outcome", "visit", "reductions"):
            yield key not in held, (*where, key), "missing"
    cuts = one.reductions
    yield (cuts is not None and len({*cuts}) < max(len(cuts), 1), (*where, "reductions"),
           "reductions")
    if one.outcome and one.outcome not in measures:
        yield True, (*where, "outcome"), "unknown outcome", nearest(one.outcome, measures)
        return
    columns = (one.outcome and measures[one.outcome].columns) or []
    seen = [visit for visit, names in zip(visits, columns, strict=True) if names] if (
        len(columns) == len(visits)) else visits
    later = [visit for visit in seen if visit != visits[0]]
    yield (visits and one.outcome and not (later and visits[0] in seen), (*where, "outcome"),
           "seen once")
    yield (one.visit and visits and one.visit not in (later or visits), (*where, "visit"),
           "no later visit", f" of {one.outcome}" if one.outcome else "", later)


def _harms(spec: Stated) -> Iterator[Rule]:
    held = _keys(spec.harms) if spec.harms else []
    own = sorted({"participant", "term", "terms"} & {*held})
    yield spec.harms and ("column" in held) == ("data" in held), ("harms",), "harms by one"
    yield "column" in held and own, ("harms", "column"), "harms beside", own


def _progression(spec: Stated) -> Iterator[Rule]:
    flow = spec.flow or Flow()
    for name, one in (spec.progression or {}).items():
        where, held, share = ("progression", name), {*_keys(one)}, one.months is None
        own, need = {"recruitment": (["months", "ineligible"], "assessed"),
                     "adherence": (["sessions"], "sessions")}.get(name, (["visit"], None))
        known = ["green", "amber", *own]
        yield (one.amber >= one.green or (share and one.green > 1), where, "amber and green",
               one.amber, one.green, ", and proportions" * share)
        yield held - {*known}, where, "keys of progression", known
        yield (need and share and getattr(flow, need) is None, ("flow", need or name),
               "missing by", name)
        yield name == "adherence" and one.sessions is None, (*where, "sessions"), "missing"
        yield (one.visit and spec.visits and one.visit not in spec.visits, (*where, "visit"),
               "expected", one.visit, spec.visits)
        for reason in one.ineligible:
            yield (reason not in flow.excluded, (*where, "ineligible"), "expected", reason,
                   flow.excluded)


def _choices(spec: Stated) -> Iterator[Rule]:
    allocation, size, chosen = spec.allocation, spec.sample_size, spec.analysis
    yield (allocation and allocation.strata and allocation.scheme != "blocks",
           ("allocation", "strata"), "strata without blocks")
    if size:
        mean, relative = size.mean is None, size.relative_difference is None
        yield (mean != relative, ("sample_size", "mean" if mean else "relative_difference"),
               "mean alone")
        yield mean and relative and not size.difference, ("sample_size", "difference"), "no size"
        yield size.power <= size.alpha, ("sample_size", "power"), "power", size.power, size.alpha
        ratio = (size.difference or size.sd) / size.sd
        yield (not 0.01 <= ratio <= 10, ("sample_size", "difference"), "absurd difference",
               size.difference or 0, ratio)
    yield (chosen.responder_missing == "mi-mar" and not any(
        one.outcome for one in spec.responders or []), ("analysis", "responder_missing"),
        "nothing to impute")
