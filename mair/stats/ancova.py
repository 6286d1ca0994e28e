"""Analysis of covariance of one later visit: least squares, exact t.

The other later visits and the people without this one are left out, so that it assumes less
about the covariance than a mixed model and more about who is missing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from ._reduction import require_full_rank

__all__ = ["Ancova", "ancova"]


@dataclass(frozen=True)
class Ancova:
    """Treatment minus control at equal baseline.

    ``estimate``, ``se``, ``low``, ``high`` in units of y; ``df`` = n - columns; ``t``; two-sided
    ``p``; ``n`` people with every value; ``sd`` residual. ``beta`` (p,) and ``cov`` (p, p) are
    of the columns intercept, arm, baseline, covariates.
    """

    estimate: float
    se: float
    df: int
    t: float
    p: float
    low: float
    high: float
    n: int
    sd: float
    beta: np.ndarray
    cov: np.ndarray


def ancova(y, baseline, arm, covariates=None, *, confidence=0.95):
    """Regress the score of one visit on arm, baseline score and covariates.

    Parameters
    ----------
    y, baseline : array (N,)
        Scores, a row a participant; rows with a missing value (nan) anywhere are left out.
    arm : array (N,)
        1 for treatment, 0 for control.
    covariates : array (N,) or (N, c), optional
    confidence : float

    Returns
    -------
    Ancova

    Raises
    ------
    ValueError
        Shapes that do not fit; too few people; dependent columns, by index (0 intercept, 1 arm,
        2 baseline, then the covariates).
    """
    y, baseline, arm = (np.asarray(values, float) for values in (y, baseline, arm))
    if y.ndim != 1 or baseline.shape != y.shape or arm.shape != y.shape:
        raise ValueError(f"expected y, baseline, arm (N,); got {y.shape}, {baseline.shape}, "
                         f"{arm.shape}")
    columns = [np.ones(len(y)), arm, baseline]
    if covariates is not None:
        covariates = np.asarray(covariates, float)
        if covariates.ndim > 2 or len(covariates) != len(y):
            raise ValueError(f"expected covariates ({len(y)}, c); got {covariates.shape}")
        columns += list(covariates.reshape(len(y), -1).T)
    X = np.column_stack(columns)
    known = np.isfinite(y) & np.isfinite(X).all(1)
    y, X = y[known], X[known]
    n, p = X.shape
    if n <= p:
        raise ValueError(f"{n} people with every value cannot estimate {p} columns and a variance")
    require_full_rank(X)
    q, r = np.linalg.qr(X)
    beta = np.linalg.solve(r, q.T @ y)
    rest = y - X @ beta
    variance = float(rest @ rest) / (n - p)
    inverse = np.linalg.inv(r)
    cov = variance * inverse @ inverse.T
    estimate, se = float(beta[1]), float(np.sqrt(cov[1, 1]))
    with np.errstate(divide="ignore", invalid="ignore"):
        t = float(np.divide(estimate, se))
    half = float(stdtrit(n - p, (1 + confidence) / 2)) * se
    return Ancova(estimate, se, n - p, t, 2 * float(stdtr(n - p, -abs(t))), estimate - half,
                  estimate + half, n, float(np.sqrt(variance)), beta, cov)
