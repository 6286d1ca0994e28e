"""The random-intercept REML fit from a few sums, and backwards from its printed results.

Fixed effects are a mean for each arm and visit and one slope of a person-level covariate, so
the arms separate given the slope. People who share a pattern of observed visits enter through
their sums alone; completers through the sum of their squared totals and of covariate x total,
which `implied` solves for. `mair.stats.mixed` fits the same model from rows; a test compares.
"""

from __future__ import annotations

from functools import reduce
from operator import iadd
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

HIGHEST = 64.0  # ratio of variances


class Group(NamedTuple):
    """People of one arm with the same observed visits; any sum may be an array over draws.

    ``visits``; ``n`` people; ``sums`` of the scores by visit of ``visits``; ``squares``, the sum
    of all squared scores; ``totals2``, the sum over people of the squared total of their scores;
    ``m, m2``, sums of the covariate and of its square; ``mt``, the sum of covariate x total.
    """

    visits: tuple[int, ...]
    n: int
    sums: tuple
    squares: float
    totals2: float
    m: float
    m2: float
    mt: float


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
    """All that the likelihood needs of two arms.

    Parameters
    ----------
    arms : pair of lists of Group
        Control, treatment; sums that are arrays have one shape, of draws.
    visits : int

    Attributes
    ----------
    rows : array (..., 2, V + 2, V + 2)
        Of each arm, cross products summed over rows of the V indicators of visits, the score
        and the covariate.
    people : array (V, ..., 2, V + 2, V + 2)
        Cross products of people's totals of these, by their number of visits from 1 to V.
    n : array (V,)
        People, by their number of visits.
    """

    def __init__(self, arms, visits: int):
        shape, v = np.shape(arms[0][0].sums[0]), visits
        self.visits, self.n = v, np.zeros(v)
        self.rows = np.zeros((*shape, 2, v + 2, v + 2))
        self.people = np.zeros((v, *self.rows.shape))
        for a, groups in enumerate(arms):
            for g in groups:
                seen, k = list(g.visits), len(g.visits)
                rows, people = self.rows[..., a, :, :], self.people[k - 1][..., a, :, :]
                self.n[k - 1] += g.n
                rows[..., seen, seen] += g.n
                rows[..., seen, v] += np.stack(g.sums, -1)
                rows[..., seen, v + 1] += g.m
                people[..., np.array(seen)[:, None], seen] += g.n
                people[..., seen, v] += np.expand_dims(sum(g.sums), -1)
                people[..., seen, v + 1] += k * g.m
                rows[..., v, v] += g.squares
                rows[..., v, v + 1] += g.mt
                rows[..., v + 1, v + 1] += k * g.m2
                people[..., v, v] += g.totals2
                people[..., v, v + 1] += k * g.mt
                people[..., v + 1, v + 1] += k * k * g.m2
        self.df = self.n @ np.arange(1, v + 1) - 2 * v - 1


