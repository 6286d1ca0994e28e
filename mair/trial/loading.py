"""A trial file and its data, read and validated.

>>> trial = load("params/beat_the_blues.yaml")
>>> trial.n(), trial.n("TAU"), trial.visits[:2]
(100, 48, ('baseline', '2 months'))
"""

import os
from pathlib import Path

import pandas as pd

from mair.trial import columns, file, harms, notices, readers
from mair.trial.columns import Feature
from mair.trial.errors import ROOT, TrialError, regular
from mair.trial.people import People
from mair.trial.schema import SECTIONS, BaselineEntry, Scale, TrialFile, Variable
from mair.trial.trial import _LEFT_OUT, Trial, handed


def load(path: Path | str, **analysis) -> Trial:
    """Read and validate a trial file and its data.

    Parameters
    ----------
    path : path
        A trial file; a relative path is looked up from the working directory, then from the
        root of the repository.
    **analysis
        Keys of `analysis` whose values go before the file's; None: as the file says. Those
        that differ are said in one line of ``Trial.overrides``.

    Returns
    -------
    Trial

    Raises
    ------
    TrialError
        With every problem of the trial file, or, where that is sound, of its data; one line
        each.
    """
    path = Path(path).expanduser()
    if not path.is_absolute() and not os.path.exists(path) and os.path.exists(ROOT / path):
        path = ROOT / path
    by_hand = {key: value for key, value in analysis.items() if value is not None}
    if (given := handed(path := path.absolute(), by_hand)) is not None:
        return given
    spec, source, overrides = file.read(path, by_hand)
    data, published = source.relative("data"), source.relative("published")
    nobody = pd.Series(index=pd.Index([], dtype="str", name="participant"), dtype="str")
    parts = {"arm": nobody, "baseline": (), "covariates": (), **_variables(spec, {})}
    problems, said = [], []
    try:
        if published is not None:
            regular(published, file.MOST_BYTES, "published numbers")
    except TrialError as error:
        problems += error.problems
    try:
        if data is not None:
            people = People(readers.read(data, spec.read), spec, source)
            parts |= _read(people)
            problems += people.problems
            said = people.notices
    except TrialError as error:
        problems += error.problems
    if problems:
        raise TrialError(problems)
    arms = (spec.arm.control, spec.arm.treatment)
    return Trial(
        path=path, title=spec.trial or path.stem, about=dict(spec.about), synthetic=spec.synthetic,
        control=arms[0], treatment=arms[1], visits=tuple(spec.visits), analysis=spec.analysis,
        show_individuals=spec.show_individuals,
        labels={arm: spec.arm.labels.get(arm, arm) for arm in arms},
        visit_labels={visit: spec.visit_labels.get(visit, visit) for visit in spec.visits},
        sections=spec.model_dump(mode="json", exclude_none=True, exclude=_LEFT_OUT),
        published=published and published.resolve(), data_path=data and data.resolve(),
        overrides=overrides, told=list(dict.fromkeys(named for _, named in said)),
        notices=list(dict.fromkeys(line[spec.synthetic] for line in said)), **parts)


def _variables(spec: TrialFile, scores: dict[str, pd.DataFrame]) -> dict[str, dict]:
    """Outcomes and biomarkers, each at the visits that its scores or else its columns name."""
    found: dict = {section: {} for section in SECTIONS}
    for (section, name), measure in spec.measures().items():
        held = zip(spec.visits, measure.columns or spec.visits, strict=True)
        visits = scores[name] if scores else [visit for visit, column in held if column]
        scale = measure.model_dump(include={*Scale.model_fields})
        scale["label"] = measure.label or name
        found[section][name] = Variable(name=name, section=section, visits=tuple(visits), **scale)
    return found


def _read(people: People) -> dict:
    """The parts of a trial that stand in its data; ``people`` notes the problems."""
    spec, arm, scores, censored, items = people.spec, columns.arms(people), {}, {}, {}
    for (section, name), measure in spec.measures().items():
        scores[name], under, parts = columns.scores(people, (section, name), measure)
        if section == "biomarkers":
            censored[name] = under
        if parts.shape[1] > 1:
            items[name] = parts
    variables = _variables(spec, scores)
    features = _features(people, variables["outcomes"] | variables["biomarkers"], scores)
    roles, had = _columns(people), None
    if spec.harms:
        had, roles["harms"] = harms.events(people)
    if not people.problems:
        _agree(people, scores)
        notices.note(people, arm, scores, features)
    return {"arm": arm, "censored": censored, "items": items, "events": had,
            "_scores": scores, "_columns": roles,
            "ignored": people.ignored, "other_arms": people.other_arms, **variables, **features}


def _agree(people: People, scores: dict[str, pd.DataFrame]) -> None:
    """What key and data must agree on once both are sound."""
    spec, flow = people.spec, people.spec.flow
    chosen = next((one for one in spec.responders or [] if one.outcome), None)
    if chosen and chosen.visit not in scores[chosen.outcome]:
        measure = {name: of for (_, name), of in spec.measures().items()}[chosen.outcome]
        people.tell(measure.column[0], "nobody to respond", chosen.visit)
    for other, n in people.other_arms.items():
        if flow and flow.other_arms.get(other, n) != n:
            people.refuse(("flow", "other_arms", other), "as in the data", n)
    if flow and flow.assessed is not None:
        excluded = sum(flow.excluded.values())
        others = sum((flow.other_arms | people.other_arms).values())
        left, n = flow.assessed - excluded, len(people.rows)
        if left != n + others:
            people.refuse(("flow", "assessed"), "flow", flow.assessed, excluded, left, n, others,
                          n + others)


def _features(people: People, variables: dict, scores: dict) -> dict[str, tuple]:
    """The entries of the baseline table, and the covariates."""
    first = people.spec.visits[0]

    def feature(entry: BaselineEntry, where: tuple, covariate: bool) -> Feature | None:
        name = entry.name
        if entry.column or name not in scores:
            return columns.feature(people, entry, where, covariate)
        if first in scores[name]:
            return Feature(name, name, entry.label or variables[name].label, "continuous", None,
                           (), scores[name][first].rename(name))
        if len(scores[name].columns) == 1:  # else said already
            people.refuse(where, "no baseline", name, first)
        return None

    entries = {entry.name: entry for entry in people.spec.baseline or []}
    made = {entry.name: feature(entry, ("baseline", i), False)
            for i, entry in enumerate(entries.values())}
    used = [entries.get(name) or BaselineEntry(name=name) for name in people.spec.covariates or []]
    # where its kind was declared it is the same feature, else numbers are linear
    covariates = [made[entry.name] if entry.kind else feature(entry, ("covariates",), True)
                  for entry in used]
    return {"baseline": tuple(made.values()), "covariates": tuple(covariates)}


def _columns(people: People) -> dict[str, pd.Series]:
    """Columns of describe, responders, flow and allocation, by what they are for."""
    spec, found = people.spec, {}
    for section in SECTIONS:
        if name := getattr(spec.describe, section, None):
            found[f"describe.{section}"] = people.yes_no(name, ("describe", section), True)
    for i, one in enumerate(spec.responders or []):
        if one.column:
            found[f"responder.{one.column}"] = people.good(
                one.column, ("responders", i), one.better)
    for role, reader in (("lost", people.texts), ("preference", people.texts),
                         ("sessions", people.numbers), ("credibility", people.numbers)):
        if name := getattr(spec.flow, role, None):
            found[role] = reader(name, ("flow", role))
    if name := getattr(spec.allocation, "strata", None):
        found["strata"] = people.values(name, ("allocation", "strata"), columns.given, "a stratum")
    return found
