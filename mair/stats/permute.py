"""Re-randomisation inference: the model refitted under other allocations of the same design.

The null hypothesis is sharp: outcomes, and which of them are missing, do not depend on the arm.
Where that holds the test is exact, whatever the distribution. Where dropout is caused by the arm
the pattern of missing values would have been another under another allocation, and it is not.

A *fit* here is a function ``fit(y, arms)`` of rows y (N,) and allocations (B, q), participants
in sorted order of their labels, that returns the contrast's estimate and standard error, (B,)
each, as `random_intercept_fit` makes one; nan for an allocation under which the contrast does
not exist, because a covariate determines the arm. Such an allocation says nothing of the
contrast: it is left out of both counts of the p value, and counted in ``undefined``.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations
from math import comb, prod
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from mair.stats import mixed

BLOCK = 4_000_000  # people in allocations drawn at once, for the memory's sake
TOLERANCE = 2e-3  # of a limit, in standard errors
TIE = 1e-9  # relative: statistics this close are the same one but for rounding


class Allocations(NamedTuple):
    """Allocations that could have been.

    ``arms`` (B, q) of 0 and 1; ``exact``: all ``total`` of them, else random draws.
    """

    arms: np.ndarray
    exact: bool
    total: int


class Rerandomisation(NamedTuple):
    """A re-randomisation test.

    Attributes
    ----------
    estimate, se, t : float
        Of the trial as it was; t = estimate / se.
    p : float
        Share of the m allocations with an estimate that are at least as extreme, b/m; when drawn
        (1 + b)/(1 + m).
    mc_error : float
        Monte-Carlo standard error of p, 0 when exact.
    allocations, extreme, undefined : int
        Looked at; at least as extreme; without an estimate.
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


class Inversion(NamedTuple):
    """Interval of the constant shifts that the test does not reject; approximate.

    A limit is infinite where no shift is rejected, as with very few allocations.
    """

    low: float
    high: float


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
    labels = arm[np.argsort(strata, kind="stable")].astype(np.int8)
    block = max(1, BLOCK // len(arm))
    for part in (arms[at:at + block] for at in range(0, draws, block)):
        places = np.argsort(strata + rng.random(part.shape), axis=1)
        np.put_along_axis(part, places, np.broadcast_to(labels, part.shape), 1)
    return Allocations(arms, False, total)


def _every(n, k):
    """All ways to choose k of n, one a row."""
    arms = np.zeros((comb(n, k), n), np.int8)
    for row, chosen in zip(arms, combinations(range(n), k), strict=True):
        row[list(chosen)] = 1
    return arms


def random_intercept_fit(common, by_arm, groups, column, *, known=None):
    """A fit of the coefficient of ``arm * by_arm[:, column]`` in a random-intercept model.

    ``common``, ``by_arm`` and ``groups`` are as for `mixed.random_intercept_arms`: observed rows
    only. A dict ``known``, shared by the fits of several columns, keeps what was fitted to the
    same arrays (which nobody changes) for the others. Its ``combined(responses, arms)`` is a
    function of weights: the same of ``responses @ weights``, at hardly any cost for more people.
    """
    at = np.shape(common)[1] + column

    def fit(y, arms):
        kept = (known or {}).get("fitted")
        if not kept or kept[0] is not y or kept[1] is not arms:
            kept = y, arms, mixed.random_intercept_arms(y, common, by_arm, groups,
                                                        np.atleast_2d(arms))
            if known is not None and len(arms) > 1:
                known.setdefault("fitted", kept)
        return kept[2].beta[:, at], kept[2].se[:, at]

    def combined(responses, arms):
        found = mixed.combinations_arms(responses, common, by_arm, groups, arms)
        return lambda weights: ((one := found(weights)).beta[:, at], one.se[:, at])

    fit.combined = combined
    return fit


def rerandomise(fit, y, arm, drawn):
    """Two-sided re-randomisation test of a contrast, studentised.

    Parameters
    ----------
    fit : callable
        See the module's docstring.
    y : array (N,)
        The outcome's observed rows.
    arm : array (q,)
        The actual allocation.
    drawn : Allocations

    Returns
    -------
    Rerandomisation
        p is nan where the trial's own contrast cannot be estimated.

    References
    ----------
    Phipson B, Smyth GK. Stat Appl Genet Mol Biol 2010;9:39.
    Chung E, Romano JP. Ann Stat 2013;41:484-507 (studentising).
    """
    estimate, se = (float(v[0]) for v in fit(y, np.asarray(arm)[None]))
    t = float(_studentised(np.array([estimate]), np.array([se]))[0])
    values = _studentised(*fit(y, drawn.arms))
    p, extreme, m = _share(values, abs(t), drawn.exact)
    error = 0.0 if drawn.exact else float(np.sqrt(p * (1 - p) / m))
    return Rerandomisation(estimate, se, t, p, error if p == p else np.nan, len(values), extreme,
                           len(values) - m, drawn.exact)


def _studentised(estimate, se):
    with np.errstate(divide="ignore", invalid="ignore"):
        return estimate / se


def _share(values, observed, exact):
    """p, how many values are at least as extreme as the observed one, and of how many."""
    values = np.abs(values[~np.isnan(values)])
    extreme = int((values >= observed - TIE * max(1.0, observed)).sum())
    if np.isnan(observed):
        return np.nan, 0, len(values)
    p = extreme / len(values) if exact else (1 + extreme) / (1 + len(values))
    return p, extreme, len(values)


def invert(fit, y, arm, drawn, shift, *, held=0.0, confidence=0.95, tolerance=TOLERANCE):
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
    z = float(ndtri((1 + confidence) / 2))
    if not se > 0:
        return Inversion(np.nan, np.nan)
    shifted = fit.combined(np.column_stack([y, shift]), drawn.arms)

    @cache
    def excess(steps):
        """How far, in normal quantiles, the shift so many standard errors off is not rejected."""
        theta = estimate + steps * se
        p, *_ = _share(_studentised(*shifted([1.0, -theta])),
                       abs(estimate - theta) / se, drawn.exact)
        return float(ndtri(np.clip(p, 1e-9, 1 - 1e-9)) - ndtri(1 - confidence))

    def limit(direction):
        inside, outside = z - 0.25, z + 0.25
        while inside > 0 and excess(direction * inside) <= 0:
            inside, outside = max(inside - 0.5, 0.0), inside
        while excess(direction * outside) > 0:
            inside, outside = outside, 2 * outside
            if outside > 1e3:
                return direction * np.inf
        return estimate + direction * se * brentq(lambda steps: excess(direction * steps), inside,
                                                  outside, xtol=tolerance)

    return Inversion(float(limit(-1)), float(limit(1)))
