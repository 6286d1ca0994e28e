"""Analysis of covariance of one later visit: least squares, exact t; or a variance in each arm.

The other later visits and the people without this one are left out, so that it assumes less
about the covariance than a mixed model and more about who is missing.
"""

from typing import NamedTuple

import numpy as np

from . import covariance, smallsample
from .columns import dependent_columns


class Ancova(NamedTuple):
    """Treatment minus control at equal baseline.

    ``contrast`` in units of y, on n - columns degrees of freedom, unless by arm; ``n`` people with
    every value; ``dropped`` columns that those before them determine: 2 the baseline, then the
    covariates.
    """

    contrast: smallsample.Contrast
    n: int
    dropped: list[int]


def ancova(y, baseline, arm, covariates=None, *, inference="kenward-roger", by_arm=False,
           confidence=0.95) -> Ancova:
    """Regress the score of one visit on arm, baseline score and covariates.

    Parameters
    ----------
    y, baseline : array (N,)
        Scores, a row a participant; rows with a missing value (nan) anywhere are left out.
        Without a baseline (None) it is a linear regression on arm and covariates.
    arm : array (N,)
        1 for treatment, 0 for control.
    covariates : array (N,) or (N, c), optional
        Dependent ones are left out, the later ones first, as R's ``lm`` does.
    inference : {"z", "satterthwaite", "kenward-roger"}
        Where the arms share one variance the last two are the exact t test of least squares.
    by_arm : bool
        Generalised least squares by REML, each arm with a residual variance of its own (nlme's
        ``varIdent``).
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
    X = np.column_stack([np.ones(len(y)), arm, *(
        one for one in (baseline, covariates) if one is not None)]).astype(float)
    y = np.asarray(y, float)
    known = np.isfinite(y) & np.isfinite(X).all(1)
    y, X = y[known], X[known]
    if len(y) == 0:
        raise ValueError("nobody has every value")
    dropped = dependent_columns(X)
    n, p = len(y), X.shape[1] - len(dropped)
    if 1 in dropped or n <= p:
        raise ValueError(f"{n} people with every value cannot estimate {p} columns and a variance")
    X = np.delete(X, dropped, axis=1)
    found = covariance.fit(y, X, np.arange(n), np.zeros(n), "unstructured",
                           arms=X[:, 1] > 0 if by_arm else None, labels=["it"])
    if found.by_arm != by_arm or not found.se[1] > 1e-14 * np.abs(y).max():
        raise ValueError(found.fallback or "arm, baseline and covariates determine the score")
    one = smallsample.contrast(found, np.eye(p)[1], inference, confidence=confidence)
    return Ancova(one._replace(df=one.df.round(9)), n, dropped)  # n - p but for rounding
