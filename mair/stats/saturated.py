"""Thousands of simulated trials at once: arm x visit models of two arms with monotone dropout.

Every visit of every arm has a mean of its own, so that given the covariance the arms fall apart
(blocks of `likelihood.Rows`) and a trial is its counts, sums and cross
products by arm and number of visits seen. Fits are a batch of `covariance.Fit`, coefficients the
control's means and then the treatment's; `smallsample.contrast` of `change` is the difference
between arms in the change from visit 0.
"""

import numpy as np

from ._profile import logit_difference, single
from .covariance import fitted
from .likelihood import SINGULAR, Rows, inverse
from .permute import TIE

CHUNK = 8192  # problems of the profile at once


def change(k, visit):
    """Weights (2 k,) of the difference between arms in the change at ``visit`` (1 to k - 1)."""
    weights = np.zeros(2 * k)
    weights[[0, visit, k, k + visit]] = 1, -1, -1, 1
    return weights


def reduced(y, seen, treated):
    """Rows of B trials.

    Parameters
    ----------
    y : array (B, n, k)
        Scores; without a large common mean they keep their digits.
    seen : array (B, n)
        Visits seen, 1 to k.
    treated : array (n,)
        0 or 1; one block of fixed effects for each value there is.

    Returns
    -------
    likelihood.Rows
    """
    b, _, k = y.shape
    patterns, scores = _features(y, seen)
    arms = [np.flatnonzero(np.asarray(treated) == g) for g in np.unique(treated)]
    columns = len(arms) * k
    counts = np.stack([patterns[:, a].sum(1) for a in arms], 1)
    sums = np.stack([patterns[:, a].swapaxes(1, 2) @ scores[:, a] for a in arms], 1)
    both = np.tri(k)[:, :, None] * np.tri(k)[:, None]
    s, t = np.indices((k, k))
    cross = np.zeros((b, len(arms), k, k, k, k + 1, k + 1))
    cross[..., s, t, s, t] = counts[..., None, None] * both
    cross[..., s, t, s, k] = sums[..., None, :] * both
    cross[..., s, t, k, t] = sums[..., :, None] * both
    cross[:, 0, ..., k, k] = np.stack(  # of both arms: only their sum counts
        [(scores * patterns[..., p, None]).swapaxes(1, 2) @ scores for p in range(k)], 1)
    n_rows = np.rint((counts @ np.arange(1, k + 1)).sum(1)).astype(int)
    return Rows(counts, cross.reshape(b, len(arms), k**3, -1), np.tile(np.eye(columns), (b, 1, 1)),
                np.zeros((b, columns)), np.ones(b), n_rows,
                np.tile(np.tri(k, dtype=bool), (b, 1, 1)), np.zeros((b, k), int))


def random_intercept(rows):
    """REML fits of the random intercept to `reduced` trials: a batch of `covariance.Fit`.

    The profile is taken to have one minimum, as it has where most are seen at every visit.
    """
    b, _, k = rows.counts.shape
    (by_visit, squares), theta = _sums(rows), np.full((b, 2), np.nan)
    features = np.concatenate([rows.counts, by_visit.sum(3), by_visit.sum(2)], 2)
    there = np.flatnonzero((rows.counts[..., -1] > 0).all(1))  # an arm may have nobody left
    for at in range(0, len(there), CHUNK):
        cut = there[at:at + CHUNK]
        profile = _Trials(np.ascontiguousarray(features[cut].T), squares[cut].sum((2, 3)).T,
                          np.einsum("bpss->b", squares[cut]))
        t, converged = single(profile)
        ratio, r2 = np.expm1(t) / k, profile.at(t)[1]
        s2 = np.where(converged, r2 / profile.df, np.nan)
        theta[cut] = np.stack([ratio * s2, s2], 1)
    return fitted(rows, theta, "random-intercept")


