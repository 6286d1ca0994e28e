"""The counted part of the first synthetic cohort: who the invented people are.

Counts, whole years, sessions and credibility are integers, so a small seeded loop on
exact integer sums meets them. Nothing here depends on a floating-point decision.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from mair.published.cohort_moments import bounded, logistic, standardised
from mair.published.numbers import Lookup, Number

MEDICATIONS = (
    "non_opioid_analgesics",
    "opioids",
    "NSAIDs",
    "antidepressants",
    "anticonvulsants",
    "benzodiazepines",
    "antipsychotics",
)
YES_NO = ("stable_relationship", "residence_urban", "own_home")
LEVELS = {
    "education": ("primary", "secondary", "university"),
    "employment": ("employed", "sick leave", "unemployed"),
}
AGE_RANGE = (18, 65)  # section 2.2
SESSIONS = 8
PREFERENCES = ("MAIR", "RT", "other")


def squares_within(total: int, n: int, sd: Number) -> tuple[int, ...]:
    """Sums of squares of ``n`` integers with this total whose SD prints as ``sd``."""
    base = total * total / n
    low = base + (n - 1) * (sd.value - sd.half) ** 2
    high = base + (n - 1) * (sd.value + sd.half) ** 2
    # an integer and its square have the same parity, hence so have the two sums
    return tuple(q for q in range(math.ceil(low), math.floor(high) + 1) if (q - total) % 2 == 0)


def integers(rng, n: int, mean: Number, sd: Number, low: int, high: int) -> np.ndarray:
    """``n`` integers in [low, high] with a printed mean and SD.

    Starts from rounded draws with these moments, then moves pairs a step apart or together
    until the sum of squares is right; the sum stays fixed. All decisions are on integers.

    Raises
    ------
    ValueError
        When no sum of squares fits or the walk does not arrive.
    """
    total = round(mean.value * n)
    targets = squares_within(total, n, sd)
    if not targets or not mean.met(total / n):
        raise ValueError(f"no {n} integers have mean {mean.printed} and SD {sd.printed}")
    target = targets[len(targets) // 2]
    z = standardised(rng.standard_normal(n))
    a, b = bounded(z, mean.value, sd.value, low - 0.5, high + 0.5)
    x = [min(high, max(low, round(v))) for v in logistic(z, low - 0.5, high + 0.5, a, b)]
    while sum(x) != total:
        i = int(rng.integers(n))
        step = 1 if sum(x) < total else -1
        if low <= x[i] + step <= high:
            x[i] += step
    for _ in range(200_000):
        gap = target - sum(v * v for v in x)
        if gap == 0:
            return np.array(x)
        i, j = (int(k) for k in rng.integers(n, size=2))
        change = 2 * (x[i] - x[j]) + 2
        if i != j and x[i] < high and x[j] > low and abs(gap - change) < abs(gap):
            x[i] += 1
            x[j] -= 1
    raise ValueError(f"no {n} integers in [{low}, {high}] found for SD {sd.printed}")


def medication_totals(total: int, n: int, sd: Number) -> list[int]:
    """Medications a person, largest first: the flattest split with the printed SD.

    Enumerates how many people take 0, 1, 2 and 3 classes with this total.
    """
    found = []
    for square in squares_within(total, n, sd):
        for threes in range(total // 3 + 1):
            twos, rest = divmod(square - total - 6 * threes, 2)
            ones = total - 2 * twos - 3 * threes
            zeros = n - ones - twos - threes
            if rest == 0 and min(twos, ones, zeros) >= 0:
                counts = (zeros, ones, twos, threes)
                found.append((sum(c * c for c in counts), counts))
    if not found:
        raise ValueError(f"no split of {total} medications over {n} people has SD {sd.printed}")
    zeros, ones, twos, threes = min(found)[1]
    return [3] * threes + [2] * twos + [1] * ones + [0] * zeros


def medications(rng, look: Lookup, arm: str, n: int) -> pd.DataFrame:
    """Yes/no by class and their sum a person, with Table 2's counts and SD.

    Classes are dealt, the commonest first, to those with most still to come: a yes/no
    table with given margins exists exactly when this deal succeeds (Gale, Ryser).
    """
    counts = {
        name: int(look("baseline", f"med_{name}", arm, statistic="n").value) for name in MEDICATIONS
    }
    totals = medication_totals(
        sum(counts.values()), n, look("baseline", "n_medications", arm, statistic="sd")
    )
    totals = [totals[k] for k in rng.permutation(n)]
    left = list(totals)
    table = {f"med_{name}": ["no"] * n for name in MEDICATIONS}
    for name in sorted(MEDICATIONS, key=lambda m: -counts[m]):
        shuffled = [int(k) for k in rng.permutation(n)]
        for person in sorted(shuffled, key=lambda k: -left[k])[: counts[name]]:
            if left[person] == 0:
                raise ValueError(f"medications of {arm}: no table has these margins")
            table[f"med_{name}"][person] = "yes"
            left[person] -= 1
    return pd.DataFrame({**table, "n_medications": totals})


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


def attended(rng, look: Lookup, sizes: dict[str, int]) -> dict[str, list[int]]:
    """Sessions attended, sorted, with section 3.1's quartiles and its p > 0.05."""
    for _ in range(1000):
        drawn = {}
        for arm, n in sizes.items():
            quartiles = [
                int(look("flow", "sessions", arm, "", "weighted-average", statistic=s).value)
                for s in ("q1", "median", "q3")
            ]
            drawn[arm] = quartile_sample(rng, n, quartiles, 1, SESSIONS)
        if rank_z(*drawn.values()) < 1.9:  # short of 1.96
            return drawn
    raise ValueError("no sessions with the printed quartiles and p > 0.05 found")


def demographics(rng, look: Lookup, arm: str, n: int) -> pd.DataFrame:
    """Table 2's people of one arm: sex to employment, medications."""
    age = integers(
        rng,
        n,
        look("baseline", "age", arm, statistic="mean"),
        look("baseline", "age", arm, statistic="sd"),
        *AGE_RANGE,
    )
    frame = pd.DataFrame({"sex": ["female"] * n, "age": age})
    for name in YES_NO:
        yes = int(look("baseline", name, arm, statistic="n").value)
        frame[name] = shuffled_levels(rng, {"yes": yes, "no": n - yes}, n)
    for name, levels in LEVELS.items():
        counts = {
            level: int(look("baseline", f"{name}: {level}", arm, statistic="n").value)
            for level in levels
        }
        frame[name] = shuffled_levels(rng, counts, n)
    return frame.join(medications(rng, look, arm, n))


def opinions(rng, look: Lookup, arm: str, n: int) -> pd.DataFrame:
    """Preference and credibility of one arm (section 3.6).

    The paper prints only the indifferent; the others are split as evenly as they go.
    """
    indifferent = int(look("flow", "preference: indifferent", arm, statistic="n").value)
    share = dict.fromkeys(PREFERENCES, 0)
    for k in range(n - indifferent):
        share[PREFERENCES[k % len(PREFERENCES)]] += 1
    quartiles = [
        int(look("flow", "credibility", arm, "", "weighted-average", statistic=s).value)
        for s in ("q1", "median", "q3")
    ]
    rated = quartile_sample(rng, n, quartiles, 4, 10)
    return pd.DataFrame(
        {
            "preference": shuffled_levels(rng, {"indifferent": indifferent, **share}, n),
            "credibility": [rated[k] for k in rng.permutation(n)],
        }
    )
