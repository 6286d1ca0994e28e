"""Where a synthetic trial's number comes from: printed, implied, or the generator's choice.

*printed*: the publication prints it, or it is a function of printed numbers alone, by the rules
of ``mair/data/provenance.yaml``. *implied*: a search for its extremes over cohorts that agree with
every printed number (`mair.studies.ranges`, kept beside the cohort) moved it by less than the
tolerances there. *invented*: everything else. A real trial has none of the three.
"""

from __future__ import annotations

import math
import re
from fnmatch import translate
from itertools import product
from typing import NamedTuple

import pandas as pd

from mair.published import numbers
from mair.published.rounding import rule_of
from mair.results import KEYS
from mair.trial import Trial, remembered
from mair.trial.errors import declared

SECTIONS = ("outcomes", "biomarkers")
FILE = "provenance.csv"  # beside the published numbers; of the cohort made from them


class Origin(NamedTuple):
    """``kind`` and the extremes found over agreeing cohorts, the trial's own value among them;
    nan where it has none."""

    kind: str
    low: float
    high: float


@remembered
def stored(trial: Trial) -> dict[tuple, tuple]:
    """The search's result, where the trial's data are its cohort: (low, high, searched) by key."""
    file = trial.published.with_name(FILE) if has(trial) else None
    if not file or not file.is_file() or trial.data_path.parent != file.parent:
        return {}
    frame = pd.read_csv(file, dtype=dict.fromkeys(KEYS, str), keep_default_na=False)
    values = zip(frame["low"], frame["high"], frame["searched"], strict=True)
    return dict(zip(frame[KEYS].itertuples(index=False, name=None), values, strict=True))


def has(trial: Trial) -> bool:
    """Whether a trial's numbers have a provenance: a cohort made from published numbers."""
    return bool(trial.synthetic and trial.has_data and trial.published)


def kinds(trial: Trial, rows: pd.DataFrame) -> dict[tuple, Origin]:
    """The origin of each of some rows, by their six keys.

    Parameters
    ----------
    trial : Trial
    rows : DataFrame
        Columns of ``results.csv``; all of a section, so that a rule finds the values it compares.

    Returns
    -------
    dict
        Empty where `has` is not.
    """
    if not has(trial):
        return {}
    rules, ranges, found = _rules(trial), stored(trial), {}
    values = dict(zip(rows[KEYS].itertuples(index=False, name=None), rows["value"].astype(float),
                      strict=True))
    for key, value in values.items():
        low, high, searched = ranges.get(key, (value, value, 0))
        ends = [value, *(v for v in (low, high) if not math.isnan(v + value))]
        if printed := rules.prints(key, value):
            ends += [rules.printed[key][0].values.low, rules.printed[key][0].values.high]
        of, se = declared("provenance")["tolerances"], values.get((*key[:-1], "se"), math.nan)
        far = of["unit"].get(key[-1], of["share"].get(key[-1], math.nan) * se)  # nan: never
        implied = searched and max(ends) - min(ends) <= far
        kind = ("printed" if printed or rules.follows(key, values) else
                "implied" if implied else "invented")
        found[key] = Origin(kind, min(ends), max(ends))
    return found


def invented(found: dict[tuple, Origin], one, statistic: str) -> bool:
    """Whether a statistic of a record of `mair.results.records` is the generator's choice.

    Parameters
    ----------
    found : dict
        As `kinds` gives it: of a real trial empty, and nothing is invented.
    """
    key = (*(getattr(one, name) for name in KEYS[:-1]), statistic)
    return key in found and found[key].kind == "invented"


def answers(found: dict[tuple, Origin], variable: str, visit: str) -> dict[str, float]:
    """Of each robustness method at a visit: 1.0 where in every agreeing cohort the interval
    excludes 0, 0.0 where in every one it holds 0, nan where they differ."""
    answer = {}
    for key, low in found.items():
        if (*key[:2], key[3], key[5]) == ("robustness", variable, visit, "ci_low"):
            high = found[(*key[:5], "ci_high")]
            answer[key[4]] = (1.0 if low.low > 0 or high.high < 0 else
                              0.0 if low.high <= 0 <= high.low else math.nan)
    return answer


