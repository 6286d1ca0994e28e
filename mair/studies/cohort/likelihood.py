"""The random-intercept REML fit from a few sums, and backwards from its printed results.

Fixed effects are a mean for each arm and visit and one slope of a person-level covariate, so
the arms separate given the slope. People who share a pattern of observed visits enter through
their sums alone; completers through the sum of their squared totals and of covariate x total,
which `implied` solves for. `mair.stats.mixed` fits the same model from rows; a test compares.
"""

from __future__ import annotations

from copy import deepcopy
from functools import reduce
from operator import add
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

HIGHEST = 64.0  # ratio of variances


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
    design : array (1 + V, 2, V + 1, V + 1)
        Of each arm, cross products of the V indicators of visits and the covariate: first summed
        over rows; then those of people's totals, by their number of visits from 1 to V.
    scores : array (1 + V, ..., 2, V + 2)
        In the same way, products of the score with these and with itself.
    n : array (V,)
        People, by their number of visits.
    """

    def __init__(self, visits: int, shape=()):
        self.visits, self.n = visits, np.zeros(visits)
        self.design = np.zeros((1 + visits, 2, visits + 1, visits + 1))
        self.scores = np.zeros((1 + visits, *shape, 2, visits + 2))

    def add(self, arm, seen, n, sums, squares, m, m2, totals2=0.0, mt=0.0):
        """People of one arm with the same observed visits; any sum may be an array over draws.

        ``seen``, the visits; ``n`` people; ``sums`` of the scores by visit seen; ``squares``, the
        sum of all squared scores; ``m, m2``, sums of the covariate and of its square;
        ``totals2``, the sum over people of the squared total of their scores; ``mt``, the sum of
        covariate x total.
        """
        seen, k, v = list(seen), len(seen), self.visits
        self.n[k - 1] += n
        self.design[0, arm, seen, seen] += n
        self.design[k, arm, np.array(seen)[:, None], seen] += n
        self.scores[0, ..., arm, seen] += np.stack(sums)
        self.scores[k, ..., arm, seen] += sum(sums)
        for at, times, square in ((0, 1, squares), (k, k, totals2)):
            self.design[at, arm, seen, v] += times * m
            self.design[at, arm, v, v] += times * k * m2
            self.scores[at, ..., arm, v] += times * mt
            self.scores[at, ..., arm, v + 1] += square

    @property
    def df(self):
        """Rows less fixed effects."""
        return self.n @ np.arange(1, self.visits + 1) - 2 * self.visits - 1


class At:
    """The likelihood at some ratios of variances, with derivatives by the ratio.

    With the means by arm and visit eliminated, ``cross`` and its derivative ``change`` hold the
    products left: of the score with itself, with the covariate, and of that with itself. The
    best ``slope`` and the residual sum of squares at any follow from them.
    """

    def __init__(self, sums: Sums, ratio):
        v, k = sums.visits, np.arange(1, sums.visits + 1)
        self.sums, self.ratio = sums, np.asarray(ratio, float)
        free = 1 / (1 + np.multiply.outer(k, self.ratio))
        self.free, self.w, self.dw = free[-1], self.ratio * free[-1], free[-1] ** 2
        weights, slopes = [np.array(1.0), *(-self.ratio * free)], [np.array(0.0), *(-free * free)]
        x, y = _added(weights, sums.design, 3), _added(weights, sums.scores, 2)
        dx, dy = _added(slopes, sums.design, 3), _added(slopes, sums.scores, 2)
        self.inverse = np.linalg.inv(x[..., :v, :v])
        own, bent = (y[..., :v], x[..., :v, v]), (dy[..., :v], dx[..., :v, v])
        self.means = [_times(self.inverse, one) for one in own]
        rest = [d - _times(dx[..., :v, :v], mean) for d, mean in zip(bent, self.means, strict=True)]
        self.cross, self.change = zip(*(
            ((whole - (self.means[i] * own[j]).sum(-1)).sum(-1),
             (d - (self.means[i] * bent[j] + self.means[j] * rest[i]).sum(-1)).sum(-1))
            for i, j, whole, d in ((0, 0, y[..., v + 1], dy[..., v + 1]),
                                   (0, 1, y[..., v], dy[..., v]),
                                   (1, 1, x[..., v, v], dx[..., v, v]))), strict=True)
        self.slope = self.cross[1] / self.cross[2]
        self.fixed = (np.einsum("...aij,...aji->...", self.inverse, dx[..., :v, :v])
                      + self.change[2] / self.cross[2] + _added(free, k * sums.n, 0))

    def residual(self, slope):
        """Residual sum of squares at a slope, and its derivative."""
        return tuple(yy - 2 * slope * ym + slope * slope * mm
                     for yy, ym, mm in (self.cross, self.change))

    @property
    def score(self):
        """The derivative of minus twice the profiled restricted log likelihood."""
        rest, change = self.residual(self.slope)
        return self.fixed + self.sums.df * change / rest

    def implied(self, slope) -> Fit:
        """The fit with a wanted slope at these ratios, and the sums that give it.

        The score equation is linear in the completers' sum of squared totals, and the slope in
        their sum of covariate x total, so both are solved for; the sums at hand are without them.

        Parameters
        ----------
        slope : float or array
        """
        mt = (slope * self.cross[2] - self.cross[1]) / self.free
        rest, change = (x - 2 * slope * d for x, d in zip(
            self.residual(slope), (mt * self.free, -mt * self.sums.visits * self.dw), strict=True))
        df = self.sums.df
        totals2 = (self.fixed * rest + df * change) / (self.fixed * self.w + df * self.dw)
        return self.fit(slope, rest - self.w * totals2, totals2, mt)

    def fit(self, slope, rest, totals2, mt) -> Fit:
        """The fit at a slope with its residual sum of squares; nan where that is negative."""
        variance, mm = np.where(rest > 0, rest, np.nan) / self.sums.df, self.cross[2]
        raw, shift = (np.moveaxis(np.diff(x[..., 1:] - x[..., :1], axis=-2)[..., 0, :], -1, 0)
                      for x in self.means)
        diagonal = np.diagonal(self.inverse, axis1=-2, axis2=-1)
        var = diagonal[..., 1:] + diagonal[..., :1] - 2 * self.inverse[..., 0, 1:]
        var = np.moveaxis(var.sum(-2), -1, 0) + shift * shift / mm
        return Fit(raw - slope * shift, np.sqrt(variance * var), slope, np.sqrt(variance / mm),
                   self.ratio, totals2, mt)


def _added(weights, parts, axes):
    """Sum over the numbers of visits of weight x part, whose last ``axes`` are no draws."""
    return reduce(add, (w[(..., *(None,) * axes)] * part
                        for w, part in zip(weights, parts, strict=True)))


def _times(matrices, vectors):
    """Products of matrices (..., V, V) and vectors (..., V)."""
    return (matrices * vectors[..., None, :]).sum(-1)


def fitted(known: Sums, totals2: float, mt: float) -> Fit:
    """The REML fit for given sums of the completers (scalars only).

    Parameters
    ----------
    known : Sums
        Without ``totals2`` and ``mt`` of the completers.
    totals2, mt : float
        Of the completers of both arms.
    """
    sums, v, ratio = deepcopy(known), known.visits, 0.0
    sums.scores[[0, v], 0, v] += mt, v * mt
    sums.scores[v, 0, v + 1] += totals2
    if At(sums, 0.0).score < 0:
        ratio = brentq(lambda x: float(At(sums, x).score), 0.0, HIGHEST, xtol=1e-15, rtol=1e-14)
    at = At(sums, ratio)
    return at.fit(at.slope, at.residual(at.slope)[0], totals2, mt)
