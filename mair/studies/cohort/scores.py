"""All scores of one outcome: plan, values, pairing, until the printed rows are met."""

from dataclasses import replace
from functools import cache
from itertools import islice

import numpy as np

from mair.published.numbers import Lookup, Number
from mair.stats.normality import lilliefors
from mair.stats.tests import levene, t_test_p
from mair.studies.cohort import targets
from mair.studies.cohort.allocation import Allocation, away, outcome
from mair.studies.cohort.integers import sample, tuples
from mair.studies.cohort.pairing import Responders, correlations, search, started
from mair.studies.cohort.targets import sd_of
from mair.studies.cohort.undescribed import Outcome, Plan, plans

DRAWS = 4000
VALUES = 100  # draws of a visit's values, of which the most plausible is taken
PLANS = 3  # of one set of draws
ATTEMPTS = 8  # pairings a plan
ROUNDS = 9  # of plans
LENIENT = 3  # of them, the last, without the printed p of Table 2
MISSED = 100.0
ALPHA = 0.05  # of the Levene switch
COARSE = 10  # points: a scale on which all ways are enumerated
EXTREME = 0.10  # of an arm at a visit may stand at its own extreme value


def responders(look: Lookup, spec: dict, name: str, own: Outcome, plan: Plan):
    """Printed responders less those among the people not complete; None for other outcomes."""
    wanted = spec.get("responders")
    if not wanted or wanted["outcome"] != name:
        return None
    visit = spec["visits"].index(wanted["visit"])
    rule = Responders(visit, tuple(wanted["reductions"]), own.worse)
    left = np.array([[int(look("nnt", f"{name} >={percent}%", arm, wanted["visit"], "completers",
                               statistic="responders").value) for arm in spec["arms"]]
                     for percent in rule.shares])
    for other, scores in zip(own.others, plan.scores, strict=True):
        if visit in other.visits:
            left[:, other.arm] -= rule.improved(scores[0], scores[other.visits.index(visit)])
    return replace(rule, counts=tuple(map(tuple, left.tolist())))


def values_of(rng, own: Outcome, plan: Plan, p: Number | None, strict: bool):
    """Values of the completers by arm and visit: the most plausible of some draws.

    ``p`` is the printed one of Table 2, under the Levene switch; None when no values are found,
    or, if ``strict``, none that print it.
    """
    chosen = []
    for t in range(own.visits):
        rest = [[s[o.visits.index(t)] for o, s in zip(own.others, plan.scores, strict=True)
                 if o.arm == a and t in o.visits] for a in (0, 1)]
        best, printing = None, _printing(own, plan, rest, p) if t == 0 else [True, True]
        for _ in range(VALUES):
            drawn = [_values(rng, own, len(m), plan.sums[a][t], plan.squares[a][t])
                     for a, m in enumerate(own.m)]
            if any(x is None for x in drawn):
                continue
            welch = printing[0] != printing[1] and (
                levene(*(drawn[a] + rest[a] for a in (1, 0))).p < ALPHA)
            missed = MISSED * (not printing[welch])
            key = missed if missed and strict else missed + _oddness(own, drawn, rest)
            if best is None or key < best[0]:
                best = (key, drawn)
            if key == 0:
                break
        if best is None or (strict and best[0] >= MISSED):
            return None
        chosen.append(best[1])
    return list(zip(*chosen, strict=True))


def _printing(own: Outcome, plan: Plan, rest, p: Number | None) -> list[bool]:
    """Whether Student's p of the first visit prints so, and Welch's: the sums decide it."""
    arms = [(n := arm.n, (s := plan.sums[a][0] + sum(rest[a])) / n,
             sd_of(s, plan.squares[a][0] + sum(v * v for v in rest[a]), n))
            for a, arm in enumerate(own.whole)]
    return [p is None or p.met(float(t_test_p(*arms[::-1], method=method)))
            for method in ("student", "welch")]


@cache
def _plainest(n: int, total: int, squares: int, low: int, high: int) -> list[list[int]]:
    """On a coarse scale: of all ways to place people those with the fewest at an extreme."""
    ways = tuples(n, total, squares, low, high)
    heaps = [heaped(x, low, high) for x in ways]
    fewest = min(heaps, default=0)
    return [list(x) for x, heap in zip(ways, heaps, strict=True) if heap == fewest][::-1]


def _values(rng, own: Outcome, n: int, total: int, squares: int) -> list[int] | None:
    if own.high - own.low > COARSE:
        return sample(rng, n, total, squares, own.low, own.high)
    found = _plainest(n, total, squares, own.low, own.high)
    return list(found[int(rng.integers(len(found)))]) if found else None


def heaped(x, low: float, high: float) -> int:
    """People beyond 10 % (at least one) at either extreme value, unless the scale ends there."""
    most = max(1, int(EXTREME * len(x)))
    return sum(max(0, x.count(end) - most)
               for end, scale in ((min(x), low), (max(x), high)) if end != scale)


def _oddness(own: Outcome, drawn, rest) -> float:
    """Heaped extremes and a shape off the normal one, 0 when neither."""
    odd = float(sum(heaped(x, own.low, own.high) for x in drawn))
    p = lilliefors(np.array([v for x in (*drawn, *rest) for v in x], float)).p
    return round(odd + 40 * max(0.0, 0.07 - p), 6)


def scores(rng, look: Lookup, spec: dict, name: str, people: Allocation, level):
    """Scores of both arms, by person (the allocation's order) and visit, nan where missing.

    Parameters
    ----------
    rng : numpy Generator
    look : Lookup
        The published numbers.
    spec : dict
        As ``cohort.yaml``.
    name : str
        Of the outcome.
    people : Allocation
    level : list of arrays of float
        A severity that all outcomes share, by arm and person.

    Returns
    -------
    list of array (people, visits)
        In steps of the instrument.

    Raises
    ------
    ValueError
        When no draw meets the printed rows.
    """
    p = targets.printed(look, "baseline", name, "difference", "", "student", statistic="p")
    for k in range(ROUNDS):
        own = outcome(look, spec, name, people, away(people, spec, name, rng))
        levels = [mine[seen] for mine, seen in zip(level, own.seen, strict=True)]
        for plan in islice(plans(rng, own, DRAWS), PLANS):
            found = _paired(rng, own, plan, levels, spec["outcomes"][name].get("pre_post"),
                            responders(look, spec, name, own, plan), p, k < ROUNDS - LENIENT)
            if found is not None:
                return _everyone(own, plan, people, found)
    raise ValueError(f"{name}: no draw prints every row")


def _paired(rng, own, plan, level, special, rule, *goal):
    """Scores of the completers by arm, visit and person, or None."""
    wanted = correlations(own, plan, special)
    for _ in range(ATTEMPTS):
        values = values_of(rng, own, plan, *goal)
        if values is None:
            return None
        rows = [started(rng, own, values[a], own.m[a], level[a], max(0.05, min(
            0.95, sum(wanted[a].values()) / len(wanted[a])))) for a in (0, 1)]
        found = search(rng, own, plan, rows, rule, wanted)
        if found is not None:
            return found
    return None


def _everyone(own: Outcome, plan: Plan, people: Allocation, found) -> list[np.ndarray]:
    """Everyone's scores in the allocation's order."""
    out = [np.full((arm.n, own.visits), np.nan) for arm in people.arms]
    for values, seen, rows in zip(out, own.seen, found, strict=True):
        values[seen] = np.transpose(rows)
    for other, values in zip(own.others, plan.scores, strict=True):
        out[other.arm][other.place, list(other.visits)] = values
    return out
