"""All scores of one outcome: plan, cells, pairing, until the printed rows are met."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

import numpy as np

from mair.published.numbers import Lookup, Number
from mair.stats.normality import lilliefors
from mair.stats.tests import levene_switched
from mair.studies.cohort.crew import Crew, away, outcome
from mair.studies.cohort.integers import counts, normal, sample
from mair.studies.cohort.pairing import Responders, correlations, search, started
from mair.studies.cohort.unpinned import Outcome, Plan, plans

DRAWS = 4000
CELLS = 100  # draws of a visit's cells, of which the most plausible is taken
ATTEMPTS = 8  # pairings a plan
ROUNDS = 9  # of plans
LENIENT = 3  # of them, the last, without the printed p of Table 2
MISSED = 100.0
COARSE = 10  # points: a scale on which all ways are enumerated
EXTREME = 0.10  # of a cell may stand at its own extreme value


def responders(look: Lookup, spec: dict, name: str, own: Outcome, plan: Plan):
    """Printed responders less those among the people not complete; None for other outcomes."""
    wanted = spec.get("responders")
    if not wanted or wanted["outcome"] != name:
        return None
    visit = spec["visits"].index(wanted["visit"])
    shares = tuple((percent, 100) for percent in wanted["reductions"])
    counts = []
    rule = Responders(visit, shares, (), own.worse)
    for k, percent in enumerate(wanted["reductions"]):
        by_arm = []
        for a, arm in enumerate(spec["arms"]):
            n = int(look("nnt", f"{name} >={percent}%", arm, wanted["visit"], "completers",
                         statistic="responders").value)
            for other, scores in zip(own.others, plan.scores, strict=True):
                if other.arm == a and visit in other.visits:
                    after = scores[other.visits.index(visit)]
                    n -= rule.improved(scores[0], after)[k]
            by_arm.append(n)
        counts.append(tuple(by_arm))
    return Responders(visit, shares, tuple(counts), own.worse)


@dataclass(frozen=True)
class Goal:
    """What is asked of a draw of cells: the printed p of Table 2, under the Levene switch.

    ``strict``: a plan that cannot give it is given up.
    """

    p: Number | None
    strict: bool = True

    def met(self, treated, control) -> bool:
        """Whether the test prints so."""
        if self.p is None:
            return True
        found = levene_switched(np.array(treated, float), np.array(control, float)).p
        return self.p.met(round(float(found), 9))


def cells(rng, own: Outcome, plan: Plan, goal: Goal) -> list[list[list[int]]] | None:
    """Values of the completers' cells by arm and visit: the most plausible of some draws."""
    chosen = [[None] * own.visits for _ in own.cells]
    for t in range(own.visits):
        rest = [[s[o.visits.index(t)] for o, s in zip(own.others, plan.scores, strict=True)
                 if o.arm == a and t in o.visits] for a in (0, 1)]
        best = None
        for _ in range(CELLS):
            drawn = [_cell(rng, own, len(m), plan.sums[a][t], plan.squares[a][t])
                     for a, m in enumerate(own.m)]
            if any(x is None for x in drawn):
                continue
            key = _oddness(own, drawn, rest)
            if t == 0 and not goal.met(drawn[1] + rest[1], drawn[0] + rest[0]):
                key += MISSED
            if best is None or key < best[0]:
                best = (key, drawn)
            if key == 0:
                break
        if best is None or (goal.strict and best[0] >= MISSED):
            return None
        for a in (0, 1):
            chosen[a][t] = best[1][a]
    return chosen


@cache
def _ways(n: int, total: int, squares: int, low: int, high: int) -> list[list[int]]:
    """On a coarse scale: of all ways to place people those with the fewest at an extreme."""
    found = [[v for v, k in enumerate(way, low) for _ in range(k)]
             for way in counts(n, total, squares, low, high)]
    fewest = min((heaped(x, low, high) for x in found), default=0)
    return [x for x in found if heaped(x, low, high) == fewest]


