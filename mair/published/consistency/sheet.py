"""The printed numbers of a paper, found by their keys, and the rows that checks write."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import pandas as pd

from mair.published.intervals import Interval, interval, rule_of, spread
from mair.published.numbers import Number
from mair.results import KEYS

COLUMNS = [
    "check", "variable", "arm", "time", "statistic", "printed",
    "computed_low", "computed_high", "verdict", "convention",
]
VERDICTS = ("exact", "within rounding", "other convention", "impossible", "not checkable")
SEVERITY = {verdict: k for k, verdict in enumerate((VERDICTS[4], *VERDICTS[:4]))}
COUNTS = ("n", "n_known", "responders", "n_with_dropout")
GROUPS = ("overall", "difference", "")


@dataclass(frozen=True, slots=True)
class Print:
    """One printed number: its place in the frame, its keys and its text."""

    at: int
    analysis: str
    variable: str
    arm: str
    time: str
    method: str
    statistic: str
    text: str
    source: str
    note: str

    @property
    def value(self) -> float:
        """The number, or the bound of an inequality."""
        return Number(self.text).value

    @property
    def values(self) -> Interval:
        """What prints so, rounded half up or half even."""
        return _spread(self.text)

    @property
    def key(self) -> tuple[str, ...]:
        return (self.analysis, self.variable, self.arm, self.time, self.statistic)

    @property
    def is_bound(self) -> bool:
        """An inequality says less than a number."""
        return self.text[0] in "<>"


_spread = lru_cache(maxsize=20_000)(spread)


class Sheet:
    """Published numbers by key, with what the trial file knows of arms and scales.

    Parameters
    ----------
    published : DataFrame
        As `mair.published.numbers.read` gives it.
    sections : dict, optional
        The trial file as a plain dict.
    """

    def __init__(self, published: pd.DataFrame, sections: dict | None = None):
        self.sections = sections or {}
        columns = [*KEYS, "printed", "source", "note"]
        records = zip(*(published[c].tolist() for c in columns), strict=True)
        self.everything = [Print(at, *record) for at, record in enumerate(records)]
        # a bound is of use for a p only; and nobody counts fewer than none
        self.prints = [p for p in self.everything if p.statistic == "p" or not (
            p.is_bound or (p.statistic in COUNTS and (p.value < 0 or "." in p.text)))]
        self._by: dict[tuple, list[Print]] = {}
        for p in self.prints:
            self._by.setdefault(p.key, []).append(p)
        self._sizes: dict[tuple, list[Print]] = {}
        for p in self.prints:
            if p.statistic == "n":
                self._sizes.setdefault((p.analysis, p.arm, p.method), []).append(p)
        self.control, self.treatment = self._arms()
        self.visits = [str(v) for v in self.sections.get("visits", [])] or self._visits()

    def _arms(self) -> tuple[str, str]:
        arm = self.sections.get("arm") or {}
        if arm.get("control") is not None and arm.get("treatment") is not None:
            return str(arm["control"]), str(arm["treatment"])
        named = [p for p in self.prints if p.arm not in GROUPS]
        measured = [p for p in named if p.analysis != "flow"] or named
        arms = [*dict.fromkeys(p.arm for p in measured), "", ""]
        return arms[0], arms[1]

    def _visits(self) -> list[str]:
        """Visits in order of appearance, those that are never compared first."""
        times = dict.fromkeys(p.time for p in self.prints if p.time and p.statistic == "mean")
        times |= dict.fromkeys(p.time for p in self.prints if p.time and p.analysis)
        compared = {p.time for p in self.prints if p.arm == "difference"}
        return sorted(times, key=lambda time: time in compared)

    @property
    def arms(self) -> tuple[str, str]:
        return self.control, self.treatment

    def all(self, analysis, variable, arm="", time="", statistic="n") -> list[Print]:
        """Every print of a key, in order."""
        return self._by.get((analysis, variable, arm, time, statistic), [])

    def get(self, analysis, variable, arm="", time="", statistic="n") -> Print | None:
        """The first print of a key."""
        found = self.all(analysis, variable, arm, time, statistic)
        return found[0] if found else None

    def where(self, **keys) -> list[Print]:
        """Prints whose attributes equal the keywords."""
        return [p for p in self.prints if all(getattr(p, k) == v for k, v in keys.items())]

    def randomised(self, arm: str) -> Print | None:
        """How many were randomised to an arm, where anybody was."""
        found = self.get("flow", "randomised", arm)
        return found if found and found.value >= 1 else None

    def size(self, p: Print) -> Print | None:
        """The n behind a mean or an SD: the variable's, its table's, or the randomised."""
        if p.analysis == "baseline":
            return self.get(*p.key[:4], "n_known") or self.randomised(p.arm)
        own = self.get(p.analysis, p.variable, p.arm, p.time, "n")
        if own:
            return own
        same = self._sizes.get((p.analysis, p.arm, p.method), [])
        best = [q for q in same if q.variable == p.variable] or [
            q for q in same if q.source == p.source] or same
        return best[0] if best else None

    def declared(self, variable: str) -> dict:
        """What the trial file says of a variable."""
        for section in ("outcomes", "biomarkers"):
            entry = (self.sections.get(section) or {}).get(variable)
            if entry:
                return entry
        return {}

    def scale(self, variable: str, source: str = "") -> tuple[float, float] | None:
        """Ends of the scale: the trial file's, else those printed in the same place."""
        entry = self.declared(variable).get("range")
        if entry:
            return float(entry[0]), float(entry[1])
        ends = []
        for statistic in ("range_low", "range_high"):
            found = [p for group in ("outcomes", "biomarkers", "flow", "baseline", "")
                     for p in self.all(group, variable, "overall", "", statistic)]
            same = [p for p in found if p.source == source] or found
            ends += [same[-1].value] if same else []
        return (ends[0], ends[1]) if len(ends) == 2 else None

    def step(self, variable: str) -> float | None:
        """The grain of a score, where the trial file says it."""
        step = self.declared(variable).get("step")
        return float(step) if step else None

    def better(self, variable: str) -> str:
        """``lower``, ``higher``, or empty where nobody says."""
        return self.declared(variable).get("better") or ""

    def moments(self, analysis, variable, arm, time="") -> tuple | None:
        """(n, mean, sd) prints of a cell, or None when one is missing."""
        mean, sd = (self.get(analysis, variable, arm, time, s) for s in ("mean", "sd"))
        n = self.size(mean) if mean else None
        return (n, mean, sd) if n and mean and sd else None

    def contrasts(self) -> list[tuple[str, str, str]]:
        """(analysis, variable, time) of every difference with a model's B or a d."""
        found = [(p.analysis, p.variable, p.time) for p in self.prints
                 if p.arm == "difference" and p.statistic in ("b", "d") and p.time]
        return list(dict.fromkeys(found))


