"""Re-randomisation inference: the model refitted under other allocations of the same design.

The null hypothesis is sharp: outcomes, and which of them are missing, do not depend on the arm.
Where that holds the test is exact, whatever the distribution. Where dropout is caused by the arm
the pattern of missing values would have been another under another allocation, and it is not.

A *fit* here is a function ``fit(y, arms)`` of rows y (N,) and allocations (B, q), participants
in sorted order of their labels, that returns the contrast's estimate and standard error, (B,)
each: `random_intercept_fit`, `least_squares_fit`, or one for another covariance.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, combinations
from math import comb, prod

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from mair.stats import mixed

__all__ = ["Allocations", "Inversion", "Rerandomisation", "allocations", "invert",
           "least_squares_fit", "random_intercept_fit", "rerandomise"]

CHUNK = 2000  # allocations fitted at a time
TIE = 1e-9  # relative: statistics this close are the same one but for rounding


@dataclass(frozen=True)
class Allocations:
    """Allocations that could have been.

    ``arms`` (B, q) of 0 and 1; ``exact``: all ``total`` of them, else random draws.
    """

    arms: np.ndarray
    exact: bool
    total: int


@dataclass(frozen=True)
class Rerandomisation:
    """A re-randomisation test.

    Attributes
    ----------
    estimate, se, t : float
        Of the trial as it was; t = estimate / se.
    p : float
        Share of allocations at least as extreme; (1 + b)/(1 + m) when drawn.
    mc_error : float
        Monte-Carlo standard error of p, 0 when exact.
    allocations, extreme, undefined : int
        Looked at; at least as extreme; without an estimate (counted as extreme).
    exact : bool
    """

    estimate: float
    se: float
    t: float
    p: float
    mc_error: float
    allocations: int
    extreme: int
    undefined: int
    exact: bool


@dataclass(frozen=True)
class Inversion:
    """Interval of the constant shifts that the test does not reject; approximate.

    A limit is infinite where no shift is rejected, as with very few allocations.
    """

    low: float
    high: float
    evaluations: int


def allocations(arm, *, strata=None, draws=10_000, rng, limit=1_000_000):
    """Allocations with the arms' sizes as they were, within strata if there are any.

    Parameters
    ----------
    arm : array (q,)
        The actual allocation, 0 or 1.
    strata : array (q,), optional
        Block or stratum of each participant; labels are permuted within it.
    draws : int
        Random allocations, where there are more than ``limit``.
    rng : numpy.random.Generator
    limit : int
        Up to this many all are listed.

    Returns
    -------
    Allocations

    Raises
    ------
    ValueError
        An arm other than 0 and 1, strata of another length, or fewer than 1 draw.
    """
    arm = np.asarray(arm)
    strata = np.unique(np.zeros(len(arm)) if strata is None else strata, return_inverse=True)[1]
    if not np.isin(arm, (0, 1)).all() or strata.shape != arm.shape or draws < 1:
        raise ValueError("arm must be 0 or 1, strata as long as arm, draws at least 1")
    members = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    counts = [comb(len(who), int(arm[who].sum())) for who in members]
    total = prod(counts)
    if total <= limit:
        arms = np.zeros((total, len(arm)), np.int8)
        which = np.unravel_index(np.arange(total), counts)
        for who, index in zip(members, which, strict=True):
            arms[:, who] = _every(len(who), int(arm[who].sum()))[index]
        return Allocations(arms, True, total)
    arms = np.empty((draws, len(arm)), np.int8)
    places = np.argsort(strata + rng.random(arms.shape), axis=1)
    labels = arm[np.argsort(strata, kind="stable")].astype(np.int8)
    np.put_along_axis(arms, places, np.broadcast_to(labels, arms.shape), 1)
    return Allocations(arms, False, total)


def _every(n, k):
    """All ways to choose k of n, one a row."""
    total = comb(n, k)
    chosen = np.fromiter(chain.from_iterable(combinations(range(n), k)), int, total * k)
    arms = np.zeros((total, n), np.int8)
    np.put_along_axis(arms, chosen.reshape(total, k), 1, 1)
    return arms


def random_intercept_fit(common, by_arm, groups, column, *, reml=True):
    """A fit of the coefficient of ``arm * by_arm[:, column]`` in a random-intercept model.

    Parameters
    ----------
    common, by_arm, groups
        As for `mixed.random_intercept_arms`: observed rows only.
    column : int
    reml : bool

    Returns
    -------
    callable
        nan for an allocation that leaves the contrast inestimable.
    """
    common, by_arm = np.asarray(common, float), np.asarray(by_arm, float)
    at = common.shape[1] + column

    def fit(y, arms):
        found = mixed.random_intercept_arms(y, common, by_arm, groups, arms, reml=reml)
        return found.beta[:, at], found.se[:, at]

    return _in_chunks(fit)


def least_squares_fit(common, groups=None):
    """A fit of the arm's coefficient by least squares: one row a participant, as in ANCOVA.

    Parameters
    ----------
    common : array (q, k)
        Intercept and covariates (baseline).
    groups : array (q,), optional
        Labels of the rows; by default rows are in the allocations' order.

    Returns
    -------
    callable
        nan for an allocation that ``common`` determines.
    """
    Q = np.linalg.qr(np.asarray(common, float))[0]
    codes = np.arange(len(Q)) if groups is None else np.unique(groups, return_inverse=True)[1]

    def fit(y, arms):
        a = arms[:, codes] - (arms[:, codes] @ Q) @ Q.T
        y = y - Q @ (Q.T @ y)
        size = (a**2).sum(1)
        size[size < 1e-18 * len(y)] = np.nan
        estimate = a @ y / size
        rest = ((y - estimate[:, None] * a) ** 2).sum(1)
        return estimate, np.sqrt(rest / (len(y) - Q.shape[1] - 1) / size)

    return _in_chunks(fit)


def _in_chunks(fit):
    def whole(y, arms):
        y, arms = np.asarray(y, float), np.atleast_2d(arms)
        parts = [fit(y, arms[i:i + CHUNK].astype(float)) for i in range(0, len(arms), CHUNK)]
        return tuple(map(np.concatenate, zip(*parts, strict=True)))

    return whole


def rerandomise(fit, y, arm, drawn, *, alternative="two-sided"):
    """Re-randomisation test of a contrast, studentised.

    Parameters
    ----------
    fit : callable
        See the module's docstring.
    y : array (N,)
        The outcome's observed rows.
    arm : array (q,)
        The actual allocation.
    drawn : Allocations
    alternative : {"two-sided", "greater", "less"}
        On |t|, t or -t.

    Returns
    -------
    Rerandomisation
        All nan where the trial's own contrast cannot be estimated.

    References
    ----------
    Phipson B, Smyth GK. Stat Appl Genet Mol Biol 2010;9:39.
    Chung E, Romano JP. Ann Stat 2013;41:484-507 (studentising).
    """
    if alternative not in _SIDES:
        raise ValueError(f"alternative is {alternative!r}; expected one of {', '.join(_SIDES)}")
    side = _SIDES[alternative]
    estimate, se = (float(v[0]) for v in fit(y, np.asarray(arm)[None]))
    t = _studentised(np.array([estimate]), np.array([se]))[0]
    values = side(_studentised(*fit(y, drawn.arms)))
    m, undefined = len(values), int(np.isnan(values).sum())
    if np.isnan(t):
        return Rerandomisation(estimate, se, t, np.nan, np.nan, m, 0, undefined, drawn.exact)
    extreme = _extreme(values, side(t))
    p = extreme / m if drawn.exact else (1 + extreme) / (1 + m)
    error = 0.0 if drawn.exact else float(np.sqrt(p * (1 - p) / m))
    return Rerandomisation(estimate, se, float(t), p, error, m, extreme, undefined, drawn.exact)


_SIDES = {"two-sided": np.abs, "greater": np.positive, "less": np.negative}


def _studentised(estimate, se):
    with np.errstate(divide="ignore", invalid="ignore"):
        return estimate / se


def _extreme(values, observed):
    return int((~(values < observed - TIE * max(1.0, abs(observed)))).sum())


def invert(fit, y, arm, drawn, shift, *, held=0.0, confidence=0.95, tolerance=2e-3):
    """Interval for a contrast: the constant shifts that the test does not reject.

    Parameters
    ----------
    fit, y, arm, drawn
        As for `rerandomise`. The same allocations serve every shift; ten thousand draws put a
        95 % limit within about 0.02 standard errors of where all allocations would.
    shift : array (N,)
        1 in the treatment arm's rows of the visit in question, 0 elsewhere.
    held : array (N,)
        What the treatment is taken to have added at the other visits: their estimated shift
        in the treatment arm's rows. Holding it is what makes the interval approximate.
    confidence : float
    tolerance : float
        Of the root search, in standard errors.

    Returns
    -------
    Inversion

    References
    ----------
    Garthwaite PH. Biometrics 1996;52:1387-93.
    """
    y, arm = np.asarray(y, float) - held, np.asarray(arm)
    estimate, se = (float(v[0]) for v in fit(y, arm[None]))
    z, calls = float(ndtri((1 + confidence) / 2)), 0
    if not se > 0:
        return Inversion(np.nan, np.nan, 0)

    def excess(theta):
        nonlocal calls
        calls += 1
        values = np.abs(_studentised(*fit(y - theta * shift, drawn.arms)))
        count, m = _extreme(values, abs(estimate - theta) / se), len(values)
        p = count / m if drawn.exact else (1 + count) / (1 + m)
        return float(ndtri(np.clip(p, 1e-9, 1 - 1e-9)) - ndtri(1 - confidence))

    def limit(direction):
        def at(steps):
            return excess(estimate + direction * steps * se)

        inside, outside = z - 0.25, z + 0.25
        while inside > 0 and at(inside) <= 0:
            inside, outside = max(inside - 0.5, 0.0), inside
        while at(outside) > 0:
            inside, outside = outside, 2 * outside
            if outside > 1e3:
                return direction * np.inf
        return estimate + direction * se * brentq(at, inside, outside, xtol=tolerance)

    return Inversion(float(limit(-1)), float(limit(1)), calls)
