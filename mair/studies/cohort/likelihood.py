"""The random-intercept REML fit from a few sums, and backwards from its printed results.

Fixed effects are a mean for each arm and visit and one slope of a person-level covariate, so
the arms separate given the slope. People who share a pattern of observed visits enter through
their sums alone; completers through the sum of their squared totals and of covariate x total,
which `implied` solves for. `mair.stats.mixed` fits the same model from rows; a test compares.
"""

from typing import NamedTuple

import numpy as np

HIGHEST = 64.0  # ratio of variances
SECANTS, STEEP, CLOSE = 12, 50.0, 1e-14  # to the best ratio


class Fit(NamedTuple):
    """``b, se`` by later visit; ``slope, slope_se`` of the covariate; ``ratio`` of variances;
    ``totals2, mt`` of the completers of both arms that give this fit."""

    b: np.ndarray
    se: np.ndarray
    slope: np.ndarray
    slope_se: np.ndarray
    ratio: np.ndarray
    totals2: np.ndarray
    mt: np.ndarray


class Sums:
    """All that the likelihood needs of two arms, of some draws at once.

    Parameters
    ----------
    visits : int
    shape : tuple of int
        Of the draws.

    Attributes
    ----------
    design : array (1 + V, V + 1, V + 1, 2)
        Of each arm, cross products of the V indicators of visits and the covariate: first summed
        over rows; then those of people's totals, by their number of visits from 1 to V.
    scores : array (1 + V, V + 2, 2, ...)
        In the same way, products of the score with these and with itself.
    n : array (V,)
        People, by their number of visits.
    """

    def __init__(self, visits: int, shape=()):
        self.visits, self.n = visits, np.zeros(visits)
        self.design = np.zeros((1 + visits, visits + 1, visits + 1, 2))
        self.scores = np.zeros((1 + visits, visits + 2, 2, *shape))

    def add(self, arm, seen, n, sums, squares, m, m2, totals2=0.0, mt=0.0):
        """People of one arm with the same observed visits; any sum may be an array over draws.

        ``seen``, the visits; ``n`` people; ``sums`` of the scores by visit seen; ``squares``, the
        sum of all squared scores; ``m, m2``, sums of the covariate and of its square;
        ``totals2``, the sum over people of the squared total of their scores; ``mt``, the sum of
        covariate x total.
        """
        seen, k, v = list(seen), len(seen), self.visits
        self.n[k - 1] += n
        self.design[0, seen, seen, arm] += n
        self.design[k, np.array(seen)[:, None], seen, arm] += n
        self.scores[0, seen, arm] += np.stack(sums)
        self.scores[k, seen, arm] += sum(sums)
        for at, times, square in ((0, 1, squares), (k, k, totals2)):
            self.design[at, seen, v, arm] += times * m
            self.design[at, v, seen, arm] += times * m
            self.design[at, v, v, arm] += times * k * m2
            self.scores[at, v, arm] += times * mt
            self.scores[at, v + 1, arm] += square

    @property
    def df(self):
        """Rows less fixed effects."""
        return self.n @ np.arange(1, self.visits + 1) - 2 * self.visits - 1