def table(trial: Trial, rows: pd.DataFrame) -> pd.DataFrame:
    """``tables/provenance.csv``: the six keys, ``kind``, ``low``, ``high``, one row a row."""
    found = kinds(trial, rows)
    return pd.DataFrame([(*key, *origin) for key, origin in found.items()],
                        columns=[*KEYS, "kind", "low", "high"])


@remembered
def _rules(trial: Trial) -> Rules:
    return Rules(trial, numbers.read(trial.published))


class Rules:
    """What follows from printed numbers alone, of one trial.

    Parameters
    ----------
    trial : Trial
        For the names of arms, visits, levels and families.
    published : DataFrame
        As `mair.published.numbers.read` gives it.
    """

    def __init__(self, trial: Trial, published: pd.DataFrame):
        self.trial, self.printed, self.memo = trial, {}, {}
        for key, own in published.groupby(KEYS)["printed"]:
            self.printed[key] = [numbers.Number(text) for text in own]
        self.words = {"each arm": list(trial.arms), "reference": [trial.reference],
                      "each later visit": list(trial.visits[1:])}
        self.rules = [({name: self._pattern(wanted) for name, wanted in rule["rows"].items()}, rule)
                      for rule in declared("provenance")["rules"]]

    def prints(self, key: tuple, value: float) -> bool:
        """Whether a row is printed and its value prints so, rounded or cut off; an inequality
        tells no value but that of a p too small to print."""
        return any(rule_of(value, one.printed) and one.printed[0] != ">" and (
            not one.relation or one.printed == "<0.001") for one in self.printed.get(key, ()))

    def follows(self, key: tuple, values: dict | None = None) -> bool:
        """Whether a rule gives a row from printed ones.

        Parameters
        ----------
        key : tuple of str
        values : dict, optional
            Values by key, for rules that hold only where two are alike.
        """
        if key not in self.memo:
            self.memo[key] = False  # a rule may not lean on itself
            self.memo[key] = any(
                all(pattern.fullmatch(self._field(name, key)) for name, pattern in rows.items())
                and self._holds(rule, key, values or {}) for rows, rule in self.rules)
        return self.memo[key]

    def _pattern(self, wanted) -> re.Pattern:
        """What a field of a row must match: one of some patterns, or of words for them."""
        return re.compile("|".join(translate(pattern) for one in _list(wanted)
                                   for pattern in self.words.get(one, [one])))

    def _holds(self, rule: dict, key: tuple, values: dict) -> bool:
        """Whether every source of a rule is printed, and no inequality, or follows itself."""
        sources = [source for wanted in rule["from"] for source in product(*(
            [value for word in _list(wanted.get(name, "same"))
             for value in self._named(word, own, key)]
            for name, own in zip(KEYS, key, strict=True)))]
        return all((any(not one.relation for one in self.printed.get(source, ()))
                    or self.follows(source, values))
                   and ("alike" not in rule or values.get(source) == values.get(key))
                   for source in sources)

    def _field(self, name: str, key: tuple) -> str:
        """A field of a key, or the ``kind`` or ``transform`` of its variable: only what a rule
        asks of the trial is read, as a rerun depends on it."""
        stem = key[1].partition(":")[0]
        if name == "kind":
            return next((f.kind for f in self.trial.baseline if f.name == stem), "")
        if name == "transform":
            return self.trial.variable(stem).transform or "none"
        return key[KEYS.index(name)]

    def _named(self, word: str, own: str, key: tuple) -> list[str]:
        """What a word of ``from`` stands for."""
        families = self.trial.analysis.fdr_families if word == "each of family" else None
        if families:
            return [name for other in SECTIONS for name in getattr(self.trial, other)
                    if getattr(families, other) == getattr(families, key[0])]
        if word == "each level":
            return [f"{f.name}: {level}" for f in self.trial.baseline if f.name == key[1]
                    for level in f.levels]
        if word == "first":
            return [*getattr(self.trial, key[0])][:1]
        return [own] if word == "same" else self.words.get(word, [word])


def _list(one) -> list[str]:
    return one if isinstance(one, list) else [one]
