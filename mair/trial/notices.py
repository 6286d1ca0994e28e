"""What of sound data may be meant otherwise: one line a thing, never a reason to stop."""

import itertools
import re

import numpy as np
import pandas as pd

from mair.trial.columns import Feature
from mair.trial.errors import NUMBER, folded, shown
from mair.trial.people import NO_ANSWER, People

CODES = {float(sign + digit * n) for sign in ("", "-") for digit in "789" for n in (1, 2, 3, 4)}
FAR = 10  # interquartile ranges from the quartiles of the rest
FEW = 8  # seen of an arm, under which z misleads


def note(people: People, arm: pd.Series, scores: dict, features: dict) -> None:
    """Note what scores, baseline entries and covariates hold.

    Parameters
    ----------
    people : People
        Takes the notices.
    arm : Series
        By participant.
    scores : dict of str to DataFrame
        By variable; participants by visits.
    features : dict of str to tuple of Feature
        ``baseline`` and ``covariates``.
    """
    _letters(people)
    seen, when = {}, {}
    for (_, name), measure in people.spec.measures().items():
        _variable(people, arm, name, measure, scores[name])
        for visit, columns in reversed(measure.at(people.spec.visits).items()):
            when |= dict.fromkeys(columns, visit)
    for feature in (*features["baseline"], *features["covariates"]):
        if feature.column not in seen and feature.column in people.table.columns:
            seen[feature.column] = feature
            _feature(people, feature)
            if when.get(feature.column) in people.spec.visits[1:]:
                people.note(feature.column, "known late", feature.name, when[feature.column])
    for feature in features["covariates"]:
        _covariate(people, arm, feature)
    _say_alike(people, [one for one in features["covariates"] if one.kind == "continuous"])


def _letters(people: People) -> None:
    """Names in scripts that the font of the figures has not."""
    spec = people.spec
    names = {("visit_labels", one): spec.visit_labels.get(one, one) for one in spec.visits}
    names |= {("arm", "labels", arm): spec.arm.labels.get(arm, arm)
              for arm in (spec.arm.control, spec.arm.treatment)}
    names |= {(*at, "label"): one.label or at[1] for at, one in spec.measures().items()}
    for where, name in names.items():
        if re.search("[\u0900-\u109f\u1100-\u139f\u1780-\u17ff\u2e80-\ua63f\uac00-\ufaff]", name):
            people.lines.append(people.source.line(where, "other letters", name))


def _variable(people: People, arm: pd.Series, name: str, measure, scores: pd.DataFrame) -> None:
    held = {visit: names[0] for visit, names in measure.at(people.spec.visits).items() if names}
    y, column = scores.to_numpy(), next(iter(held.values()))  # the first item stands for all
    if scores.shape[1] == 1 and len(people.spec.visits) > 1:
        people.note(column, "seen at one visit", name, scores.columns[0])
    arms = [people.spec.arm.control, people.spec.arm.treatment]
    seen = np.array([(~np.isnan(y[arm.to_numpy() == one])).sum(axis=0) for one in arms])
    for visit, of, n in zip(scores, y.T, seen.T, strict=True):
        _codes(people, held[visit], of)
        if 0 in n:
            people.note(held[visit], "seen in one arm", name, visit, arms[n.argmax()])
    few = seen.min(axis=1)
    if people.spec.analysis.inference == "z" and few.min() < FEW:
        people.note(column, "few under z", name, few.min(), arms[few.argmin()])
    values = np.unique(y[~np.isnan(y)])
    if len(values) == 1:
        people.note(column, "one value", name, values[0])
    elif len(values) == 2 and not measure.family:
        people.note(column, "two values", name, *values)
    reduced = any(one.outcome == name for one in people.spec.responders or [])
    if reduced and (low := y[:, 0] <= 0).any():
        people.note(column, "baselines of zero", low.sum(), len(low), who=people.index[low])


def far(of: np.ndarray) -> list[float]:
    """Values such as -99 and 999 that lie far outside all others."""
    found = []
    for code in sorted(CODES.intersection(of.tolist())):
        rest = of[(of != code) & ~np.isnan(of)]
        low, high = np.quantile(rest, [0.25, 0.75]) if len(rest) > 3 else (0, 0)
        if high > low and max(low - code, code - high) > FAR * (high - low):
            found.append(code)
    return found


def _codes(people: People, column: str, of: np.ndarray) -> None:
    for code in far(of):
        who = people.index[of == code]
        people.note(column, "far outside", code, n=len(who), who=who)


def _feature(people: People, feature: Feature) -> None:
    values, column = feature.values, feature.column
    if feature.kind == "continuous":
        return _codes(people, column, values.to_numpy())
    counts = values.value_counts()
    numbers = [level for level in feature.levels if NUMBER.fullmatch(level)]
    for level in feature.levels:
        if NO_ANSWER.search(level) or (numbers == [level] and len(feature.levels) > 1):
            people.note(column, "read as an answer", level, counts[level])
    said: set[str] = set()
    for one in feature.levels:
        like = [other for other in feature.levels if other != one and _alike(one, other)]
        if like and one not in said:
            said |= {*like}
            people.note(column, "spell alike", [*map(shown, [one, *like])], len(like) + 1)


def _alike(one: str, other: str) -> bool:
    """Whether two values differ in case, blanks or accents, or one abbreviates the other."""
    a, b = sorted((folded(one), folded(other)), key=len)
    return a == b or (len(a) == 1 and a.isalpha() and b.startswith(a))


def _covariate(people: People, arm: pd.Series, feature: Feature) -> None:
    values, column = feature.values, feature.column
    known = values.notna().groupby(arm).sum()
    if column not in people.table.columns:
        return
    if 0 in known.values:
        people.tell(column, "covariate of one arm", known.idxmin())
    counts, name = values.value_counts(), feature.name
    if len(counts) and counts.iloc[0] >= counts.sum() - 1:
        people.note(column, "constant covariate", name, len(values) - counts.iloc[0])
    elif values.groupby(arm).nunique().max() == 1:
        people.note(column, "covariate and arm", name)
    elif feature.levels and len(feature.levels) > len(values) / 4:
        people.note(column, "many levels", name, len(feature.levels), len(values))
    elif feature.kind == "continuous" and 2 < len(counts) <= 6 and set(counts.index) <= set(
            range(1, 10)):
        people.note(column, "codes as numbers", name, values.min(), values.max())


def _say_alike(people: People, numbers: list[Feature]) -> None:
    """Covariates of which one follows from another."""
    for one, other in itertools.combinations(numbers, 2):
        if abs(one.values.corr(other.values)) > 1 - 1e-9:
            people.note(other.column, "covariates alike", other.name, one.name)