def unstructured(rows):
    """REML fits with a free covariance matrix to `reduced` trials: a batch of `covariance.Fit`.

    Of monotone dropout and means of their own for every arm and visit it has a closed form: each
    visit's regression on those before among who was seen then, the arms' means apart (Anderson,
    J Am Stat Assoc 1957;52:200-3). nan where a visit has nobody of an arm, or the visits before
    leave it less than `likelihood.SINGULAR` of its variance.
    """
    b, g, k = rows.counts.shape
    by_visit, squares = _sums(rows)
    n, by_visit = (np.cumsum(x[:, :, ::-1], 2)[:, :, ::-1] for x in (rows.counts, by_visit))
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.cumsum(squares[:, ::-1], 1)[:, ::-1] - np.einsum(
            "bgps,bgpt->bpst", by_visit, by_visit / n[..., None])
        sigma = np.zeros((b, k, k))
        for v in range(k):
            past, own = within[:, v, :v, :v], within[:, v, :v, v]
            slope = (inverse(past) @ own[..., None])[..., 0]
            left = (within[:, v, v, v] - (slope * own).sum(1)) / (n[:, :, v].sum(1) - g)
            covariance = (sigma[:, :v, :v] @ slope[..., None])[..., 0]
            sigma[:, :v, v] = sigma[:, v, :v] = covariance
            sigma[:, v, v] = left + (covariance * slope).sum(1)
            sigma[~(left >= SINGULAR * sigma[:, v, v])] = np.nan
    return fitted(rows, sigma[:, *np.triu_indices(k)], "unstructured")


def _sums(rows):
    """Sums by arm, pattern and visit (B, g, k, k); of both arms cross products (B, k, k, k)."""
    b, g, k = rows.counts.shape
    cross = rows.cross.reshape(b, g, k, k, k, k + 1, k + 1)
    return np.einsum("bgpsss->bgps", cross[..., :k, k]), cross[:, 0, ..., k, k]


def apart(y, seen, treated, fit):
    """Fits with a covariance for each arm, which then share nothing: control's, treatment's.

    ``fit`` is `random_intercept` or `unstructured`; the rest is as for `reduced`. The difference
    between arms is `smallsample.difference` of them and ``change(k, visit)[k:]``.
    """
    arms = [np.flatnonzero(np.asarray(treated) == g) for g in (0, 1)]
    return [fit(reduced(y[:, a], seen[:, a], np.zeros(len(a)))) for a in arms]