class At:
    """The likelihood at some ratios of variances, with derivatives by the ratio.

    With the means by arm and visit eliminated, ``cross`` and its derivative ``change`` hold the
    products left: of the score with itself, with the covariate, and of that with itself. The
    best slope and the residual sum of squares at any follow from them.
    """

    def __init__(self, sums: Sums, ratio):
        v, k = sums.visits, np.arange(1, sums.visits + 1)
        ratio, scores = np.asarray(ratio, float), sums.scores
        short = ratio.ndim - (scores.ndim - 3)
        ratio = ratio[(None,) * -short]
        scores = scores.reshape(*scores.shape[:3], *(1,) * short, *scores.shape[3:])
        free = 1 / (1 + np.multiply.outer(k, ratio))
        self.sums, self.ratio, self.free = sums, ratio, free[-1]
        weights = np.concatenate([np.ones_like(free[:1]), -ratio * free])
        slopes = np.concatenate([np.zeros_like(free[:1]), -free * free])
        x, dx = (np.tensordot(sums.design, w, (0, 0)) for w in (weights, slopes))
        y, dy = (np.einsum("kia...,k...->ia...", scores, w) for w in (weights, slopes))
        for j in range(v):  # Gauss-Jordan, in place
            column, row, score = x[:, j].copy(), x[j] / x[j, j], y[j] / x[j, j]
            y[v + 1] -= y[j] * score
            y[:-1] -= column * score
            x -= column[:, None] * row
            x[j], x[:, j], x[j, j], y[j] = row, -column / column[j], 1 / column[j], score
        self.inverse, self.means = x[:v, :v], (y[:v], x[:v, v])
        bent, within = (dy[:v], dx[:v, v]), dx[:v, :v]
        left = [d - np.einsum("tua...,ua...->ta...", within, mean)
                for d, mean in zip(bent, self.means, strict=True)]
        self.cross = [part.sum(0) for part in (y[v + 1], y[v], x[v, v])]
        self.change = [
            whole.sum(0) - (self.means[i] * bent[j] + self.means[j] * left[i]).sum((0, 1))
            for i, j, whole in ((0, 0, dy[v + 1]), (0, 1, dy[v]), (1, 1, dx[v, v]))]
        self.fixed = (np.einsum("tua...,tua...->...", self.inverse, within)
                      + self.change[2] / self.cross[2] + np.tensordot(k * sums.n, free, 1))

    def implied(self, slope) -> Fit:
        """The fit with a wanted slope at these ratios, and the sums that give it.

        The score equation is linear in the completers' sum of squared totals, and the slope in
        their sum of covariate x total, so both are solved for; the sums at hand are without them.

        Parameters
        ----------
        slope : float or array
        """
        mt = (slope * self.cross[2] - self.cross[1]) / self.free
        rest, change = self.residual(0.0, mt, slope)
        df, w, dw = self.sums.df, self.ratio * self.free, self.free * self.free
        totals2 = (self.fixed * rest + df * change) / (self.fixed * w + df * dw)
        return self.fit(slope, rest - w * totals2, totals2, mt)

    def residual(self, totals2, mt, slope=None):
        """Residual sum of squares with these sums of the completers, and its derivative.

        At the best slope by default.
        """
        mm, v = self.cross[2], self.sums.visits
        yy = (self.cross[0] - self.ratio * self.free * totals2,
              self.change[0] - self.free**2 * totals2)
        ym = self.cross[1] + self.free * mt, self.change[1] - v * self.free**2 * mt
        slope = ym[0] / mm if slope is None else slope
        return tuple(a - 2 * slope * b + slope * slope * c
                     for a, b, c in zip(yy, ym, (mm, self.change[2]), strict=True))

    def fit(self, slope, rest, totals2, mt) -> Fit:
        """The fit at a slope with its residual sum of squares; nan where that is negative."""
        variance, mm = np.where(rest > 0, rest, np.nan) / self.sums.df, self.cross[2]
        raw, shift = (np.diff(x[1:] - x[:1], axis=1)[:, 0] for x in self.means)
        own = np.einsum("tta...->ta...", self.inverse)
        var = (own[1:] + own[0] - 2 * self.inverse[0, 1:]).sum(1) + shift * shift / mm
        return Fit(raw - slope * shift, np.sqrt(variance * var), slope, np.sqrt(variance / mm),
                   self.ratio, totals2, mt)


@np.errstate(divide="ignore", invalid="ignore")
def fitted(known: Sums, totals2, mt, ratio=1.0) -> Fit:
    """The REML fits for given sums of the completers.

    Parameters
    ----------
    known : Sums
        Of one draw, without ``totals2`` and ``mt`` of the completers.
    totals2, mt : float or array
        Of the completers of both arms.
    ratio : float
        To start from.
    """
    totals2, mt = np.broadcast_arrays(np.asarray(totals2, float), mt)
    v, top = known.visits, np.log1p(known.visits * HIGHEST)
    t, last, before = np.full(totals2.shape, np.log1p(v * ratio)), np.nan, np.nan
    for _ in range(SECANTS):
        at = At(known, np.expm1(t) / v)
        rest, change = at.residual(totals2, mt)
        # of the score's two parts: nearly linear in t, the slope not far from 1
        gap = np.log(-at.fixed * rest / (known.df * change))
        rate = (t - last) / (gap - before)
        before, last = gap, t
        t = np.clip(t - gap * np.where((rate > 0) & (rate < STEEP), rate, 1.0), 0.0, top)
        if not (np.abs(t - last) > CLOSE).any():
            break
    at = At(known, np.expm1(t) / v)
    slope = (at.cross[1] + at.free * mt) / at.cross[2]
    return at.fit(slope, at.residual(totals2, mt)[0], totals2, mt)
