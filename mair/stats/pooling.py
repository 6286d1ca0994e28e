"""Pooling of multiply imputed analyses.

An *analysis* here is a function of completed outcomes (..., n, T) that returns ``estimate``,
``variance`` (both of shape ...) and ``df_complete``, the degrees of freedom its interval would
have if nothing had been missing (a number, ``inf`` for z); `group_by_time` makes one.
"""

from typing import NamedTuple

import numpy as np

from mair.stats.impute import DEPENDENT, NotEstimable, conditional_mean

CHUNK = 2_000_000  # completed values at once, so that the jackknife's memory is linear in people
BLOCKS = 400  # most groups of people that are left out in turn


class Pooled(NamedTuple):
    """Estimates pooled over m imputations; arrays of the estimates' trailing shape.

    ``within`` and ``between`` are the variances of Rubin's rules, ``fmi`` the fraction of
    missing information, ``mc_error`` = sqrt(between / m) the Monte-Carlo standard error of the
    estimate. Limits and p are `smallsample.tested`'s, normal ones where df is infinite.
    """

    estimate: np.ndarray
    se: np.ndarray
    df: np.ndarray
    within: np.ndarray
    between: np.ndarray
    fmi: np.ndarray
    mc_error: np.ndarray
    m: int


@np.errstate(divide="ignore", invalid="ignore")
def rubin(estimates, variances, df_complete=np.inf):
    """Pool by Rubin's rules with Barnard and Rubin's degrees of freedom.

    Parameters
    ----------
    estimates, variances : array (m, ...)
        Of the m completed data sets; variances are squared standard errors.
    df_complete : float or array (...)
        Degrees of freedom without missing data, as Kenward-Roger's of the same model on complete
        data (their mean over the imputations, if they differ). ``inf`` gives Rubin's 1987 df.

    Returns
    -------
    Pooled
        Where all estimates are equal, nothing was missing and df is ``df_complete``; fmi is 0.

    Notes
    -----
    fmi = (r + 2/(df + 3)) / (r + 1), r = (1 + 1/m) between / within, as mice has it.

    References
    ----------
    Rubin DB. Multiple Imputation for Nonresponse in Surveys. 1987.
    Barnard J, Rubin DB. Biometrika 1999;86:948-55.
    """
    q, u = np.asarray(estimates, float), np.asarray(variances, float)
    m, within = len(q), u.mean(0)
    same = np.ptp(q, axis=0) <= 1e-13 * np.sqrt(within)  # but for rounding
    between = np.where(same, 0.0, q.var(0, ddof=1))
    total = within + (1 + 1 / m) * between
    lost = np.where(total != 0, (1 + 1 / m) * between / total, 0.0)
    observed = (1 - lost) * df_complete * (1 - 2 / (np.asarray(df_complete, float) + 3))
    observed = np.where(np.isinf(df_complete), np.inf, observed)
    df = np.where(lost > 0, 1 / (lost**2 / (m - 1) + 1 / observed), df_complete)
    fmi = np.where(lost > 0, lost + (1 - lost) * 2 / (df + 3), lost)
    return Pooled(q.mean(0), np.sqrt(total), df, within, between, fmi, np.sqrt(between / m), m)


def group_by_time(arm, covariates, visit, *, covariance="random-intercept"):
    """The analysis "Group x Time contrast of a visit against visit 0", of complete data.

    There every model's contrast is the difference of mean changes, and its REML standard error
    has a closed form, for all imputations at once. ``random-intercept``: 2 s^2 (1/n1 + 1/n0), s^2
    the variance within people and visits on (n - 2)(T - 1) degrees of freedom, pooled with the
    variance between people where that is the smaller (variance of the participants 0).
    ``compound-symmetry``: never pooled. ``unstructured``: the pooled variance of the changes, on
    n - 2; baseline covariates make no difference (Revankar, J Am Stat Assoc 1974;69:187-90).

    Parameters
    ----------
    arm : array (n,)
        0 or 1.
    covariates : array (n, k) or None
    visit : int
        Column of the outcome, 1 or later.
    covariance : {"random-intercept", "compound-symmetry", "unstructured"}

    Returns
    -------
    callable
        Completed outcomes (..., n, T) to estimate, variance and df, which is Kenward-Roger's:
        ``joined(*parts(y))`` of its attributes, of which ``parts`` gives df, the estimate, which
        is linear in the outcomes, and mean squares, which are quadratic forms of them.
    """
    arm = np.asarray(arm)
    n = len(arm)
    arms = np.c_[arm == 0, arm == 1].astype(float)
    between = arms if covariates is None else np.c_[arms, np.reshape(covariates, (n, -1))]
    scale = (1 / arms.sum(0)).sum()

    def parts(values):
        T, change = values.shape[-1], values[..., visit] - values[..., 0]
        estimate = change[..., arm == 1].mean(-1) - change[..., arm == 0].mean(-1)
        if covariance == "unstructured":
            return n - 2, estimate, _mean_square(change, arms)
        person = values.mean(-1)
        within = _mean_square(np.swapaxes(values - person[..., None], -1, -2), arms)
        own = (2 * T * _mean_square(person, between),) if covariance == "random-intercept" else ()
        return (n - 2) * (T - 1), estimate, 2 * within.sum(-1) / (T - 1), *own

    def joined(df, estimate, variance, own=None):
        if own is not None:
            rest = n - np.linalg.matrix_rank(between)
            variance = np.where(own < variance, (variance * df + own * rest) / (df + rest),
                                variance)
        return estimate, variance * scale, float(df)

    def analyse(values):
        return joined(*parts(values))

    analyse.parts, analyse.joined = parts, joined
    return analyse


