"""How small and how large a statistic can be while everything printed stays as printed.

From a table of scores that prints what the paper prints, `climb` takes the best of many pairs of
small moves: two people of an arm swap their scores of a visit, one gains what another loses, one
score moves alone. What a pair does is foretold from a regression of a few moves' exact effects on
sums that are additive over people (`agreeing.Paper.features`); the best are computed exactly, and
one is taken only where every printed number still prints as it did. It stops where a round finds
none better, so an extreme found is inside the true one, never beyond it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mair.published import rounding

ROUNDS = 40  # at most
FAILED = 3  # rounds in a row without a step
MOVES = 400  # drawn a round
LEARNT = 90  # of them computed exactly, to foretell the others
PAIRS = 20_000  # of moves, foretold
TRIED = 80  # of pairs, computed exactly
SWAPS = 0.7  # share of the moves
WORSE = 1.3  # times the distance left, a step of a repair may take
SLACK = 0.5  # of a window's half: foretold outside by less, a pair is tried all the same


@dataclass(frozen=True)
class Windows:
    """The values that print as the start does: ``keys``, ``low``, ``high`` of each."""

    keys: list[tuple]
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, paper, x) -> Windows:
        """Of one table of scores: what the paper prints, or, where the table prints otherwise,
        what that prints."""
        found = {key: float(value[0]) for key, value in paper.printed(x[None]).items()}
        spans = []
        for key, value in found.items():
            number = paper.number[key]
            spans.append(number.values if number.met(value) else
                         rounding.values(f"{value:.{number.decimals}f}"))
        return cls(list(found), *np.array([(s.low, s.high) for s in spans]).T.reshape(2, -1))

    def outside(self, values):
        """Distances from the windows, in their halves."""
        half = (self.high - self.low) / 2
        half = np.where(np.isfinite(half) & (half > 0), half, 0.01)
        over = np.maximum(self.low - values, values - self.high)
        return np.where(np.isnan(over), np.inf, np.maximum(over, 0)) / half


def moves(rng, paper, x, count: int, swaps: float):
    """Changes of scores: visit, two people and what each gains.

    A share of ``swaps`` are swaps; else one person gains what the other loses, or, where no
    printed mean is about the first one's score, that score moves alone.
    """
    free = ~paper.described[:, None] & paper.seen & (np.arange(x.shape[1]) > 0)
    places = [(np.flatnonzero((paper.arm == a) & paper.seen[:, t]), t) for a in (0, 1)
              for t in range(x.shape[1])]
    reach = max(1, (paper.ends[1] - paper.ends[0]) // 8)
    draws, out = rng.random((count, 6)), []
    for u, v, w, kind, size, turn in draws.tolist():
        who, t = places[int(u * len(places))]
        i, j = who[int(v * len(who))], who[int(w * len(who))]
        step = int(np.ceil(reach**size)) * (1 if turn < 0.5 else -1)
        gains = ((step, 0) if free[i, t] else (x[j, t] - x[i, t], x[i, t] - x[j, t])
                 if kind < swaps else (step, -step))
        new = x[i, t] + gains[0], x[j, t] + gains[1]
        if i != j and gains[0] and min(new) >= paper.ends[0] and max(new) <= paper.ends[1]:
            out.append((t, i, j, *gains))
    return np.array(out)


def applied(x, *chosen):
    """Score tables (B, n, k), each with one move of each array in ``chosen`` made."""
    out = np.repeat(x[None], len(chosen[0]), 0)
    for made in chosen:
        b = np.arange(len(made))
        out[b, made[:, 1], made[:, 0]] += made[:, 3]
        out[b, made[:, 2], made[:, 0]] += made[:, 4]
    return out


def climb(rng, paper, x, target, sign, windows, rounds=ROUNDS, patience=FAILED):
    """Take the best pair of moves, round after round.

    Parameters
    ----------
    rng : numpy Generator
    paper : Paper
    x : array (n, k) of int
        Where it does not print everything, it is first brought to (repair).
    target : callable or None
        A statistic of score tables (B, n, k), (B,). None: `x` is repaired, no more.
    sign : {1, -1}
        Upwards or downwards.
    windows : Windows
    rounds, patience : int
        At most; and in a row without a step.

    Returns
    -------
    x : array (n, k)
    outside : float
        Distance left from what must be printed, 0 where everything is.
    """
    def values(tables):
        found = paper.printed(tables)
        return np.column_stack([found[key] for key in windows.keys])

    repair = target is None
    target = target or (lambda tables: np.zeros(len(tables)))
    now, best, failed = values(x[None])[0], sign * target(x[None])[0], 0
    for _ in range(rounds):
        if repair and not windows.outside(now).any():
            break
        drawn = moves(rng, paper, x, MOVES, 1.0 if windows.outside(now).any() else SWAPS)
        tables, told, aim = _foretold(rng, paper, x, drawn, lambda near: np.c_[
            values(near), sign * target(near)], np.r_[now, best])
        off, was = windows.outside(told), windows.outside(now).sum()
        if was:
            order = np.argsort(off.sum(1), kind="stable")[:TRIED]
        else:
            hopeful = np.flatnonzero((off.max(1) <= SLACK) & (aim > best))
            order = hopeful[np.argsort(-aim[hopeful], kind="stable")]
            close = hopeful[np.argsort(off[hopeful].max(1), kind="stable")]
            order = np.r_[order[: TRIED // 2], close[: TRIED // 2]]
        tried = tables(order) if len(order) else x[None]
        found = values(tried)
        left = windows.outside(found).sum(1)
        rank = -left
        if not was:
            rank = np.full(len(tried), -np.inf)
            if (fine := left == 0).any():
                rank[fine] = np.nan_to_num(sign * target(tried[fine]), nan=-np.inf)
        if rank.max() > (-WORSE * was if was else best + 1e-9 * max(1, abs(best))):
            at, failed = int(np.argmax(rank)), 0
            x, now = tried[at], found[at]
            best = rank[at] if not was else sign * target(x[None])[0]
        elif (failed := failed + 1) == patience:
            break
    return x, float(windows.outside(now).sum())


def _foretold(rng, paper, x, drawn, values, now):
    """Single moves and pairs of them: how to make them, and what they are foretold to give.

    Returns
    -------
    callable
        Score tables of the moves at some places.
    told : array (P, K)
        Printed numbers.
    aim : array (P,)
        The target.
    """
    near, bends = applied(x, drawn), 1 + paper.covariates.shape[1]
    change = paper.features(near) - paper.features(x[None])
    width = change.std(0)
    change = change[:, width > 0] / width[width > 0]

    def curved(sums):  # the fit bends with the last sums
        last = sums[:, -bends:]
        return np.c_[sums, last**2, last[:, :1] * last[:, 1:]]

    learnt = values(near[:LEARNT]) - now
    fine = np.isfinite(learnt).all(1)
    weights = np.linalg.lstsq(curved(change[:LEARNT][fine]), learnt[fine], rcond=1e-8)[0]
    a, b = rng.integers(len(drawn), size=(2, PAIRS))
    apart = ~(drawn[a][:, 1:3, None] == drawn[b][:, None, 1:3]).any((1, 2))
    alone = np.full(len(drawn), len(drawn))
    a, b = np.r_[np.arange(len(drawn)), a[apart]], np.r_[alone, b[apart]]
    nothing = np.zeros((1, change.shape[1]))
    told = now + curved(change[a] + np.r_[change, nothing][b]) @ weights
    both = np.r_[drawn, np.zeros((1, 5), int)]
    return lambda at: applied(x, drawn[a[at]], both[b[at]]), told[:, :-1], told[:, -1]