class At:
    """The likelihood at some ratios of variances, with derivatives by the ratio.

    With the means by arm and visit eliminated, ``cross`` (..., 2, 2) holds the products of score
    and covariate left; the best ``slope`` and the residual sum of squares at any follow from them.
    """

    def __init__(self, sums: Sums, ratio):
        v, k = sums.visits, np.arange(1, sums.visits + 1)
        self.sums, self.ratio = sums, np.asarray(ratio, float)
        free = 1 / (1 + np.multiply.outer(k, self.ratio))
        self.free, self.w, self.dw = free[-1], self.ratio * free[-1], free[-1] ** 2
        whole = sums.rows - _added(self.ratio * free, sums.people)
        change = -_added(free * free, sums.people)
        self.inverse = np.linalg.inv(whole[..., :v, :v])
        self.means = means = self.inverse @ whole[..., :v, v:]
        across = np.swapaxes(means, -1, -2)
        moved = across @ change[..., :v, v:]
        self.cross = (whole[..., v:, v:] - across @ whole[..., :v, v:]).sum(-3)
        self.slope = self.cross[..., 0, 1] / self.cross[..., 1, 1]
        self.change = (change[..., v:, v:] - moved - np.swapaxes(moved, -1, -2)
                       + across @ change[..., :v, :v] @ means).sum(-3)
        self.fixed = (np.einsum("...aij,...aji->...", self.inverse, change[..., :v, :v])
                      + self.change[..., 1, 1] / self.cross[..., 1, 1]
                      + _added(free, k * sums.n, 0))

    def residual(self, slope):
        """Residual sum of squares at a slope, and its derivative."""
        return tuple(x[..., 0, 0] - 2 * slope * x[..., 0, 1] + slope * slope * x[..., 1, 1]
                     for x in (self.cross, self.change))

    @property
    def score(self):
        """The derivative of minus twice the profiled restricted log likelihood."""
        rest, change = self.residual(self.slope)
        return self.fixed + self.sums.df * change / rest

    def fit(self, slope, rest, totals2, mt) -> Fit:
        """The fit at a slope with its residual sum of squares; nan where that is negative."""
        variance, mm = np.where(rest > 0, rest, np.nan) / self.sums.df, self.cross[..., 1, 1]
        raw, shift = np.moveaxis(np.diff(self.means[..., 1:, :] - self.means[..., :1, :], axis=-3)[
            ..., 0, :, :], (-1, -2), (0, 1))
        diagonal = np.diagonal(self.inverse, axis1=-2, axis2=-1)
        var = diagonal[..., 1:] + diagonal[..., :1] - 2 * self.inverse[..., 0, 1:]
        var = np.moveaxis(var.sum(-2), -1, 0) + shift * shift / mm
        return Fit(raw - slope * shift, np.sqrt(variance * var), slope, np.sqrt(variance / mm),
                   self.ratio, totals2, mt)


def _added(weights, parts, axes=3):
    """Sum over the numbers of visits of weight x part, whose last ``axes`` are no draws."""
    return reduce(iadd, (w[(..., *(None,) * axes)] * part
                         for w, part in zip(weights, parts, strict=True)))


def implied(sums: Sums, ratio, slope) -> Fit:
    """The fit with a wanted variance ratio and slope, and the sums that give it.

    The score equation is linear in the completers' sum of squared totals, and the slope in
    their sum of covariate x total, so both are solved for.

    Parameters
    ----------
    sums : Sums
        Without the completers' ``totals2`` and ``mt``.
    ratio, slope : float or array
    """
    at = At(sums, ratio)
    mt = (slope * at.cross[..., 1, 1] - at.cross[..., 0, 1]) / at.free
    rest, change = (x - 2 * slope * d for x, d in zip(
        at.residual(slope), (mt * at.free, -mt * sums.visits * at.dw), strict=True))
    totals2 = (at.fixed * rest + sums.df * change) / (at.fixed * at.w + sums.df * at.dw)
    return at.fit(slope, rest - at.w * totals2, totals2, mt)


def fitted(arms, visits: int, totals2: float, mt: float) -> Fit:
    """The REML fit for given sums of the completers (scalars only).

    Parameters
    ----------
    arms : pair of lists of Group
        The first group of each holds the completers, whose own ``totals2`` and ``mt`` are 0.
    visits : int
    totals2, mt : float
        Of the completers of both arms.
    """
    first = arms[0][0]._replace(totals2=totals2, mt=mt)
    sums = Sums([[first, *arms[0][1:]], arms[1]], visits)
    ratio = 0.0
    if At(sums, 0.0).score < 0:
        ratio = brentq(lambda x: float(At(sums, x).score), 0.0, HIGHEST, xtol=1e-15, rtol=1e-14)
    at = At(sums, ratio)
    return at.fit(at.slope, at.residual(at.slope)[0], totals2, mt)
