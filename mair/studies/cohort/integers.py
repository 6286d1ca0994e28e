"""Integer samples with an exact sum and an exact sum of squares."""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist

WALK = 20_000  # steps of one attempt
JITTER = 0.35  # of the start, in SDs


def normal(rng) -> float:
    """A nearly normal deviate from twelve uniform ones: no logarithm, the same bits anywhere."""
    total = -6.0
    for value in rng.random(12).tolist():
        total += value
    return total


@cache
def quantiles(n: int) -> tuple[float, ...]:
    """Normal quantiles at (i - 1/2) / n, rounded so that they are the same everywhere."""
    return tuple(round(NormalDist().inv_cdf((i + 0.5) / n), 9) for i in range(n))


def sample(rng, n: int, total: int, squares: int, low: int, high: int,
           shape=None, jitter: float = JITTER) -> list[int] | None:
    """``n`` integers in [low, high] with this sum and sum of squares, sorted; None if not found.

    Starts near ``shape`` (standardised, by default normal) and moves pairs together or apart;
    every decision is on integers.
    """
    sd = math.sqrt(max(0.0, (squares - total * total / n) / max(1, n - 1)))
    start = shape or quantiles(n)
    x = [min(high, max(low, round(total / n + sd * (q + jitter * normal(rng))))) for q in start]
    for _ in range(WALK):
        gap = total - sum(x)
        if gap == 0:
            break
        i = int(rng.integers(n))
        x[i] = min(high, max(low, x[i] + (gap if abs(gap) < 2 else gap // max(2, n // 2) or 1)))
    return _square(rng, x, squares, low, high) if sum(x) == total else None


def _square(rng, x, squares, low, high):
    gap = squares - sum(v * v for v in x)
    n, widest = len(x), max(1, (max(x) - min(x)) // 4)
    for _ in range(WALK // 500):
        pairs = rng.integers(n, size=(500, 2)).tolist()
        steps = rng.integers(1, widest + 1, size=500).tolist()
        for (i, j), step in zip(pairs, steps, strict=True):
            if gap == 0:
                return sorted(x)
            step = 1 if abs(gap) < 4 * widest else step
            change = 2 * step * (x[i] - x[j] + step)
            if (i != j and abs(gap - change) < abs(gap) and x[i] + step <= high
                    and x[j] - step >= low):
                x[i] += step
                x[j] -= step
                gap -= change
    return sorted(x) if gap == 0 else _finish(x, gap, low, high)


def _finish(x, gap, low, high):
    """The last gap by one move of two pairs at most."""
    n = len(x)
    moves = [(2 * s * (x[i] - x[j] + s), i, j, s) for i in range(n) for j in range(n)
             for s in (1, 2, 3) if i != j and x[i] + s <= high and x[j] - s >= low]
    by_change = {}
    for move in moves:
        by_change.setdefault(move[0], []).append(move)
    for change, i, j, s in moves:
        if change == gap:
            x[i] += s
            x[j] -= s
            return sorted(x)
        for _, k, m, t in by_change.get(gap - change, ()):
            if len({i, j, k, m}) == 4:
                x[i] += s
                x[j] -= s
                x[k] += t
                x[m] -= t
                return sorted(x)
    return None


def tuples(k: int, total: int, squares: int, low: int, high: int) -> list[tuple[int, ...]]:
    """Every nondecreasing ``k``-tuple of integers in [low, high] with these two sums."""
    if k == 1:
        return [(total,)] if low <= total <= high and total * total == squares else []
    found = []
    for first in range(low, min(high, total // k) + 1):
        rest, left = total - first, squares - first * first
        if left * (k - 1) >= rest * rest:
            found += [(first, *t) for t in tuples(k - 1, rest, left, first, high)]
    return found


def counts(n: int, total: int, squares: int, low: int, high: int) -> list[tuple[int, ...]]:
    """Every way to place ``n`` people on low..high with these sums: people by value."""
    found = []

    def place(value, n, total, squares, done):
        if value == high:
            if n * value == total and n * value * value == squares:
                found.append((*done, n))
            return
        for k in range(n + 1):
            left, rest, sq = n - k, total - k * value, squares - k * value * value
            if sq < 0 or rest < 0:
                break
            if left * (value + 1) <= rest <= left * high and sq * left >= rest * rest:
                place(value + 1, left, rest, sq, (*done, k))

    place(low, n, total, squares, ())
    return found
