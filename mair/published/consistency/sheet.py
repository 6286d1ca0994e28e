"""The printed numbers of a paper, found by their keys."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from mair.published.numbers import Number
from mair.published.rounding import Interval, image
from mair.results import KEYS

INPUT, OTHERS = "an input", "another study's result"
COUNTS = ("n", "n_known", "responders", "n_with_dropout")
GROUPS = ("overall", "difference", "")


class NotPrinted(Exception):
    """What a check needs is not printed, or not such that the check applies."""


def need(*found):
    """What a check needs, one or several; `NotPrinted` where one of them is nothing."""
    if not all(found):
        raise NotPrinted
    return found if len(found) > 1 else found[0]


def perhaps(find, *args, **keys):
    """What a function finds; None where it is not printed."""
    try:
        return find(*args, **keys)
    except NotPrinted:
        return None


@dataclass(frozen=True)
class Printed(Number):
    """One printed number: its text, its place in the frame and its keys; or what it implies
    ``by`` a rising function of arrays."""

    at: int
    analysis: str
    variable: str
    arm: str
    time: str
    method: str
    statistic: str
    source: str
    note: str
    by: Callable | None = None

    @property
    def value(self) -> float:
        """The number itself, or the bound of an inequality, by its function."""
        return float(self.by(super().value)) if self.by else super().value

    @property
    def values(self) -> Interval:
        """What prints so, by its function."""
        return image(self.by, super().values) if self.by else super().values

    @property
    def key(self) -> tuple[str, ...]:
        """What it is of, whatever the method."""
        return (self.analysis, self.variable, self.arm, self.time, self.statistic)


class Sheet:
    """Published numbers by key, with what the trial file knows of arms and scales.

    Parameters
    ----------
    published : DataFrame
        As `mair.published.numbers.read` gives it.
    sections : dict, optional
        The trial file as a plain dict.
    claims : DataFrame, optional
        Words to hold against numbers, as `claims.read` gives them.

    Attributes
    ----------
    everything, numbers : list of Printed
        All, and those that can be judged: a bound is of use for a p only; and nobody counts
        fewer than none.
    arms : tuple of str
        (control, treatment).
    visits : list of str
        In order, the first the reference.
    start : str or None
        The first visit.
    contrasts : list of tuple of str
        (analysis, variable, "difference", visit) of every difference with a B, a d or a p.
    """

    def __init__(self, published: pd.DataFrame, sections: dict | None = None, claims=None):
        self.sections = sections or {}
        self.claims = [] if claims is None else claims.to_dict("records")
        records = published[["printed", *KEYS, "source", "note"]].to_numpy().tolist()
        self.everything = [Printed(text, at, *rest) for at, (text, *rest) in enumerate(records)]
        self.numbers = [p for p in self.everything if p.statistic == "p" or not (
            p.relation or (p.statistic in COUNTS and (p.value < 0 or "." in p.printed)))]
        self.by_key, self.by_statistic = defaultdict(list), defaultdict(list)
        for p in self.numbers:
            self.by_key[p.key].append(p)
            self.by_statistic[p.statistic].append(p)
        declared = self.sections.get("arm")
        named = [p for p in self.numbers if p.arm not in GROUPS]
        arms = [declared["control"], declared["treatment"]] if declared else [
            p.arm for p in [p for p in named if p.analysis != "flow"] or named]
        self.arms = tuple([*dict.fromkeys(map(str, arms)), "", ""][:2])
        self.visits = [str(v) for v in self.sections.get("visits", [])] or self._visits()
        self.start = next(iter(self.visits), None)
        self.contrasts = list(dict.fromkeys(
            p.key[:4] for p in self.where(arm="difference", statistic=("b", "d", "p"))
            if p.time and (p.statistic != "p" or p.analysis in ("outcomes", "biomarkers"))))

    def _visits(self) -> list[str]:
        """Visits in order of appearance, those that are never compared first."""
        times = dict.fromkeys(p.time for p in self.where(statistic="mean") if p.time)
        times |= dict.fromkeys(p.time for p in self.numbers if p.time and p.analysis)
        compared = {p.time for p in self.numbers if p.arm == "difference"}
        return sorted(times, key=lambda time: time in compared)

    def given(self, p: Printed) -> str:
        """Why a number is given and not found: declared, or counted before anybody was
        allocated; empty where it is a result."""
        if p.method == "reported":
            return OTHERS
        before = p.analysis == "flow" and (
            p.variable in ("assessed", "enrolled") or p.variable.startswith("excluded: ")
            or (p.variable == "randomised" and p.arm not in (*GROUPS, *self.arms)))
        declared = p.method == "declared" and p.statistic != "d"
        return INPUT if before or declared or not p.analysis else ""

    def get(self, analysis, variable, arm="", time="", statistic="n", like=None) -> Printed | None:
        """The first print of a key; ``like`` another number, of those by its method, else of
        those by methods that do not print the other's statistic."""
        found = self.by_key.get((analysis, variable, arm, time, statistic), ())
        if like:
            others = {q.method for q in self.by_key.get(like.key, ())}
            same = [q for q in found if f"{like.method}/".startswith(f"{q.method}/")]
            found = same or [q for q in found if q.method not in others]
        return next(iter(found), None)

    def beside(self, p: Printed, statistic: str) -> Printed | None:
        """Another statistic of what ``p`` is of, by the same method where it has one."""
        return self.get(*p.key[:4], statistic, like=p)

    def is_first(self, p: Printed) -> bool:
        """Whether nothing before it is of its key; of a difference, by its method."""
        return self.get(*p.key, like=p if p.arm == "difference" else None) is p

    def where(self, statistic=None, **keys) -> list[Printed]:
        """Numbers in order whose attributes equal the keywords, are among a tuple of them, or
        fulfil a function."""
        found = self.by_statistic[statistic] if isinstance(statistic, str) else self.numbers
        if isinstance(statistic, tuple):
            keys["statistic"] = statistic
        for name, value in keys.items():
            wanted = value if isinstance(value, tuple) else (value,)
            fits = value if callable(value) else wanted.__contains__
            found = [p for p in found if fits(getattr(p, name))]
        return found

    def randomised(self, arm: str) -> Printed | None:
        """How many were randomised to an arm, where anybody was."""
        found = self.get("flow", "randomised", arm)
        return found if found and found.value >= 1 else None

    @cached_property
    def sizes(self) -> list[Printed | None]:
        """`randomised` of (control, treatment)."""
        return [self.randomised(arm) for arm in self.arms]

    def size(self, p: Printed) -> Printed | None:
        """The n behind a mean or an SD: the variable's, its table's (at the visit, where its head
        says so), or the randomised."""
        if p.analysis == "baseline":
            return next(filter(None, (self.get(*p.key[:4], s) for s in ("n_known", "n"))),
                        self.randomised(p.arm))
        same = self.where("n", analysis=p.analysis, arm=p.arm, method=p.method)
        return self.get(*p.key[:4]) or min(same, default=None, key=lambda q: [
            (q.source, q.time) == (p.source, p.time), q.variable == p.variable,
            q.source == p.source, True].index(True))

    def declared(self, variable: str) -> dict:
        """What the trial file says of a variable."""
        named = ((self.sections.get(section) or {}).get(variable)
                 for section in ("outcomes", "biomarkers"))
        return next(filter(None, named), {})

    def scale(self, of: Printed) -> tuple[float, float] | None:
        """Ends of a number's scale: the trial file's, else those printed in the same place."""
        ends = [float(end) for end in self.declared(of.variable).get("range") or ()]
        for statistic in () if ends else ("range_low", "range_high"):
            found = [p for group in ("outcomes", "biomarkers", "flow", "baseline", "")
                     for p in self.by_key.get((group, of.variable, "overall", "", statistic), ())]
            same = [p for p in found if p.source == of.source] or found
            ends += [p.value for p in same[-1:]]
        return tuple(ends) if len(ends) == 2 else None

    def ends(self, mean: Printed) -> Interval | None:
        """Between what the scores behind a mean lie: the extremes printed, else the scale's."""
        ends = [self.get(*mean.key[:4], s) for s in ("min", "max")]
        if None not in ends:
            return Interval(ends[0].values.low, ends[1].values.high)
        scale = self.scale(mean)
        return Interval(*scale) if scale else None

    def before_and_after(self, p: Printed) -> tuple:
        """The means of an arm at the first visit and at that of ``p``."""
        return need(*(self.get(*p.key[:3], t, "mean", like=p) for t in (self.start, p.time)))

    def step(self, p: Printed) -> float:
        """The grain of a score, where the trial file says it; else 0."""
        return float(self.declared(p.variable).get("step") or 0)

    def moments(self, analysis, variable, arm, time="", of=("mean", "sd", "se")) -> tuple:
        """(n, mean, SD) numbers of an arm at a visit; an SD may be that of a standard error.
        ``of`` names the statistics."""
        mean, sd, se = (self.get(analysis, variable, arm, time, s) for s in of)
        n = need(self.size(need(mean)))
        return n, mean, sd or replace(need(se), by=lambda x: x * np.sqrt(n.value))

    def both_arms(self, analysis, variable, time="", **of) -> list[tuple]:
        """`moments` of (control, treatment)."""
        return [self.moments(analysis, variable, arm, time, **of) for arm in self.arms]

    def now(self, p: Printed) -> list[tuple]:
        """`both_arms` at the visit of ``p``."""
        return self.both_arms(p.analysis, p.variable, p.time)

    def first_and_now(self, p: Printed) -> list[list]:
        """`both_arms` at the first visit and at that of ``p``."""
        return [self.both_arms(p.analysis, p.variable, t) for t in (self.start, p.time)]


def at_print(numbers) -> np.ndarray:
    """Values of numbers in nested sequences."""
    return np.vectorize(lambda p: p.value, otypes=[float])(np.array(numbers, dtype=object))