def _cell(rng, own: Outcome, n: int, total: int, squares: int) -> list[int] | None:
    if own.high - own.low > COARSE:
        return sample(rng, n, total, squares, own.low, own.high)
    ways = _ways(n, total, squares, own.low, own.high)
    return list(ways[int(rng.integers(len(ways)))]) if ways else None


def heaped(x, low: int, high: int) -> int:
    """People beyond 10 % (at least one) at either extreme value, unless the scale ends there."""
    allowed = max(1, int(EXTREME * len(x)))
    return sum(max(0, x.count(end) - allowed)
               for end, scale in ((min(x), low), (max(x), high)) if end != scale)


def _oddness(own: Outcome, drawn, rest) -> float:
    """Heaped extremes and a shape off the normal one, 0 when neither."""
    odd = float(sum(heaped(x, own.low, own.high) for x in drawn))
    p = lilliefors(np.array([v for x in (*drawn, *rest) for v in x], float)).p
    return round(odd + 40 * max(0.0, 0.07 - p), 6)


def scores(rng, look: Lookup, spec: dict, name: str, crew: Crew, level):
    """Scores of both arms, by person (the crew's order) and visit, None where missing.

    Parameters
    ----------
    rng : numpy Generator
    look, spec, crew
    name : str
    level : list of lists of float
        A severity that all outcomes share, by arm and person.

    Returns
    -------
    list of list of list
        In steps of the instrument.

    Raises
    ------
    ValueError
        When no draw meets the printed rows.
    """
    key = (name, "difference", "", "student", "p")
    p = look("baseline", *key[:4], statistic="p") if ("baseline", *key) in look else None
    special = spec["outcomes"][name].get("pre_post")
    for k in range(ROUNDS):
        goal = Goal(p, strict=k < ROUNDS - LENIENT)
        four = away(crew, spec, name, rng)
        own = outcome(look, spec, name, crew, four)
        for plan in plans(rng, own, DRAWS, own.worse):
            found = _paired(rng, own, plan, crew, four, level, goal, special,
                            responders(look, spec, name, own, plan))
            if found is not None:
                return found
    raise ValueError(f"{name}: no draw prints every row")


def _paired(rng, own, plan, crew, four, level, goal, special, rule):
    targets = correlations(own, plan, special)
    for _ in range(ATTEMPTS):
        values = cells(rng, own, plan, goal)
        if values is None:
            return None
        rows = []
        for a, arm in enumerate(crew.arms):
            mine = [i for i in range(arm.seen) if not (four and len(own.m[a]) < arm.seen
                                                       and i in four)]
            first = [max(0.05, min(0.95, _typical(targets[a])))] * own.visits
            rows.append(started(rng, own, values[a], own.m[a], [level[a][i] for i in mine], first))
        found = search(rng, own, plan, rows, rule, targets)
        if found is not None:
            return _people(own, plan, crew, four, found)
    return None


def _typical(targets: dict) -> float:
    return math.fsum(targets.values()) / len(targets)


def _people(own: Outcome, plan: Plan, crew: Crew, four, found):
    """Everyone's scores in the crew's order."""
    out = []
    for a, arm in enumerate(crew.arms):
        rows = [[None] * own.visits for _ in range(arm.n)]
        gone = set(four) if len(own.m[a]) < arm.seen else set()
        mine = [i for i in range(arm.seen) if i not in gone]
        for k, i in enumerate(mine):
            rows[i] = [found[a][t][k] for t in range(own.visits)]
        places = [*range(arm.seen, arm.n), *sorted(gone)]
        others = [(o, s) for o, s in zip(own.others, plan.scores, strict=True) if o.arm == a]
        for i, (o, s) in zip(places, others, strict=True):
            for t, value in zip(o.visits, s, strict=True):
                rows[i][t] = value
        out.append(rows)
    return out


def levels(rng, crew: Crew) -> list[list[float]]:
    """A severity a person, shared by all outcomes."""
    return [[normal(rng) for _ in range(arm.n)] for arm in crew.arms]
