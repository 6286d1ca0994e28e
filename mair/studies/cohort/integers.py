"""Integer samples with an exact sum and an exact sum of squares."""

import math
from functools import cache

import numpy as np
from scipy.special import ndtri

WALK = 20_000  # steps of one attempt
JITTER = 0.35  # of the start, in SDs


def normals(rng, n: int) -> np.ndarray:
    """Nearly normal deviates: each twelve uniform ones less 6."""
    return sum(rng.random((n, 12)).T, np.full(n, -6.0))


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
    start = total / n + sd * (np.array(shape or quantiles(n)) + jitter * normals(rng, n))
    x = np.clip(np.rint(start), low, high).astype(int).tolist()
    gap = total - sum(x)
    for _ in range(WALK):
        if gap == 0:
            return _squared(rng, x, squares, low, high)
        i = int(rng.integers(n))
        new = min(high, max(low, x[i] + (gap if abs(gap) < 2 else gap // max(2, n // 2) or 1)))
        x[i], gap = new, gap + x[i] - new
    return None


def _squared(rng, x, squares, low, high):
    """Pairs moved together or apart until the sum of squares is met."""
    gap, stuck = squares - sum(v * v for v in x), False
    n, widest = len(x), max(1, (max(x) - min(x)) // 4)
    for _ in range(WALK // 500):
        pairs, steps = rng.integers(n, size=(500, 2)), rng.integers(1, widest + 1, size=500)
        least, most = min(0, 2 * gap), max(0, 2 * gap)  # a change between brings it nearer to 0
        if 0 < abs(gap) < 4 * widest and not stuck:
            changes = _moves(x, low, high, 1)[1]
            stuck = not ((least < changes) & (changes < most)).any()
        for i, j, step in () if stuck else zip(*pairs.T.tolist(), steps.tolist(), strict=True):
            if gap == 0:
                return sorted(x)
            step = 1 if abs(gap) < 4 * widest else step
            change = 2 * step * (x[i] - x[j] + step)
            if least < change < most and i != j and x[i] + step <= high and x[j] - step >= low:
                x[i] += step
                x[j] -= step
                gap -= change
                least, most = min(0, 2 * gap), max(0, 2 * gap)
    return sorted(x) if gap == 0 else _finished(x, gap, low, high)


@cache
def _pairs(n: int, widest: int) -> np.ndarray:
    """Two of ``n`` people and a step of 1 to ``widest``, (3, moves)."""
    return np.array([(i, j, step) for i in range(n) for j in range(n) if i != j
                     for step in range(1, widest + 1)], int).reshape(-1, 3).T


def _moves(x, low, high, widest):
    """Every move of a pair within the scale, (3, moves), and what the sum of squares gains."""
    moves = _pairs(len(x), widest)
    (up, down), step = np.array(x)[moves[:2]], moves[2]
    inside = (up + step <= high) & (down - step >= low)
    return moves[:, inside], (2 * step * (up - down + step))[inside]


def _finished(x, gap, low, high):
    """The last gap by one move of two pairs at most; None where none closes it."""
    moves, changes = _moves(x, low, high, 3)
    for k in np.flatnonzero((changes == gap) | np.isin(gap - changes, changes)).tolist():
        others = np.flatnonzero(changes == gap - changes[k])
        apart = others[~np.isin(moves[:2, others], moves[:2, k]).any(0)].tolist()
        if changes[k] == gap or apart:
            for up, down, step in moves[:, [k] if changes[k] == gap else [k, apart[0]]].T.tolist():
                x[up] += step
                x[down] -= step
            return sorted(x)
    return None


def nearly(rng, k: int, total: int, squares: int, low: int, high: int) -> list[int] | None:
    """Integers with this sum and nearly this sum of squares; None outside the scale."""
    left = squares - total * total / k
    if left < 0 or k < 2:
        return [total] if k == 1 and low <= total <= high else None
    z = normals(rng, k)
    z -= z.mean()
    values = np.rint(total / k + math.sqrt(left / (z @ z)) * z).astype(int).tolist()
    values[int(rng.integers(k))] += total - sum(values)
    return sorted(values) if low <= min(values) and max(values) <= high else None


def tuples(k: int, total: int, squares: int, low: int, high: int) -> list[tuple[int, ...]]:
    """Every nondecreasing ``k``-tuple of integers in [low, high] with these two sums, in order."""
    if k < 2:
        fits = squares == total * total and (low <= total <= high if k else total == 0)
        return [(total,) * k] if fits else []
    spread = k * squares - total * total
    if spread < 0 or total > k * high:
        return []
    # the smallest is furthest below the mean with all others equal, nearest with one other apart
    first = max(low, -((math.isqrt(spread * (k - 1)) + 1 - total) // k))
    last = (total - math.isqrt(spread // (k - 1))) // k
    return [(v, *more) for v in range(first, last + 1)
            for more in tuples(k - 1, total - v, squares - v * v, v, high)]
