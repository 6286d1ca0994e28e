"""Who takes how many medications: the allocation of the covariate that all models share."""

import math
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np

from mair.published.numbers import Lookup
from mair.studies.cohort import targets
from mair.studies.cohort.undescribed import Other, Outcome, plans

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
class Allocation:
    """Both arms with each person's covariate, in the order completers, late, baseline only."""

    arms: tuple[Arm, Arm]
    m: tuple[tuple[int, ...], tuple[int, ...]]


def sizes(look: Lookup, spec: dict) -> tuple[Arm, Arm]:
    """Randomised and retained people of each arm, from the printed counts and percentages."""
    found = []
    for arm in spec["arms"]:
        n = int(look("flow", "randomised", arm, statistic="n").value)
        kept = [round(n * look("flow", "retained", arm, visit, statistic="percent").value / 100)
                for visit in spec["visits"][1:]]
        found.append(Arm(arm, n, kept[-1], kept[0] - kept[-1]))
    return tuple(found)


def split(total: int, squares: int, n: int) -> list[int] | None:
    """The flattest counts of ``n`` people, 0 to 3 each, with this sum and sum of squares.

    Flattest: the numbers of people fall evenly from 0 upwards. None where there are no such.
    """
    found = []
    for threes in range(total // 3 + 1):
        twos, rest = divmod(squares - total - 6 * threes, 2)
        ones = total - 2 * twos - 3 * threes
        zeros = n - ones - twos - threes
        if rest == 0 and min(twos, ones, zeros) >= 0:
            found.append(((zeros - ones) ** 2 + (ones - twos) ** 2 + (twos - threes) ** 2,
                          [0] * zeros + [1] * ones + [2] * twos + [3] * threes))
    return min(found)[1] if found else None


def candidates(look: Lookup, spec: dict, arms) -> list[tuple[tuple[int, ...], ...]]:
    """Covariates of the dropouts of both arms and of both arms' completers.

    Parameters
    ----------
    look : Lookup
        The published numbers.
    spec : dict
        As ``cohort.yaml``.
    arms : pair of Arm

    Returns
    -------
    list of tuple
        (dropouts of control, late first; of treatment; completers of control; of treatment),
        the most ordinary first.
    """
    options = []
    for arm in arms:
        own = targets.allowed(look, arm.n, 1, "baseline", spec["covariate"], arm.name)
        (total, squares), k = own.pairs[0], arm.n - arm.seen
        mean, variance = total / arm.n, float(targets.sd_of(total, squares, arm.n)) ** 2
        options.append([])
        for late in product(range(MOST + 1), repeat=arm.late):
            for base in combinations_with_replacement(range(MOST + 1), k - arm.late):
                values = (*late, *base)
                s, q = sum(values), sum(v * v for v in values)
                rest = split(total - s, squares - q, arm.seen)
                if rest is not None:
                    odd = (s - k * mean) ** 2 / (k * variance) if k else 0.0
                    odd += abs(q - s * s / max(1, k) - (k - 1) * variance) / (4 * variance)
                    options[-1].append((round(odd, 6), values, tuple(rest)))
    pairs = sorted((a[0] + b[0], a[1], b[1], a[2], b[2]) for a in options[0] for b in options[1])
    return [pair[1:] for pair in pairs]


def outcome(look: Lookup, spec: dict, name: str, people: Allocation, away=()) -> Outcome:
    """The printed numbers of one outcome with the people they are about.

    Parameters
    ----------
    look : Lookup
        The published numbers.
    spec : dict
        As ``cohort.yaml``.
    name : str
        Of the outcome.
    people : Allocation
    away : list of int
        Completers of an arm who miss a visit of this outcome (``unseen``).
    """
    own, visits = spec["outcomes"][name], spec["visits"]
    per, unseen = round(1 / own["step"]), own.get("unseen", {})
    ends = (round(per * look("outcomes", name, "overall", "", "declared", statistic=s).value)
            for s in ("range_low", "range_high"))
    there = tuple(t for t, v in enumerate(visits) if v != unseen.get("visit"))
    described, whole, others, seen = [], [], [], []
    for a, (arm, mine) in enumerate(zip(people.arms, people.m, strict=True)):
        gone = away if unseen.get("arm") == arm.name else ()
        described.append([targets.allowed(look, arm.seen - len(gone), per, "outcomes", name,
                                          arm.name, v) for v in visits])
        whole.append(targets.allowed(look, arm.n, per, "baseline", name, arm.name))
        others += [Other(a, i, mine[i], (0, 1) if i < arm.seen + arm.late else (0,))
                   for i in range(arm.seen, arm.n)]
        others += [Other(a, i, mine[i], there) for i in gone]
        seen.append([i for i in range(arm.seen) if i not in gone])
    return Outcome(
        per, *ends, own["worse"], own["r"], described, whole,
        [targets.window(look, "outcomes", name, v) for v in visits[1:]],
        targets.slope_window(look, "outcomes", name, spec["covariate"]), others, seen,
        [[m[i] for i in places] for m, places in zip(people.m, seen, strict=True)],
        [targets.printed(look, "baseline", name, "overall", "", "", statistic=s)
         for s in ("mean", "sd")],
        [targets.printed(look, "outcomes", name, "difference", v, "d_ppc2", statistic="d")
         for v in visits[1:]])


def away(people: Allocation, spec: dict, name: str, rng=None) -> list[int]:
    """Completers who miss a visit of an outcome: of 20 draws those with an ordinary covariate.

    Parameters
    ----------
    people : Allocation
    spec : dict
        As ``cohort.yaml``.
    name : str
        Of the outcome.
    rng : numpy Generator, optional
    """
    unseen = spec["outcomes"][name].get("unseen")
    if not unseen:
        return []
    a = [arm.name for arm in people.arms].index(unseen["arm"])
    m, k = people.m[a][: people.arms[a].seen], unseen["n"]
    rng = rng or np.random.default_rng(0)
    draws = [sorted(rng.permutation(len(m))[:k].tolist()) for _ in range(20)]
    return min(draws, key=lambda d: abs(sum(m[i] for i in d) / k - sum(m) / len(m)))


def allocate(look: Lookup, spec: dict) -> Allocation:
    """The first ordinary covariate vector with which every outcome's rows can be printed.

    Only the slopes towards worse health are sought. Outcomes whose covariate has an exact p
    are tried first, because they exclude most vectors.

    Parameters
    ----------
    look : Lookup
        The published numbers.
    spec : dict
        As ``cohort.yaml``.

    Raises
    ------
    ValueError
        When no vector of at most `MOST` a dropout does.
    """
    arms, hopeful = sizes(look, spec), {}
    exact = {n for n in spec["outcomes"]
             if math.isfinite(targets.slope_window(look, "outcomes", n, spec["covariate"])[1])}
    names = sorted(spec["outcomes"], key=lambda n: (
        n not in exact, spec["outcomes"][n]["step"] < 1, "unseen" in spec["outcomes"][n]))
    for late_c, late_t, rest_c, rest_t in candidates(look, spec, arms):
        people = Allocation(arms, ((*rest_c, *late_c), (*rest_t, *late_t)))
        # B depends on who takes what through these sums, the standard errors hardly at all
        totals = tuple((v[: arm.late], sum(v[arm.late :]))
                       for v, arm in zip((late_c, late_t), arms, strict=True))
        if totals not in hopeful:
            hopeful[totals] = all(_possible(look, spec, name, people, SCREEN, margin=4.0)
                                  for name in names[:2])
        if hopeful[totals] and all(_possible(look, spec, name, people, THOROUGH)
                                   for name in names):
            return people
    raise ValueError(f"no vector of {spec['covariate']} lets every outcome print its rows")


def _possible(look, spec, name, people, draws, **margin) -> bool:
    own = outcome(look, spec, name, people, away(people, spec, name))
    return any(True for _ in plans(np.random.default_rng(1), own, draws, **margin))