@dataclass(frozen=True)
class Judgement:
    """A verdict, the convention obeyed and the interval it was judged by."""

    verdict: str
    convention: str
    computed: Interval


def judge(text: str, candidates: list[tuple], say: str = "") -> Judgement:
    """Which computation a printed number can come from.

    Parameters
    ----------
    text : str
        As printed.
    candidates : list of (name, interval, point)
        The declared convention first; ``point`` is the value at the printed inputs, or None.
    say : str
        The convention named when only the first candidate was asked and fits.

    Returns
    -------
    Judgement
        ``exact``: the first candidate's point prints so. ``within rounding``: a value of its
        interval does, or would by double rounding or, where no other candidate fits, by
        truncation, which is then named. ``other convention``: another candidate does.
        ``impossible``: none.
    """
    candidates = [(name, interval(iv), point) for name, iv, point in candidates]
    fits = [c for c in candidates if rule_of(c[1], text) == "half"]
    first = candidates[0]
    names = " or ".join(name for name, *_ in fits if name) or say
    if fits and fits[0] is first:
        point = first[2]
        exact = point is not None and rule_of(interval(point), text) == "half"
        return Judgement("exact" if exact else "within rounding", names, first[1])
    rule = "" if text[0] in "<>" else rule_of(first[1], text)
    if fits and rule != "rounded twice":
        return Judgement("other convention", names, fits[0][1])
    if rule:
        return Judgement("within rounding", rule, first[1])
    return Judgement("impossible", "", first[1])


class Ledger:
    """The rows of the consistency table."""

    def __init__(self):
        self.rows: list[tuple] = []
        self._judged: set[int] = set()
        self._used: set[int] = set()

    def add(self, check: str, p: Print, found: Judgement, computation: str, inputs=()) -> None:
        """One row: the printed number, the judgement, and what it was computed from."""
        places = [p.at, *(q.at for q in inputs if q is not None and q.at != p.at)]
        self._judged.add(p.at)
        self._used.update(places)
        low, high = (v if math.isfinite(v) else float("nan")
                     for v in (found.computed.low, found.computed.high))
        self.rows.append((
            check, p.variable, p.arm, p.time, p.statistic, p.text, low, high,
            found.verdict, found.convention, computation, p.source,
            " ".join(map(str, dict.fromkeys(places))),
        ))

    def judge(self, check, p, candidates, computation, inputs=(), say="") -> Judgement:
        """`judge` and `add`."""
        found = judge(p.text, candidates, say)
        self.add(check, p, found, computation, inputs)
        return found

    def rest(self, sheet: Sheet) -> None:
        """A row ``not checkable`` for each number that no check judged."""
        used = set(self._used)
        for p in sheet.everything:
            if p.at not in self._judged:
                why = ("only enters other computations" if p.at in used
                       else "nothing else printed determines it" if p.analysis
                       else "an input, or another study's result")
                self.add("none", p, Judgement("not checkable", why, interval(math.nan)), why)

    def frame(self) -> pd.DataFrame:
        """The contract's columns, then ``computation``, ``source`` and ``rows``."""
        return pd.DataFrame(self.rows, columns=[*COLUMNS, "computation", "source", "rows"])


def unsure(why: str, computed=math.nan) -> Judgement:
    """A ``not checkable`` judgement, with its reason."""
    return Judgement("not checkable", why, interval(computed))


def yes_no(fits: bool, convention: str, computed=math.nan) -> Judgement:
    """``exact`` or ``impossible``."""
    return Judgement("exact" if fits else "impossible", convention, interval(computed))


def short(value: float) -> str:
    """A number for a line of text: four digits that count."""
    if isinstance(value, Interval):
        return f"{short(value.low)} to {short(value.high)}"
    text = f"{value:.4g}"
    return f"{value:.0f}" if "e+" in text else text
