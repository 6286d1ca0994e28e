"""Who takes how many medications: the one vector that all models share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np

from mair.published.numbers import Lookup
from mair.studies.cohort import targets
from mair.studies.cohort.unpinned import Other, Outcome, plans

MOST = 3  # of the covariate among dropouts
SCREEN, THOROUGH = 1500, 4000  # draws


@dataclass(frozen=True)
class Arm:
    """Sizes of one arm: everyone, seen at every visit, seen once more than at baseline only."""

    name: str
    n: int
    seen: int
    late: int


@dataclass(frozen=True)
class Crew:
    """Both arms with each person's covariate, in the order completers, late, baseline only."""

    arms: tuple[Arm, Arm]
    m: tuple[tuple[int, ...], tuple[int, ...]]


def sizes(look: Lookup, spec: dict) -> tuple[Arm, Arm]:
    """Randomised and retained, from the printed counts and percentages."""
    found = []
    for arm in spec["arms"]:
        n = int(look("flow", "randomised", arm, statistic="n").value)
        kept = [round(n * look("flow", "retained", arm, visit, statistic="percent").value / 100)
                for visit in spec["visits"][1:]]
        found.append(Arm(arm, n, kept[-1], kept[0] - kept[-1]))
    return tuple(found)


def split(total: int, squares: int, n: int) -> list[int] | None:
    """``n`` people's counts with this sum and sum of squares: the flattest such split."""
    found = []
    for threes in range(total // 3 + 1):
        twos, rest = divmod(squares - total - 6 * threes, 2)
        ones = total - 2 * twos - 3 * threes
        zeros = n - ones - twos - threes
        if rest == 0 and min(twos, ones, zeros) >= 0:
            # flattest: the numbers of people fall evenly from 0 upwards
            found.append(((zeros - ones) ** 2 + (ones - twos) ** 2 + (twos - threes) ** 2,
                          [0] * zeros + [1] * ones + [2] * twos + [3] * threes))
    return min(found)[1] if found else None


def candidates(look: Lookup, spec: dict, arms) -> list[tuple[tuple[int, ...], ...]]:
    """Covariates of the dropouts of both arms (late first), the most ordinary ones first."""
    options = []
    for arm in arms:
        own = targets.cell(*targets.moments(look, "baseline", spec["covariate"], arm.name), arm.n)
        total, k = own.sums[0], arm.n - arm.seen
        squares = own.choices(total)[0]
        mean, variance = total / arm.n, targets.spread(total, squares, arm.n) ** 2
        arm_options = []
        for late in product(range(MOST + 1), repeat=arm.late):
            for base in combinations_with_replacement(range(MOST + 1), k - arm.late):
                values = (*late, *base)
                s, q = sum(values), sum(v * v for v in values)
                rest = split(total - s, squares - q, arm.seen)
                if rest is not None:
                    odd = (s - k * mean) ** 2 / (k * variance) if k else 0.0
                    odd += abs(q - s * s / max(1, k) - (k - 1) * variance) / (4 * variance)
                    arm_options.append((round(odd, 6), values, tuple(rest)))
        options.append(arm_options)
    pairs = sorted((a[0] + b[0], a[1], b[1], a[2], b[2]) for a in options[0] for b in options[1])
    return [pair[1:] for pair in pairs]


def outcome(look: Lookup, spec: dict, name: str, crew: Crew, four=None) -> Outcome:
    """The printed numbers of one outcome with the people they are about.

    Parameters
    ----------
    look : Lookup
    spec : dict
        The specification, as ``cohort.yaml`` holds it.
    name : str
    crew : Crew
    four : list of int, optional
        Completers of an arm who miss a visit of this outcome (``unseen``).
    """
    own, visits = spec["outcomes"][name], spec["visits"]
    per = round(1 / own["step"])
    low, high = (look("outcomes", name, "overall", "", "declared", statistic=s,
                      source=spec["source"]).value for s in ("range_low", "range_high"))
    unseen = own.get("unseen")
    cells, whole, others, m = [], [], [], []
    for a, arm in enumerate(crew.arms):
        mine = list(crew.m[a][: arm.seen])
        away = (four or []) if unseen and unseen["arm"] == arm.name else []
        cells.append(tuple(targets.cell(*targets.moments(look, "outcomes", name, arm.name, v),
                                        arm.seen - len(away), per) for v in visits))
        whole.append(targets.cell(*targets.moments(look, "baseline", name, arm.name), arm.n, per))
        others += [Other(a, v, (0, 1)) for v in crew.m[a][arm.seen : arm.seen + arm.late]]
        others += [Other(a, v, (0,)) for v in crew.m[a][arm.seen + arm.late :]]
        left = tuple(t for t, v in enumerate(visits) if not unseen or v != unseen["visit"])
        others += [Other(a, mine[i], left) for i in away]
        m.append(tuple(v for i, v in enumerate(mine) if i not in set(away)))
    windows = tuple(targets.window(look, "outcomes", name, v) for v in visits[1:])
    slope = targets.slope_window(look, "outcomes", name, spec["covariate"])
    overall = None
    if ("baseline", name, "overall", "", "", "mean") in look:
        overall = targets.moments(look, "baseline", name, "overall")
    keys = [("outcomes", name, "difference", v, "d_ppc2", "d") for v in visits[1:]]
    effects = tuple(look(*key[:-1], statistic="d") if key in look else None for key in keys)
    return Outcome(name, per, round(low * per), round(high * per), own["worse"], own["r"],
                   tuple(cells), tuple(whole), windows, slope, tuple(others), tuple(m), overall,
                   effects)


def away(crew: Crew, spec: dict, name: str, rng=None) -> list[int]:
    """Completers who miss a visit of an outcome: with an ordinary covariate, else at random."""
    unseen = spec["outcomes"][name].get("unseen")
    if not unseen:
        return []
    a = [arm.name for arm in crew.arms].index(unseen["arm"])
    m, k = crew.m[a][: crew.arms[a].seen], unseen["n"]
    rng = rng or np.random.default_rng(0)
    draws = [sorted(rng.permutation(len(m))[:k].tolist()) for _ in range(20)]
    return min(draws, key=lambda d: abs(sum(m[i] for i in d) / k - sum(m) / len(m)))


def dropouts(published_look: Lookup, spec: dict) -> Crew:
    """The first ordinary covariate vector with which every outcome's rows can be printed.

    Only the slopes towards worse health are sought. Outcomes whose covariate has an exact p
    are tried first, because they exclude most vectors.

    Raises
    ------
    ValueError
        When no vector of at most `MOST` a dropout does.
    """
    look, arms = published_look, sizes(published_look, spec)
    exact = [n for n in spec["outcomes"]
             if not math.isinf(targets.slope_window(look, "outcomes", n, spec["covariate"])[1])]
    names = sorted(spec["outcomes"], key=lambda n: (
        n not in exact, spec["outcomes"][n]["step"] < 1, "unseen" in spec["outcomes"][n]))
    hopeful: dict = {}
    for late_c, late_t, rest_c, rest_t in candidates(look, spec, arms):
        crew = Crew(arms, ((*rest_c, *late_c), (*rest_t, *late_t)))
        # B depends on who takes what through these sums, the standard errors hardly at all
        totals = tuple((v[: arm.late], sum(v[arm.late :]))
                       for v, arm in zip((late_c, late_t), arms, strict=True))
        if totals not in hopeful:
            hopeful[totals] = all(_possible(look, spec, name, crew, loose=True)
                                  for name in names[:2])
        if hopeful[totals] and all(_possible(look, spec, name, crew) for name in names):
            return crew
    raise ValueError(f"no vector of {spec['covariate']} lets every outcome print its rows")


def _possible(look, spec, name, crew, loose=False) -> bool:
    own = outcome(look, spec, name, crew, away(crew, spec, name))
    rng = np.random.default_rng(1)
    if loose:
        return bool(plans(rng, own, SCREEN, own.worse, most=1, margin=4.0))
    return bool(plans(rng, own, THOROUGH, own.worse, most=1))
