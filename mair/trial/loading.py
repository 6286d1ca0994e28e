"""A trial file and its data, read and validated.

>>> trial = load("params/beat_the_blues.yaml")
>>> trial.n(), trial.n("TAU"), trial.visits[:2]
(100, 48, ('baseline', '2 months'))
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mair.trial import columns, file, tables
from mair.trial.columns import Feature, People, Variable
from mair.trial.errors import ROOT, TrialError, display
from mair.trial.schema import BaselineEntry, Measure, TrialFile
from mair.trial.trial import _LEFT_OUT, FLOW_NUMBERS, FLOW_TEXTS, Trial, handed


def load(path: Path | str, **analysis) -> Trial:
    """Read and validate a trial file and its data.

    Parameters
    ----------
    path : path
        A trial file; a relative path is looked up from the working directory, then from the
        root of the repository.
    **analysis
        Keys of `analysis` whose values go before the file's; None: as the file says. Each
        that differs is said in one line of ``Trial.notices``.

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
    if not path.is_absolute() and not path.exists() and (ROOT / path).exists():
        path = ROOT / path
    by_hand = {key: value for key, value in analysis.items() if value is not None}
    if (given := handed(path := path.absolute(), by_hand)) is not None:
        return given
    spec, source, notices = file.read(path, by_hand)
    data, published = source.relative("data"), source.relative("published")
    problems = []
    if published is not None and not published.is_file():
        problems.append(f"{display(published)}: no such file, expected published numbers")
    parts = _declared(spec)
    if data is not None:
        try:
            people = People(tables.read(data), spec, source)
            parts = _read(people)
            problems += people.problems
        except TrialError as error:
            problems += error.problems
    if problems:
        raise TrialError(problems)
    arm = spec.arm
    answers = columns.taken_as_answers([*parts["baseline"], *parts["covariates"]])
    return Trial(
        path=path,
        title=spec.trial or path.stem,
        about=dict(spec.about),
        synthetic=spec.synthetic,
        control=arm.control,
        treatment=arm.treatment,
        labels={name: arm.labels.get(name, name) for name in (arm.control, arm.treatment)},
        visits=tuple(spec.visits),
        visit_labels={visit: spec.visit_labels.get(visit, visit) for visit in spec.visits},
        sections=spec.model_dump(mode="json", exclude_none=True, exclude=_LEFT_OUT),
        analysis=spec.analysis,
        published=published and published.resolve(),
        data_path=data and data.resolve(),
        notices=[*notices, *(f"{display(data)}: {answer}" for answer in answers)],
        **parts,
    )


def _declared(spec: TrialFile) -> dict:
    """The parts of a trial without data: what is known of variables."""
    parts: dict = {"outcomes": {}, "biomarkers": {}, "covariates": (), "baseline": ()}
    for (section, name), measure in spec.measures().items():
        held = measure.columns or spec.visits
        visits = [visit for visit, column in zip(spec.visits, held, strict=True) if column]
        parts[section][name] = _variable(section, name, measure, visits)
    none = pd.Index([], dtype="str", name="participant")
    return {**parts, "arm": pd.Series(index=none, dtype="str")}


def _variable(section: str, name: str, measure: Measure, visits) -> Variable:
    declared = measure.model_dump(exclude={"columns", "column"}) | {
        "label": measure.label or name,
        "range": tuple(measure.range) if measure.range else None,
    }
    return Variable(name=name, section=section, visits=tuple(visits), **declared)


def _read(people: People) -> dict:
    """The parts of a trial that stand in its data; ``people`` notes the problems."""
    spec, source = people.spec, people.source
    parts: dict = {"arm": columns.arms(people), "outcomes": {}, "biomarkers": {}}
    scores, censored = {}, {}
    for (section, name), measure in spec.measures().items():
        scores[name], under = columns.scores(people, (section, name), measure)
        parts[section][name] = _variable(section, name, measure, scores[name])
        if section == "biomarkers":
            censored[name] = under
    found = _columns(people)
    features = _features(people, scores)
    chosen, flow = spec.responders, spec.flow
    if people.problems:
        return parts | features
    if chosen and chosen.outcome and chosen.visit not in scores[chosen.outcome]:
        column = _measures(spec)[chosen.outcome].column  # a wide file's visits are declared
        people.tell(column, f"no value at {chosen.visit}, expected scores for responders")
    if flow and flow.assessed is not None:
        excluded, others = sum(flow.excluded.values()), sum(flow.other_arms.values())
        left, randomised = flow.assessed - excluded, len(people.rows)
        if left != randomised + others:
            people.problems.append(source.line(("flow", "assessed"), (
                f"{flow.assessed} assessed - {excluded} excluded = {left}, expected {randomised} "
                f"randomised + {others} in other arms = {randomised + others}")))  # fmt: skip
    return parts | features | {"censored": censored, "_scores": scores, "_columns": found}


def _measures(spec: TrialFile) -> dict[str, Measure]:
    return {name: measure for (_, name), measure in spec.measures().items()}


def _features(people: People, scores: dict[str, pd.DataFrame]) -> dict[str, tuple]:
    """The entries of the baseline table, and the covariates."""
    spec, entries, made = people.spec, {}, {}
    for i, entry in enumerate(spec.baseline or []):
        entries[entry.name] = entry
        made[entry.name] = _feature(people, scores, entry, ("baseline", i), False)
    covariates = []
    for name in spec.covariates or []:
        entry = entries.get(name) or BaselineEntry(name=name)
        # where its kind was declared it is the same feature, else numbers are linear
        same = entry.kind is not None
        covariates.append(
            made[name] if same else _feature(people, scores, entry, ("covariates",), True)
        )
    return {"baseline": tuple(made.values()), "covariates": tuple(covariates)}


def _feature(people: People, scores, entry: BaselineEntry, where: tuple, covariate: bool):
    """A feature from a column, or from an outcome's first visit."""
    if entry.column is not None or entry.name not in scores:
        return columns.feature(people, entry, where, covariate)
    frame, first = scores[entry.name], people.spec.visits[0]
    if first not in frame:
        return None  # said already
    measure = _measures(people.spec)[entry.name]
    return Feature(
        name=entry.name,
        column=measure.column or measure.columns[0],
        label=entry.label or measure.label or entry.name,
        kind="continuous",
        level=None,
        levels=(),
        values=frame[first].rename(entry.name),
    )


def _columns(people: People) -> dict[str, pd.Series | None]:
    """Columns of describe, responders, flow and allocation, by what they are for."""
    spec, found = people.spec, {}
    for section in ("outcomes", "biomarkers"):
        if spec.describe and (name := getattr(spec.describe, section)):
            where = ("describe", section)
            found[".".join(where)] = people.yes_no(name, where, complete=True)
    chosen, allocation = spec.responders, spec.allocation
    if chosen and chosen.column:
        answers = people.yes_no(chosen.column, ("responders", "column"), complete=False)
        good = chosen.better != "no"
        values = [None if answer is None else answer == good for answer in answers]
        found["responder"] = pd.Series(values, answers.index, dtype=object)
    for role in (*FLOW_TEXTS, *FLOW_NUMBERS):
        if spec.flow and (name := getattr(spec.flow, role)):
            reader = people.numbers if role in FLOW_NUMBERS else people.texts
            found[role] = reader(name, ("flow", role))
    if allocation and allocation.strata:
        where = ("allocation", "strata")
        found["strata"] = people.texts(allocation.strata, where, needed="a stratum")
    return found
