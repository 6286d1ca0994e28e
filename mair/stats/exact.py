"""Fisher's exact test of two arms and any number of levels, and the conditional odds ratio.

Every table with the observed margins is accounted for, none is sampled: equal input
gives equal output. `mair.stats.tests.fisher` is the test, `mair.stats.risk.odds_ratio` the ratio.
"""

import math

import numpy as np
from scipy import optimize, special

TOLERANCE = math.log1p(1e-7)  # as in R's fisher.test: a tie in exact arithmetic stays a tie
CHUNK = 1_000_000  # tables looked at together: bounds the memory, not the answer
WORK = 300_000_000  # tables looked at in all; about half a minute


def tail(table) -> float:
    """P(a table no more probable than the observed), given both margins.

    Parameters
    ----------
    table : ndarray of int, shape (levels, 2)
        People by level and arm; every level and arm has somebody.

    Returns
    -------
    float
        nan when there are too many tables to account for (several levels of hundreds).

    Notes
    -----
    Levels are added one by one, in logarithms of binomial coefficients. A partial table
    is settled as soon as all its completions fall on one side of the observed
    probability, and partial tables alike in rest and probability are merged.

    References
    ----------
    Mehta CR, Patel NR. J Am Stat Assoc 1983;78:427-34.
    """
    # The smaller arm has fewer ways to be filled; the larger levels are settled last.
    table = table[np.argsort(table.sum(axis=1), kind="stable")]
    rows, column = table.sum(axis=1), table[:, table.sum(axis=0).argmin()]
    total = int(column.sum())
    ways = [_log_choose(r, np.arange(min(r, total) + 1)) for r in rows.tolist()]
    limit = sum(float(w[a]) for w, a in zip(ways, column, strict=True)) + TOLERANCE
    after = np.append(np.cumsum(rows[::-1])[::-1], 0)  # people in this level and later ones
    everything = _log_choose(int(after[0]), np.array([total]))[0]
    best, worst = _bounds(ways, after, total)
    if best is None:
        return math.nan
    left, weight, times = np.array([total]), np.zeros(1), np.ones(1)
    parts, work = [], 0
    for k, way in enumerate(ways):
        if not left.size:
            break
        work += left.size * way.size
        if work > WORK:
            return math.nan
        open_nodes = []
        step = max(1, CHUNK // way.size)
        for i in range(0, left.size, step):
            node = slice(i, i + step)
            l2 = left[node, None] - np.arange(way.size)
            inside = (l2 >= 0) & (l2 <= after[k + 1])
            w2 = (weight[node, None] + way)[inside]
            t2 = np.broadcast_to(times[node, None], l2.shape)[inside]
            l2 = l2[inside]
            counted = w2 + best[k + 1][l2] <= limit
            rest = _log_choose(int(after[k + 1]), l2[counted])
            parts.append(float((t2[counted] * np.exp(w2[counted] + rest - everything)).sum()))
            kept = ~counted & (w2 + worst[k + 1][l2] <= limit)
            open_nodes.append((l2[kept], w2[kept], t2[kept]))
        left, weight, times = _merged(open_nodes)
    p = math.fsum(parts)
    return 1.0 if p > 1 - 1e-12 else p  # every table counted, but for the sum's last digits


def odds_ratio(responders, n, confidence):
    """Conditional maximum likelihood estimate of an odds ratio, and Cornfield's limits.

    Parameters
    ----------
    responders, n : tuple of int
        (treatment, control); somebody responds and somebody does not.
    confidence : float

    Returns
    -------
    estimate, low, high : float
        0 or infinite where a cell is 0. Each solves an equation in the log odds ratio, over the
        counts of the treatment arm that the margins allow: the count's expectation is what was
        seen, or a tail that includes what was seen has probability (1 - confidence) / 2.
    """
    (x, other), (n1, n2) = responders, n
    counts = np.arange(max(0, x + other - n2), min(n1, x + other) + 1)
    weights = _log_choose(n1, counts) + _log_choose(n2, x + other - counts)

    def solved(value, wanted):
        def excess(log_odds):
            return special.softmax(weights + log_odds * counts) @ value - wanted

        reach = 1.0
        while excess(-reach) * excess(reach) > 0:
            reach *= 2
        return math.exp(optimize.brentq(excess, -reach, reach, xtol=1e-13))

    tail = (1 - confidence) / 2
    least, most = x == counts[0], x == counts[-1]
    return (0.0 if least else math.inf if most else solved(counts, x),
            0.0 if least else solved(counts >= x, tail),
            math.inf if most else solved(counts <= x, tail))


def _log_choose(n, a):
    return special.gammaln(n + 1.0) - special.gammaln(a + 1.0) - special.gammaln(n - a + 1.0)


def _bounds(ways, after, total):
    """Greatest and least log weight of levels k.. when `left` of the arm are left to place."""
    last = len(ways)
    best, worst = [None] * (last + 1), [None] * (last + 1)
    best[last], worst[last] = (np.append(0.0, np.full(total, end)) for end in (-np.inf, np.inf))
    if sum((total + 1) * w.size for w in ways[1:]) > WORK:
        return None, None
    for k in range(last - 1, 0, -1):
        best[k], worst[k] = np.full(total + 1, -np.inf), np.full(total + 1, np.inf)
        for a, w in enumerate(ways[k]):
            end = total + 1 - a
            best[k][a:] = np.maximum(best[k][a:], best[k + 1][:end] + w)
            worst[k][a:] = np.minimum(worst[k][a:], worst[k + 1][:end] + w)
    return best, worst


def _merged(nodes):
    """Partial tables with the same rest and the same weight, counted once with their number."""
    left, weight, times = map(np.concatenate, zip(*nodes, strict=True))
    order = np.lexsort((weight, left))
    left, weight, times = left[order], weight[order], times[order]
    # Weights equal in exact arithmetic differ by rounding only; 1e-10 is far below TOLERANCE.
    new = (np.diff(left, prepend=-1) != 0) | (np.diff(weight, prepend=-np.inf) > 1e-10)
    first = np.flatnonzero(new)
    return left[first], weight[first], np.add.reduceat(times, first) if first.size else times
