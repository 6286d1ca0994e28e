"""Yes and no, and counts, seen again and again: generalised estimating equations."""

import warnings
from typing import NamedTuple

import numpy as np
from statsmodels.genmod import cov_struct, families  # statsmodels.api takes a second
from statsmodels.genmod.generalized_estimating_equations import GEE
from statsmodels.tools.sm_exceptions import ConvergenceWarning

FAMILIES = {"binomial": families.Binomial, "poisson": families.Poisson}


class Gee(NamedTuple):
    """Coefficients on the link's scale with two covariances, and the common correlation.

    ``beta`` (p,); ``robust`` (p, p), Liang and Zeger's sandwich; ``reduced`` (p, p), with Mancl
    and DeRouen's reduction of its bias in few clusters; ``fitted`` (n,) on the measured scale.
    """

    beta: np.ndarray
    robust: np.ndarray
    reduced: np.ndarray
    correlation: float
    fitted: np.ndarray


def fit(y, X, groups, family: str, offset=None) -> Gee:
    """Marginal regression with an exchangeable working correlation.

    Parameters
    ----------
    y : array (n,)
        0 and 1 (binomial, logit link), or counts (poisson, log link).
    X : array (n, p)
        Of full rank.
    groups : array (n,)
        The participant of each row.
    family : {"binomial", "poisson"}
    offset : array (n,), optional
        On the link's scale.

    Raises
    ------
    ValueError
        The equations have no finite solution: a visit of an arm where all or none have the result.

    References
    ----------
    Liang KY, Zeger SL. Biometrika 1986;73:13-22. Mancl LA, DeRouen TA. Biometrics 2001;57:126-34.
    """
    model = GEE(y, X, groups=groups, family=FAMILIES[family](), offset=offset,
                cov_struct=cov_struct.Exchangeable())
    try:
        with warnings.catch_warnings(), np.errstate(all="raise", under="ignore"):
            warnings.simplefilter("error", ConvergenceWarning)
            found = model.fit(cov_type="bias_reduced", maxiter=200)
    except (ConvergenceWarning, FloatingPointError, np.linalg.LinAlgError) as error:
        raise ValueError("an arm has all or none of the results at a visit, or too few people"
                         ) from error
    if not np.abs(found.params).max() < 15:  # on a logarithmic scale this is infinite
        raise ValueError("an arm has all or none of the results at a visit")
    return Gee(found.params, found.cov_robust, found.cov_robust_bc,
               float(found.cov_struct.dep_params), found.fittedvalues)
