"""The engine of the checks: a check says what it selects and computes, and is judged here.

A check is a function under `check`. With keys it gets the sheet and one printed number at a
time (and what it is ``given`` for it), and returns ``(candidates, computation, inputs)``; where
it does not apply, nothing, or `NotPrinted` is raised. Without keys it gets the sheet, and yields
the printed number first. ``candidates`` are what `judge` takes, or a `Judgement` already.
"""

from collections import defaultdict
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import pandas as pd

from mair.published.consistency.sheet import COUNTS, INPUT, Printed, Sheet, need, perhaps
from mair.published.rounding import Interval, image, interval, rule_of

COLUMNS = [
    "check", "variable", "arm", "time", "statistic", "printed",
    "computed_low", "computed_high", "verdict", "convention",
]
VERDICTS = ("exact", "within rounding", "other convention", "impossible", "not checkable")
SEVERITY = {verdict: k for k, verdict in enumerate((VERDICTS[4], *VERDICTS[:4]))}
# The same verdicts in words for readers
WORDS = {"exact": "follows", "within rounding": "follows with rounding",
         "other convention": "needs an explanation",
         "impossible": "cannot hold as printed", "not checkable": "stands alone", INPUT: INPUT}
SIGN = "a lost or stray minus sign"
UNKNOWN = Interval(np.nan, np.nan)
CHECKS: list[tuple] = []
# Where a number of a kind plausibly lies; so many at random show what the checks let pass
PLAUSIBLE = {"p": (0, 1), "q": (0, 1), "percent": (0, 100), "d": (-2, 2)}
SEED, DRAWS = 2020, 400


@dataclass(frozen=True)
class Judgement:
    """A verdict, the convention obeyed and the interval it was judged by."""

    verdict: str
    convention: str
    computed: Interval = UNKNOWN


def judge(text: str, candidates: list[tuple]) -> Judgement:
    """Which computation a printed number can come from.

    Parameters
    ----------
    text : str
        As printed.
    candidates : list of (name, value) or (name, interval, point)
        The declared convention first; ``point`` is the value at the printed inputs, or None.

    Returns
    -------
    Judgement
        ``exact``: the first candidate's point prints so. ``within rounding``: a value of its
        interval does, or would by double rounding or, where no other candidate fits, by
        truncation, which is then named. ``other convention``: another candidate does.
        ``impossible``: none; the convention then says whether the other sign would.
    """
    first, point = interval(candidates[0][1]), candidates[0][-1]
    fits = [c for c in candidates if rule_of(c[1], text) == "half"]
    names = " or ".join(c[0] for c in fits if c[0])
    if fits and fits[0] is candidates[0]:
        exact = point is not None and rule_of(point, text) == "half"
        return Judgement("exact" if exact else "within rounding", names, first)
    rule = rule_of(first, text)
    if fits and rule != "rounded twice":
        return Judgement("other convention", names, interval(fits[0][1]))
    turned = text[1:] if text[0] in "-<>" else f"-{text}"
    sign = SIGN if not rule and rule_of(first, turned) == "half" and text[0] not in "<>" else ""
    return Judgement("within rounding" if rule else "impossible", rule or sign, first)


def unsure(why: str, computed=np.nan) -> Judgement:
    """A ``not checkable`` judgement, with its reason."""
    return Judgement("not checkable", why, interval(computed))


def yes_no(fits: bool, convention: str = "", computed=np.nan) -> Judgement:
    """``exact`` or ``impossible``."""
    return Judgement("exact" if fits else "impossible", convention, interval(computed))


def formula(f, *numbers: Printed, name: str = "") -> tuple[str, Interval, float]:
    """A candidate: the range of a function of arrays over what prints so, and at the numbers.

    Counts are exact, and a function of counts alone gets numbers.
    """
    box = [p.value if p.statistic in COUNTS else p.values for p in numbers]
    exact = all(p.statistic in COUNTS for p in numbers)
    with np.errstate(all="ignore"):  # of division by zero: no value
        at = float(f(*(np.float64(p.value) for p in numbers)))
        return name, interval(at) if exact else image(f, *box), at


def formulas(ways: dict, *numbers: Printed) -> list[tuple]:
    """`formula` of each function of the same numbers, by name, where it has a value."""
    found = (formula(f, *numbers, name=name) for name, f in ways.items())
    return [c for c in found if np.isfinite([c[1].low, c[1].high, c[2]]).all()]