def rerandomise(y, seen, arms):
    """Re-randomisation p values of the random intercept's contrasts, studentised, on |t|.

    Parameters
    ----------
    y : array (B, n, k)
    seen : array (B, n)
        Visits seen, 1 to k.
    arms : array (B, 1 + m, n)
        Allocations of 0 and 1 with the same arm sizes, the actual one first.

    Returns
    -------
    ndarray (B, k - 1)
        (1 + b) / (1 + m) for each later visit, b allocations at least as extreme.
    """
    patterns, scores = _features(y, seen)
    (b, _, k), m, out = y.shape, arms.shape[1], []
    total = patterns * scores.sum(2, keepdims=True)
    features = np.concatenate([patterns, total, scores], 2)
    squares, length = (total**2).sum(1).T, (scores**2).sum((1, 2))
    step = max(1, CHUNK // m)
    for at in range(0, b, step):
        cut = slice(at, at + step)
        f = features[cut].swapaxes(1, 2)
        both = np.empty((3 * k, 2, len(f), m))
        both[:, 1] = (f @ arms[cut].swapaxes(1, 2)).swapaxes(0, 1)
        np.subtract(f.sum(2).T[..., None], both[:, 1], out=both[:, 0])
        trials = _Trials(both.reshape(3 * k, 2, -1), np.repeat(squares[:, cut], m, 1),
                         np.repeat(length[cut], m))
        t = np.abs(trials.studentised()).reshape(k - 1, -1, m)
        extreme = (~(t[..., 1:] < t[..., :1] * (1 - TIE))).sum(2)
        out.append(((1 + extreme) / m).T)
    return np.concatenate(out)


class _Trials:
    """The random intercept's profile (see `_profile`) for n trials, in one pass over the visits.

    With V^-1 = I - f J for p scores, f = lambda / (1 + p lambda), an arm's X'V^-1X has one number
    for all visits before any visit, and elimination from the last visit on keeps it so.

    ``features`` (3 k, 2, n): participants by pattern, their sums of scores, and the sums by
    visit, of each arm; ``squares`` (k, n) of participants' own sums, by pattern, and ``length``
    (n,) of scores, of both arms.
    """

    def __init__(self, features, squares, length):
        self.features, self.squares, self.length = features, squares, length
        self.counts, self.totals, self.sums = np.split(features, 3)
        self.people, (k, self.size) = self.counts.sum(1), squares.shape
        self.df = np.arange(1, k + 1) @ self.people - features.shape[1] * k

    def taken(self, item):
        """As `Profile.taken`."""
        if len(item) == self.size:
            return self
        return _Trials(self.features[..., item], self.squares[:, item], self.length[item])

    def at(self, t):
        """At t (n,): h and r2 (n,); by visit, last first, pivots, means given the visits before
        and what these gain from each earlier mean, (2, n).
        """
        k, r2, visits = len(self.squares), self.length.copy(), []
        lam, slope = np.expm1(t) / k, np.exp(t) / k
        people = before = shift = before_rate = shift_rate = m = r2_rate = 0.0
        for v in reversed(range(k)):
            share = 1 / (1 + (v + 1) * lam)
            f, rate = lam * share, slope * share
            m += (v + 1) * self.people[v] * rate
            rate *= share
            people = people + self.counts[v]
            before, before_rate = before + f * self.counts[v], before_rate + rate * self.counts[v]
            shift, shift_rate = shift + f * self.totals[v], shift_rate + rate * self.totals[v]
            pivot = people - before
            mean, gain = (self.sums[v] - shift) / pivot, before / pivot
            r2 -= f * self.squares[v] + (mean * mean * pivot).sum(0)
            m -= (before_rate / pivot).sum(0)
            moved = mean * before_rate
            r2_rate -= rate * self.squares[v] + (mean * (moved - 2 * shift_rate)).sum(0)
            visits.append((pivot, mean, gain))
            shift, shift_rate = shift - before * mean, (shift_rate - moved) * (1 + gain)
            before, before_rate = before * (1 + gain), before_rate * (1 + gain) ** 2
        return logit_difference(m, -self.df * r2_rate / r2, self.df), r2, visits

    def score(self, t):
        """As `Profile.score`."""
        return self.at(t)[0]

    @np.errstate(divide="ignore", invalid="ignore")  # an arm may have nobody left
    def studentised(self):
        """Estimate over standard error of each later visit's contrast, (k - 1, n)."""
        _, r2, visits = self.at(single(self)[0])
        out, ((first, start, _), *later) = [], visits[::-1]
        total = start
        for v, (pivot, mean, gain) in enumerate(later):
            mean = mean + gain * total
            total, variance = total + mean, 1 / pivot
            for earlier, _, more in later[:v][::-1]:
                variance, gain = variance + gain**2 / earlier, gain * (1 + more)
            variance = (variance + (gain - 1) ** 2 / first).sum(0)
            out.append(np.subtract(*(mean - start)[::-1]) / np.sqrt(variance * r2 / self.df))
        return np.stack(out)


def _features(y, seen):
    """Patterns (B, n, k) of 0 and 1; scores (B, n, k), 0 where not seen."""
    k = y.shape[-1]
    patterns = (seen[..., None] == np.arange(1, k + 1)).astype(float)
    return patterns, np.where(np.arange(k) < seen[..., None], y, 0.0)
