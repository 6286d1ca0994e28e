"""Analysis of covariance of one later visit: least squares, exact t.

The other later visits and the people without this one are left out, so that it assumes less
about the covariance than a mixed model and more about who is missing.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .columns import dependent_columns


class Ancova(NamedTuple):
    """Treatment minus control at equal baseline.

    ``estimate``, ``se``, ``low``, ``high`` in units of y; ``df`` = n - columns; ``t``; two-sided
    ``p``; ``n`` people with every value; ``sd`` residual. ``dropped`` are columns that those
    before them determine: 2 the baseline, then the covariates.
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
    dropped: tuple[int, ...]


def ancova(y, baseline, arm, covariates=None, *, confidence=0.95) -> Ancova:
    """Regress the score of one visit on arm, baseline score and covariates.

    Parameters
    ----------
    y, baseline : array (N,)
        Scores, a row a participant; rows with a missing value (nan) anywhere are left out.
    arm : array (N,)
        1 for treatment, 0 for control.
    covariates : array (N,) or (N, c), optional
        Dependent ones are left out, the later ones first, as R's ``lm`` does.
    confidence : float

    Raises
    ------
    ValueError
        Too few people for the columns and a variance, one arm only, a score that the columns
        determine, or shapes that do not fit.
    """
    from statsmodels.regression.linear_model import OLS  # a second: only where it is needed

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
    found = OLS(y - y.mean(), X).fit()
    if not found.bse[1] > 1e-14 * np.abs(y).max():
        raise ValueError("arm, baseline and covariates determine the score")
    low, high = found.conf_int(1 - confidence)[1]
    return Ancova(*map(float, (found.params[1], found.bse[1], found.df_resid, found.tvalues[1],
                               found.pvalues[1], low, high)), n, float(found.scale) ** 0.5,
                  tuple(dropped))