def check(name: str, *given, first: bool = False, **keys):
    """Register a check of the printed numbers that `Sheet.where` selects by ``keys``.

    Parameters
    ----------
    name : str
        As the table has it. Several functions may make up one check.
    *given : callable
        Each takes the sheet and the printed number; the check gets what they find, too, and
        does not apply where one finds nothing.
    first : bool
        Of numbers printed more than once, only the first; of a difference, by each method.
    **keys
        None: the check chooses for itself.
    """
    def register(find):
        def tried(sheet: Sheet, p: Printed, text: str):
            more = [need(one(sheet, p)) for one in given]
            return find(sheet, replace(p, printed=text), *more) if text else find(sheet, p, *more)

        def select(sheet: Sheet):
            for p in sheet.where(**keys):
                again = partial(perhaps, tried, sheet, p)
                if (not first or sheet.is_first(p)) and (found := again("")):
                    yield p, *found, *((),) * (3 - len(found)), again

        CHECKS.append((name, select if keys else find))
        return find

    return register


def judgement(printed: str, candidates) -> Judgement:
    """Candidates judged, or what is a judgement already."""
    return candidates if isinstance(candidates, Judgement) else judge(printed, candidates)


def by_chance(p: Printed, tried: list[tuple]) -> str:
    """How many numbers of the same digits would have passed the checks of ``p``, in words: all
    that are plausible, or as many of them as `DRAWS`; empty where no range is known.

    ``tried`` holds what a check compared ``p`` with, and the check itself, of a text.
    """
    low, high = (end * 10**p.decimals for end in PLAUSIBLE.get(p.statistic, (0, 0)))
    whole = np.arange(low, high)
    if p.relation or len(whole) < DRAWS / 4:
        return ""
    drawn = np.random.default_rng(SEED).choice(whole, DRAWS) if len(whole) > DRAWS else whole

    def passes(text: str) -> bool:
        found = (again(text) if isinstance(candidates, Judgement) else (candidates,)
                 for candidates, again in tried)
        return all(judgement(text, f[0]).verdict != "impossible" for f in found if f)

    texts = {k: f"{k / 10**p.decimals:.{p.decimals}f}" for k in {*drawn, whole[0], whole[-1]}}
    passing = {k for k in set(drawn) if passes(texts[k])}
    return (f"of {len(drawn)} values {'drawn ' * (len(whole) > DRAWS)}from {texts[whole[0]]} to "
            f"{texts[whole[-1]]}, {sum(k in passing for k in drawn)} would have passed")


def run(sheet: Sheet, chance: bool = False) -> pd.DataFrame:
    """Every registered check: the columns of `consistency`."""
    rows, judged, used, tried = [], set(), set(), defaultdict(list)

    def add(name, p: Printed, candidates, text="", inputs=(), again=None):
        found = judgement(p.printed, candidates)
        if again:
            tried[p.at].append((candidates, again))
        places = dict.fromkeys([p.at, *(q.at for q in inputs if q is not None)])
        judged.add(p.at)
        used.update(places)
        ends = (v if np.isfinite(v) else np.nan
                for v in (found.computed.low, found.computed.high))
        rows.append((name, p.variable, p.arm, p.time, p.statistic, p.printed, *ends, found.verdict,
                     found.convention, text, p.source, " ".join(map(str, places))))

    for name, select in CHECKS:
        for found in select(sheet):
            add(name, *found)
    for p in sheet.everything:
        if why := sheet.given(p):
            add("input", p, unsure(why), why)
        elif p.at not in judged:
            why = ("only enters other computations" if p.at in used
                   else "nothing else printed determines it")
            add("none", p, unsure(why), why)
    frame = pd.DataFrame(rows, columns=[*COLUMNS, "computation", "source", "rows"])
    places = [int(r.partition(" ")[0]) if chance and v in VERDICTS[2:4] else -1
              for r, v in zip(frame["rows"], frame["verdict"], strict=True)]
    said = {at: by_chance(sheet.everything[at], tried[at]) for at in set(places) & set(tried)}
    return frame.assign(by_chance=[said.get(at, "") for at in places])


def worst(frame: pd.DataFrame, size: int) -> pd.DataFrame:
    """The one judgement on each printed number: the worst verdict of the checks on it.

    Returns
    -------
    DataFrame
        A row for each of ``size`` places in the published numbers: ``verdict``, ``convention``,
        ``computation``, ``by_chance``, ``given`` (why it is given and not found, or empty) and the
        ``check``.
    """
    place = frame["rows"].str.partition(" ")[0].astype(int)
    given = frame["convention"].where(frame["check"] == "input", "")
    own = frame.assign(place=place, given=given.groupby(place).transform("max"))[place >= 0]
    own = own.sort_values("verdict", key=lambda v: v.map(SEVERITY), kind="stable")
    columns = ["verdict", "convention", "computation", "by_chance", "given", "check"]
    own = own.groupby("place")[columns].last().reindex(range(size))
    return own.fillna({"verdict": "not checkable"}).fillna("")
