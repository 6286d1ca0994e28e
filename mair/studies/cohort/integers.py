"""Integer samples with an exact sum and an exact sum of squares."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.special import ndtri

WALK = 20_000  # steps of one attempt
JITTER = 0.35  # of the start, in SDs


def normal(rng) -> float:
    """A nearly normal deviate: twelve uniform ones less 6."""
    return sum(rng.random(12).tolist(), -6.0)


def shuffled(rng, values) -> list:
    """The values in random order."""
    return [values[k] for k in rng.permutation(len(values)).tolist()]


def ranked(latent, values) -> np.ndarray:
    """The values dealt out, the smallest to the smallest of ``latent``."""
    out = np.empty(len(values), int)
    out[np.argsort(latent, kind="stable")] = sorted(values)
    return out


@cache
def quantiles(n: int) -> tuple[float, ...]:
    """Normal quantiles at (i - 1/2) / n."""
    return tuple(ndtri((np.arange(n) + 0.5) / n).tolist())


def sample(rng, n: int, total: int, squares: int, low: int, high: int,
           shape=None, jitter: float = JITTER) -> list[int] | None:
    """``n`` integers in [low, high] with this sum and sum of squares, sorted; None if not found.

    Starts from ``shape`` (standardised quantiles, by default normal) with ``jitter`` (in SDs)
    and moves pairs together or apart.
    """
    sd = math.sqrt(max(0.0, (squares - total * total / n) / max(1, n - 1)))
    x = [min(high, max(low, round(total / n + sd * (q + jitter * normal(rng)))))
         for q in shape or quantiles(n)]
    for _ in range(WALK):
        gap = total - sum(x)
        if gap == 0:
            return _squared(rng, x, squares, low, high)
        i = int(rng.integers(n))
        x[i] = min(high, max(low, x[i] + (gap if abs(gap) < 2 else gap // max(2, n // 2) or 1)))
    return None


def _squared(rng, x, squares, low, high):
    """Pairs moved together or apart until the sum of squares is met."""
    gap = squares - sum(v * v for v in x)
    n, widest = len(x), max(1, (max(x) - min(x)) // 4)
    for _ in range(WALK // 500):
        pairs, steps = rng.integers(n, size=(500, 2)), rng.integers(1, widest + 1, size=500)
        if _nothing(np.array(x), gap, pairs, steps if abs(gap) >= 4 * widest else 1, low, high):
            continue
        for (i, j), step in zip(pairs.tolist(), steps.tolist(), strict=True):
            if gap == 0:
                return sorted(x)
            step = 1 if abs(gap) < 4 * widest else step
            change = 2 * step * (x[i] - x[j] + step)
            if (i != j and abs(gap - change) < abs(gap) and x[i] + step <= high
                    and x[j] - step >= low):
                x[i] += step
                x[j] -= step
                gap -= change
    return sorted(x) if gap == 0 else _finished(x, gap, low, high)


def _nothing(x, gap, pairs, steps, low, high) -> bool:
    """Whether none of these moves brings a gap nearer to 0."""
    up, down = x[pairs.T]
    change = 2 * steps * (up - down + steps)
    return gap != 0 and not ((pairs[:, 0] != pairs[:, 1]) & (abs(gap - change) < abs(gap))
                             & (up + steps <= high) & (down - steps >= low)).any()


def _finished(x, gap, low, high):
    """The last gap by one move of two pairs at most; None where none closes it."""
    n, by_change = len(x), {}
    moves = [(2 * s * (x[i] - x[j] + s), i, j, s) for i in range(n) for j in range(n)
             for s in (1, 2, 3) if i != j and x[i] + s <= high and x[j] - s >= low]
    for move in moves:
        by_change.setdefault(move[0], []).append(move)
    for change, i, j, s in moves:
        last = [] if change == gap else next(
            ([(k, m, t)] for _, k, m, t in by_change.get(gap - change, ())
             if len({i, j, k, m}) == 4), None)
        if last is not None:
            for up, down, step in [(i, j, s), *last]:
                x[up] += step
                x[down] -= step
            return sorted(x)
    return None


def nearly(rng, k: int, total: int, squares: int, low: int, high: int) -> list[int] | None:
    """Integers with this sum and nearly this sum of squares; None outside the scale."""
    left = squares - total * total / k
    if left < 0 or k < 2:
        return [total] if k == 1 and low <= total <= high else None
    z = np.array([normal(rng) for _ in range(k)])
    z -= z.mean()
    values = np.rint(total / k + math.sqrt(left / (z @ z)) * z).astype(int).tolist()
    values[int(rng.integers(k))] += total - sum(values)
    return sorted(values) if low <= min(values) and max(values) <= high else None


def tuples(k: int, total: int, squares: int, low: int, high: int) -> list[tuple[int, ...]]:
    """Every nondecreasing ``k``-tuple of integers in [low, high] with these two sums, in order."""
    if k == 0 or low >= high:
        fits = (k * low, k * low * low) == (total, squares) and (k == 0 or low == high)
        return [(low,) * k] if fits else []
    found = []
    for n in range(k, -1, -1):
        left, rest, square = k - n, total - n * low, squares - n * low * low
        if left * (low + 1) <= rest <= left * high and square * left >= rest * rest:
            found += [(low,) * n + more for more in tuples(left, rest, square, low + 1, high)]
    return found
