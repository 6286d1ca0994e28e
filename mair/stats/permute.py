"""Re-randomisation inference: the model refitted under other allocations of the same design.

The null hypothesis is sharp: outcomes, and which of them are missing, do not depend on the arm.
Where that holds the test is exact, whatever the distribution. Where dropout is caused by the arm
the pattern of missing values would have been another under another allocation, and it is not.

An allocation under which a contrast does not exist, because a covariate determines the arm, says
nothing of it: its nan is left out of both counts of the p value.
"""

from functools import cache
from itertools import combinations
from math import comb, prod
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

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


class Rerandomised(NamedTuple):
    """Re-randomisation tests of contrasts, arrays (k,).

    ``t`` of the trial as it was; ``p`` the share of the m allocations with an estimate that are
    at least as extreme, b/m, or (1 + b)/(1 + m) of drawn ones, nan where the trial's own cannot be
    estimated; ``mc_error`` the Monte-Carlo standard error of p, 0 of all allocations.
    """

    t: np.ndarray
    p: np.ndarray
    mc_error: np.ndarray


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
    """
    arm = np.asarray(arm)
    strata = np.unique(np.zeros(len(arm)) if strata is None else strata, return_inverse=True)[1]
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


@np.errstate(divide="ignore", invalid="ignore")
def rerandomise(estimate, se, exact) -> Rerandomised:
    """Two-sided re-randomisation tests of contrasts, studentised.

    Parameters
    ----------
    estimate, se : array (1 + m, k)
        Under the actual allocation, then under each that could have been.
    exact : bool
        These are all of them.

    References
    ----------
    Phipson B, Smyth GK. Stat Appl Genet Mol Biol 2010;9:39.
    Chung E, Romano JP. Ann Stat 2013;41:484-507 (studentising).
    """
    t = estimate / se
    p, m = _share(np.abs(t[0]), t[1:], exact)
    return Rerandomised(t[0], p, 0 * p if exact else np.sqrt(p * (1 - p) / m))


def _share(observed, t, exact):
    """p of |t| observed (k,) among those of allocations (m, k), and of how many there is one."""
    extreme = (np.abs(t) >= observed - TIE * np.maximum(1.0, observed)).sum(0)
    m = (~np.isnan(t)).sum(0)
    p = extreme / m if exact else (1 + extreme) / (1 + m)
    return np.where(np.isnan(observed), np.nan, p), m


def invert(refitted, estimate, se, exact, contrast, *, confidence=0.95, tolerance=TOLERANCE):
    """Interval of the constant shifts of a contrast that the test does not reject.

    Parameters
    ----------
    refitted : callable
        Of weights (1 + k,) of the outcome and of 1 in the treatment arm's rows of each contrast's
        visit: estimates and standard errors (m, k) of their sum under the allocations, as
        `mixed.combinations_arms` gives them. Ten thousand draws put a 95 % limit within about 0.02
        standard errors of where all allocations would.
    estimate, se : array (k,)
        Of the trial as it was. What the treatment added at the other visits is held at the
        estimates, which makes the interval approximate.
    exact : bool
        As for `rerandomise`.
    contrast : int
        Which of the k.
    confidence : float
    tolerance : float
        Of the root search, in standard errors.

    Returns
    -------
    low, high : float
        Infinite where no shift is rejected, as with very few allocations.

    References
    ----------
    Garthwaite PH. Biometrics 1996;52:1387-93.
    """
    z, middle, unit = float(ndtri((1 + confidence) / 2)), estimate[contrast], se[contrast]
    if not unit > 0:
        return np.nan, np.nan

    @cache
    def excess(steps):
        """How far, in normal quantiles, the shift so many standard errors off is not rejected."""
        weights = np.r_[1.0, -np.asarray(estimate)]
        weights[1 + contrast] -= steps * unit
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.divide(*(one[:, contrast] for one in refitted(weights)))
        p, _ = _share(abs(steps), t, exact)
        return float(ndtri(np.clip(p, 1e-9, 1 - 1e-9)) - ndtri(1 - confidence))

    def limit(direction):
        inside, outside = z - 0.25, z + 0.25
        while inside > 0 and excess(direction * inside) <= 0:
            inside, outside = max(inside - 0.5, 0.0), inside
        while excess(direction * outside) > 0:
            inside, outside = outside, 2 * outside
            if outside > 1e3:
                return direction * np.inf
        return middle + direction * unit * brentq(lambda steps: excess(direction * steps), inside,
                                                  outside, xtol=tolerance)

    return float(limit(-1)), float(limit(1))
