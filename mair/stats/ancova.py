"""Analysis of covariance of one later visit: least squares, exact t; or a variance in each arm.

The other later visits and the people without this one are left out, so that it assumes less
about the covariance than a mixed model and more about who is missing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from . import covariance, smallsample
from .columns import dependent_columns


class Ancova(NamedTuple):
    """Treatment minus control at equal baseline.

    ``estimate``, ``se``, ``low``, ``high`` in units of y; ``df`` = n - columns, unless by arm;
    ``t``; two-sided ``p``; ``n`` people with every value; ``sd`` residual, by arm the control's
    and the treatment's. ``dropped`` are columns that those
    before them determine: 2 the baseline, then the covariates.
    """

    estimate: float
    se: float
    df: float
    t: float
    p: float
    low: float
    high: float
    n: int
    sd: float | tuple[float, float]
    dropped: tuple[int, ...]


def ancova(y, baseline, arm, covariates=None, *, inference="t", by_arm=False,
           confidence=0.95) -> Ancova:
    """Regress the score of one visit on arm, baseline score and covariates.

    Parameters
    ----------
    y, baseline : array (N,)
        Scores, a row a participant; rows with a missing value (nan) anywhere are left out.
    arm : array (N,)
        1 for treatment, 0 for control.
    covariates : array (N,) or (N, c), optional
        Dependent ones are left out, the later ones first, as R's ``lm`` does.
    inference : {"t", "z", "satterthwaite", "kenward-roger"}
        t is exact, and what the last two are where the arms share one variance.
    by_arm : bool
        Generalised least squares by REML, each arm with a residual variance of its own (nlme's
        ``varIdent``); then one of the last three.
    confidence : float

    Raises
    ------
    ValueError
        Too few people for the columns and a variance, one arm only, a score that the columns
        determine, or shapes that do not fit; by arm, an arm with too few people for a variance.

    References
    ----------
    Pinheiro JC, Bates DM. Mixed-Effects Models in S and S-PLUS. 2000, section 5.2 (varIdent).
    """
    X = np.column_stack([np.ones(len(y)), arm, baseline, *([] if covariates is None else
                                                          [covariates])]).astype(float)
    y = np.asarray(y, float)
    known = np.isfinite(y) & np.isfinite(X).all(1)
    y, X = y[known], X[known]
    if len(y) == 0:
        raise ValueError("nobody has every value")
    dropped = dependent_columns(X)
    X[:, 1:] -= X[:, 1:].mean(0)  # beside an intercept, so that location costs no digits
    n, p = len(y), X.shape[1] - len(dropped)
    if 1 in dropped or n <= p:
        raise ValueError(f"{n} people with every value cannot estimate {p} columns and a variance")
    X = np.delete(X, dropped, axis=1)
    X[:, 2:] /= np.linalg.norm(X[:, 2:], axis=0)  # of any unit: statsmodels drops the smallest
    if by_arm:
        return _by_arm(y - y.mean(), X, dropped, inference, confidence)
    from statsmodels.regression.linear_model import OLS  # a second: only where it is needed

    found = OLS(y - y.mean(), X).fit()
    if not found.bse[1] > 1e-14 * np.abs(y).max():
        raise ValueError("arm, baseline and covariates determine the score")
    estimate, se, df = (float(x) for x in (found.params[1], found.bse[1], found.df_resid))
    reference = np.inf if inference == "z" else df
    half = stdtrit(reference, (1 + confidence) / 2) * se
    return Ancova(estimate, se, df, estimate / se, float(2 * stdtr(reference, -abs(estimate / se))),
                  estimate - half, estimate + half, n, float(found.scale) ** 0.5, tuple(dropped))


def _by_arm(y, X, dropped, inference, confidence):
    """As a model of one visit: its unstructured covariance matrix is a variance."""
    found = covariance.fit(y, X, np.arange(len(y)), np.zeros(len(y)), "unstructured",
                           arms=X[:, 1] > 0, labels=["it"])
    if not found.by_arm or not found.converged:
        raise ValueError(found.fallback)
    one = smallsample.contrast(found, np.eye(X.shape[1])[1], inference, confidence=confidence)
    return Ancova(*map(float, one), len(y), tuple(np.sqrt(found.theta)), tuple(dropped))
