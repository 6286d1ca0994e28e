"""The counted part of the cohort: who the invented people are. Decisions on integers only."""

from __future__ import annotations

import math

import pandas as pd

from mair.published.numbers import Lookup
from mair.studies.cohort import targets
from mair.studies.cohort.crew import Crew
from mair.studies.cohort.integers import sample

TRIES = 1000


def classes(rng, look: Lookup, spec: dict, arm: str, totals) -> dict[str, list[str]]:
    """Yes/no by class with the printed counts, each person's sum as given.

    Classes are dealt, the commonest first, to those with most still to come: a yes/no table
    with given margins exists exactly when this deal succeeds (Gale, Ryser).
    """
    counts = {name: int(look("baseline", name, arm, statistic="n").value)
              for name in spec["classes"]}
    left = list(totals)
    table = {name: ["no"] * len(left) for name in spec["classes"]}
    for name in sorted(counts, key=lambda m: -counts[m]):
        shuffled = rng.permutation(len(left)).tolist()
        for person in sorted(shuffled, key=lambda k: -left[k])[: counts[name]]:
            if left[person] == 0:
                raise ValueError(f"classes of {arm}: no table has these margins")
            table[name][person] = "yes"
            left[person] -= 1
    return table


def shuffled_levels(rng, counts: dict[str, int], n: int) -> list[str]:
    """Levels repeated as counted, in random order; the counts must fill ``n``."""
    values = [level for level, count in counts.items() for _ in range(count)]
    if len(values) != n:
        raise ValueError(f"{len(values)} of {n} people have a level in {counts}")
    return [values[k] for k in rng.permutation(n)]


def quartile_sample(rng, n: int, quartiles, low: int, high: int) -> list[int]:
    """Sorted integers whose weighted-average quartiles are the given integers.

    The quartile at p lies at position p(n + 1): both neighbours of it are set to the
    quartile, the values between are drawn from the integers between.
    """
    fixed: dict[int, int] = {}
    for share, value in zip((1, 2, 3), quartiles, strict=True):
        position = share * (n + 1)
        fixed[position // 4] = value
        fixed[-(-position // 4)] = value
    anchors = {0: low, **fixed, n + 1: high}
    x: dict[int, int] = {}
    for left, right in zip(sorted(anchors), sorted(anchors)[1:], strict=False):
        gap = range(left + 1, right)
        drawn = rng.integers(anchors[left], anchors[right] + 1, size=len(gap))
        x |= dict(zip(gap, sorted(int(v) for v in drawn), strict=True))
    return [v for _, v in sorted((x | fixed).items())]


def rank_z(first: list[int], second: list[int]) -> float:
    """|z| of the Mann-Whitney test with the correction for ties, rounded to 1e-6."""
    n, m = len(first), len(second)
    u = sum((a > b) + 0.5 * (a == b) for a in first for b in second)
    both = [*first, *second]
    ties = sum(both.count(v) ** 3 - both.count(v) for v in set(both))
    variance = n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1)))
    return round(abs(u - n * m / 2) / math.sqrt(variance), 6)


def _quartiles(look: Lookup, variable: str, arm: str) -> list[int]:
    return [int(look("flow", variable, arm, "", "weighted-average", statistic=s).value)
            for s in ("q1", "median", "q3")]


def sessions(rng, look: Lookup, spec: dict, crew: Crew) -> list[list[int]]:
    """Sessions attended by arm and person: printed quartiles, no difference, few by the lost."""
    low, high = spec["sessions"]["range"]
    for _ in range(TRIES):
        drawn = [quartile_sample(rng, arm.n, _quartiles(look, "sessions", arm.name), low, high)
                 for arm in crew.arms]
        if rank_z(*drawn) < 1.9:  # short of 1.96
            break
    else:
        raise ValueError("no sessions with the printed quartiles and p > 0.05 found")
    out = []
    for arm, x in zip(crew.arms, drawn, strict=True):
        lost = arm.n - arm.seen
        # of the lost, those seen after treatment came most often
        out.append([x[lost:][k] for k in rng.permutation(arm.seen)] + x[:lost][::-1])
    return out


def age(rng, look: Lookup, spec: dict, arm: str, n: int) -> list[int]:
    """Whole years with the printed mean and SD."""
    own = targets.cell(*targets.moments(look, "baseline", spec["age"]["column"], arm), n)
    for _ in range(TRIES):
        total = own.sums[int(rng.integers(len(own.sums)))]
        squares = own.choices(total)[int(rng.integers(len(own.choices(total))))]
        found = sample(rng, n, total, squares, *spec["age"]["range"])
        if found is not None:
            return [found[k] for k in rng.permutation(n)]
    raise ValueError(f"no ages in {spec['age']['range']} have the printed mean and SD of {arm}")


def describe(rng, look: Lookup, spec: dict, crew: Crew) -> list[pd.DataFrame]:
    """Everything of Table 2 and of the flow that is not a score, by arm.

    Parts that the specification does not name are left out.
    """
    came = sessions(rng, look, spec, crew) if "sessions" in spec else None
    frames = []
    for a, arm in enumerate(crew.arms):
        frame = {"arm": [arm.name] * arm.n}
        frame |= {name: [value] * arm.n for name, value in spec.get("constant", {}).items()}
        if "age" in spec:
            frame[spec["age"]["column"]] = age(rng, look, spec, arm.name, arm.n)
        for name in spec.get("binary", ()):
            yes = int(look("baseline", name, arm.name, statistic="n").value)
            frame[name] = shuffled_levels(rng, {"yes": yes, "no": arm.n - yes}, arm.n)
        for name, levels in spec.get("categorical", {}).items():
            counts = {level: int(look("baseline", f"{name}: {level}", arm.name,
                                      statistic="n").value) for level in levels}
            frame[name] = shuffled_levels(rng, counts, arm.n)
        if "classes" in spec:
            frame |= classes(rng, look, spec, arm.name, crew.m[a])
        frame[spec["covariate"]] = list(crew.m[a])
        lost = arm.n - arm.seen
        frame["completed_post"] = ["yes"] * (arm.seen + arm.late) + ["no"] * (lost - arm.late)
        frame["lost"] = [""] * arm.seen + ["not reported"] * lost
        if came is not None:
            frame[spec["sessions"]["column"]] = came[a]
        frames.append(pd.DataFrame(frame | _opinions(rng, look, spec, arm)))
    return frames


def _opinions(rng, look: Lookup, spec: dict, arm) -> dict[str, list]:
    """Preference and credibility; levels that are not printed are split as evenly as they go."""
    out = {}
    if "preference" in spec:
        own = spec["preference"]
        counted = int(look("flow", f"{own['column']}: {own['counted']}", arm.name,
                           statistic="n").value)
        share = dict.fromkeys(own["others"], 0)
        for k in range(arm.n - counted):
            share[own["others"][k % len(own["others"])]] += 1
        out[own["column"]] = shuffled_levels(rng, {own["counted"]: counted, **share}, arm.n)
    if "credibility" in spec:
        own = spec["credibility"]
        rated = quartile_sample(rng, arm.n, _quartiles(look, own["column"], arm.name),
                                *own["range"])
        out[own["column"]] = [rated[k] for k in rng.permutation(arm.n)]
    return out