def _mean_square(x, X):
    """Residual mean square (...) of x (..., n), regressed on X (n, p)."""
    Q = np.linalg.qr(X)[0]
    rest = x - (x @ Q) @ Q.T
    return (rest**2).sum(-1) / (len(X) - np.linalg.matrix_rank(X))


class Responders(NamedTuple):
    """Responders over imputations.

    ``treatment`` and ``control`` are mean proportions over ``n_treatment`` and ``n_control``
    people; ``difference`` pools their difference, ``log_ratio`` the log risk ratio (None where
    an imputation has an arm without responders).
    """

    n_treatment: int
    n_control: int
    treatment: float
    control: float
    difference: Pooled
    log_ratio: Pooled | None


def responders(met, arm):
    """Pooled risk difference of completed yes/no results, Wald by Rubin's rules.

    Parameters
    ----------
    met : array of bool (m, n)
        Who responded in each imputation; people whose result cannot exist (a zero baseline)
        left out.
    arm : array (n,)
        0 or 1.

    Returns
    -------
    Responders
        Within an imputation the variance is p (1 - p) / n, summed over arms, and the ratio's
        (1 - p) / (n p); the complete-data df is infinite, as a Wald interval's. Without a
        responder anywhere the difference is 0 with se 0.

    References
    ----------
    Rubin DB, Schenker N. J Am Stat Assoc 1986;81:366-74 (difference).
    White IR, Royston P, Wood AM. Stat Med 2011;30:377-99, table VIII (log ratio).
    """
    met, arm = np.asarray(met, float), np.asarray(arm)
    n1, n0 = (int((arm == a).sum()) for a in (1, 0))
    p1, p0 = (met[:, arm == a].mean(1) for a in (1, 0))
    difference = rubin(p1 - p0, p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    ratio = rubin(np.log(p1 / p0), (1 - p1) / (n1 * p1) + (1 - p0) / (n0 * p0)) if (
        min(p1.min(), p0.min()) > 0) else None
    return Responders(n1, n0, float(p1.mean()), float(p0.mean()), difference, ratio)


class Jackknife(NamedTuple):
    """A conditional-mean imputed estimate with its jackknife standard error.

    ``reason`` says why one of them is nan, where it is.
    """

    estimate: np.ndarray
    se: np.ndarray
    reason: str = ""


def jackknife(y, arm, covariates, visits, rules):
    """Conditional-mean imputation: Group x Time contrasts of visits, and the jackknife.

    Parameters
    ----------
    y, arm, covariates, rules
        As for `impute.conditional_mean`.
    visits : sequence of int
        1 or later; several cost what one does.

    Returns
    -------
    Jackknife
        Arrays by rule and visit. The contrast is the difference of mean changes from
        visit 0 of the completed data, which is the random-intercept model's on complete data
        whatever its variances. The whole procedure is repeated with each person left out,
        se^2 = (n - 1)/n sum (estimate_-i - their mean)^2, to be used with the normal
        distribution. For what it estimates beside Rubin's, see `impute.conditional_mean`.
        Of more than `BLOCKS` people groups of two or more, drawn at random, are left out in
        turn and counted in place of n: time and memory are linear in the number of people.

    References
    ----------
    Wolbers M, Noci A, Delmar P, et al. Pharm Stat 2022;21:1246-57.
    """
    arm, n = np.asarray(arm), len(arm)

    def contrast(keep):
        values = conditional_mean(y, arm, covariates, rules=rules, keep=keep)
        change = values[..., list(visits)] - values[..., :1]
        one, zero = (np.einsum("rbnv,bn->brv", change, own / own.sum(1, keepdims=True))
                     for own in (keep & (arm == 1), keep & (arm == 0)))
        return one - zero

    g, group = -(-n // -(-n // BLOCKS)), np.arange(n)  # groups of one size
    if g < n:  # whatever the order of the rows
        group[np.lexsort([*np.nan_to_num(y).T, arm])] = np.random.default_rng(n).permutation(n) % g
    blocks = np.array_split(np.arange(g), min(g, 1 + g * np.size(y) // CHUNK))
    estimate, reason = np.full((len(rules), len(visits)), np.nan), ""
    try:
        (estimate,) = contrast(np.ones((1, n), bool))
        reason = "with somebody left out, "
        left = np.concatenate([contrast(group != some[:, None]) for some in blocks])
    except NotEstimable as error:
        return Jackknife(estimate, np.nan * estimate, f"{reason}{error}")
    se = np.sqrt((g - 1) / g * ((left - left.mean(0)) ** 2).sum(0))
    return Jackknife(estimate, se, f"{reason}{DEPENDENT}" if np.isnan(se).any() else "")
