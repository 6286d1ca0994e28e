"""Pooling of multiply imputed analyses, and how far the imputed values could be off.

An *analysis* here is a function of completed outcomes (..., n, T) that returns ``estimate``,
``variance`` (both of shape ...) and ``df_complete``, the degrees of freedom its interval would
have if nothing had been missing (a number, ``inf`` for z); `group_by_time` makes one.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtr, stdtrit

from mair.stats import mixed
from mair.stats.impute import NotEstimable, conditional_mean

__all__ = ["Grid", "Jackknife", "Pooled", "Responders", "Tipping", "change_by_arm", "delta_grid",
           "group_by_time", "jackknife", "responders", "rubin", "shifted", "tipping_point"]


@dataclass(frozen=True)
class Pooled:
    """Estimates pooled over m imputations; arrays of the estimates' trailing shape.

    ``within`` and ``between`` are the variances of Rubin's rules, ``fmi`` the fraction of
    missing information, ``mc_error`` = sqrt(between / m) the Monte-Carlo standard error of the
    estimate.
    """

    m: int
    estimate: np.ndarray
    se: np.ndarray
    df: np.ndarray
    within: np.ndarray
    between: np.ndarray
    fmi: np.ndarray
    mc_error: np.ndarray

    def interval(self, confidence=0.95):
        """Limits estimate -+ t se, (low, high); normal ones where df is infinite."""
        half = stdtrit(self.df, (1 + confidence) / 2) * self.se
        return self.estimate - half, self.estimate + half

    @property
    def t(self):
        """Estimate over its standard error."""
        return np.divide(self.estimate, self.se, out=np.full_like(self.se, np.nan),
                         where=self.se > 0)

    @property
    def p(self):
        """Two-sided p of t on df."""
        return 2 * stdtr(self.df, -np.abs(self.t))


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

    Raises
    ------
    ValueError
        Fewer than 2 imputations, or shapes that differ.

    Notes
    -----
    fmi = (r + 2/(df + 3)) / (r + 1), r = (1 + 1/m) between / within, as mice has it.

    References
    ----------
    Rubin DB. Multiple Imputation for Nonresponse in Surveys. 1987.
    Barnard J, Rubin DB. Biometrika 1999;86:948-55.
    """
    q, u = np.asarray(estimates, float), np.asarray(variances, float)
    if q.shape != u.shape or q.ndim < 1 or len(q) < 2:
        raise ValueError(f"expected estimates and variances (m, ...), m at least 2; got "
                         f"{q.shape}, {u.shape}")
    m = len(q)
    within = u.mean(0)
    between = np.where(np.ptp(q, axis=0) == 0, 0.0, q.var(0, ddof=1))
    total = within + (1 + 1 / m) * between
    lost = np.divide((1 + 1 / m) * between, total, out=np.zeros_like(total), where=total != 0)
    complete = np.broadcast_to(np.asarray(df_complete, float), lost.shape)
    finite = np.where(np.isfinite(complete), complete, 1.0)
    observed = np.where(np.isfinite(complete), (1 - lost) * finite * (finite + 1) / (finite + 3),
                        np.inf)
    some = lost > 0
    rate = lost**2 / (m - 1) + np.divide(1.0, observed, where=observed > 0,
                                         out=np.full_like(lost, np.inf))
    df = np.divide(1.0, rate, out=np.array(complete), where=some)
    fmi = np.where(some, lost + (1 - lost) * 2 / (df + 3), lost)
    return Pooled(m, q.mean(0), np.sqrt(total), df, within, between, fmi, np.sqrt(between / m))


def group_by_time(arm, covariates, visit, *, df_complete=np.inf, reml=True):
    """The analysis "random-intercept Group x Time contrast of a visit against visit 0".

    Parameters
    ----------
    arm : array (n,)
        0 or 1.
    covariates : array (n, k) or None
    visit : int
        Column of the outcome, 1 or later.
    df_complete : float
        Kenward-Roger's on complete data is (n - 2)(T - 1), its standard error the model's,
        unless the variance of the participants is 0.
    reml : bool

    Returns
    -------
    callable
        Completed outcomes (..., n, T) to estimate, variance, df_complete; all in one batch.
    """
    arm = np.asarray(arm, float)
    n = len(arm)
    C = np.zeros((n, 0)) if covariates is None else np.asarray(covariates, float).reshape(n, -1)

    def analyse(values):
        T = values.shape[-1]
        times = np.tile(np.eye(T)[:, 1:], (n, 1))
        common = np.c_[np.ones(n * T), times, np.repeat(C, T, axis=0)]
        by_arm = np.repeat(arm, T)[:, None] * np.c_[np.ones(n * T), times]
        fit = mixed.random_intercept(values.reshape(*values.shape[:-2], n * T),
                                     np.c_[common, by_arm], np.repeat(np.arange(n), T), reml=reml)
        at = common.shape[1] + visit
        return fit.beta[..., at], fit.cov[..., at, at], df_complete

    return analyse


def change_by_arm(arm, visit):
    """The analysis "difference of mean changes from visit 0", as the pooled-variance t test.

    On complete data it is the unstructured model's Group x Time contrast with Kenward-Roger's
    standard error and df = n - 2, in one batch; baseline covariates make no difference (Revankar,
    J Am Stat Assoc 1974;69:187-90). ``arm`` (n,) 0 or 1; a callable like `group_by_time`'s.
    """
    arm = np.asarray(arm)
    sizes = [int((arm == a).sum()) for a in (1, 0)]

    def analyse(values):
        change = values[..., visit] - values[..., 0]
        one, zero = (change[..., arm == a] for a in (1, 0))
        squares = one.var(-1) * sizes[0] + zero.var(-1) * sizes[1]
        df = sum(sizes) - 2
        return (one.mean(-1) - zero.mean(-1),
                squares / df * (1 / sizes[0] + 1 / sizes[1]), float(df))

    return analyse


# --- delta adjustment ----------------------------------------------------------------------


@dataclass(frozen=True)
class Tipping:
    """Where a result tips.

    Attributes
    ----------
    state : str
        "tips"; "contains 0 already" (delta is 0); "none within the scale"; "nobody imputed"
        (the treatment arm has nobody missing at that visit); "not estimable".
    delta : float
        Smallest shift, in the outcome's units and taken in the unfavourable direction, at which
        the pooled interval contains 0; nan where there is none.
    pooled : Pooled
        At ``delta``; at the limit of the scale where nothing tips.
    imputed : int
        Values imputed in the treatment arm at that visit, over all imputations.
    beyond : int
        How many of them lie outside the scale at ``pooled``'s delta. Nothing is clipped.
    beyond_mar : int
        How many lay outside before any shift.
    """

    state: str
    delta: float
    pooled: Pooled
    imputed: int
    beyond: int
    beyond_mar: int


@dataclass(frozen=True)
class Grid:
    """Pooled results by (treatment delta, control delta), each in the unfavourable direction."""

    treatment: np.ndarray
    control: np.ndarray
    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray


def shifted(imputed, arm, visit, treatment=0.0, control=0.0):
    """Completed values with a constant added to what was imputed at one visit.

    Parameters
    ----------
    imputed : Imputed
    arm : array (n,)
    visit : int
    treatment, control : float
        Added to the imputed values of either arm, signed, outcome's units.

    Returns
    -------
    ndarray (m, n, T)
        At 0 and 0 the imputations as they are.
    """
    out = imputed.values.copy()
    gone = imputed.missing[:, visit]
    out[:, gone, visit] += np.where(np.asarray(arm)[gone] == 1, treatment, control)
    return out


def tipping_point(imputed, arm, visit, analyse, *, scale, better="lower", confidence=0.95,
                  limit=None):
    """Smallest delta >= 0 that brings 0 into the pooled interval.

    Parameters
    ----------
    imputed : Imputed
        Under mar, as a rule; the same imputations serve every delta.
    arm : array (n,)
    visit : int
        Whose imputed values in the treatment arm are shifted; other visits stay.
    analyse : callable
        See the module's docstring.
    scale : tuple of float or None
        Lowest and highest possible value; None where the outcome has no bounds.
    better : {"lower", "higher"}
        Which end of the scale is good: the shift goes to the other.
    confidence : float
    limit : float, optional
        Largest delta looked at; by default the width of the scale.

    Returns
    -------
    Tipping

    Notes
    -----
    An estimate linear in the outcome is linear in delta, and its zero ends the search; any other
    is searched to ``limit``. The first of 16 equal steps whose interval contains 0 is refined.
    """
    if better not in ("lower", "higher"):
        raise ValueError(f"better is {better!r}; expected lower or higher")
    if limit is None and scale is None:
        raise ValueError("an outcome without a scale needs a limit for delta")
    sign = 1.0 if better == "lower" else -1.0
    limit = float(scale[1] - scale[0] if limit is None else limit)
    people = imputed.missing[:, visit] & (np.asarray(arm) == 1)
    drawn = imputed.values[:, people, visit]

    def pooled(delta):
        return rubin(*analyse(shifted(imputed, arm, visit, sign * delta)))

    def margin(delta):
        found = pooled(delta)
        return float(np.abs(found.estimate) - stdtrit(found.df, (1 + confidence) / 2) * found.se)

    def result(state, delta, at):
        return Tipping(state, delta, pooled(at), drawn.size, _beyond(drawn + sign * at, scale),
                       _beyond(drawn, scale))

    if not margin(0.0) > 0:
        already = margin(0.0) <= 0
        return result(*("contains 0 already", 0.0) if already else ("not estimable", np.nan), 0.0)
    if not people.any():
        return result("nobody imputed", np.nan, 0.0)
    ends = pooled(0.0).estimate, pooled(limit).estimate
    delta = _first_root(margin, limit, *map(float, ends))
    if delta is None:
        return result("none within the scale", np.nan, limit)
    return result("tips", delta, delta)


def _first_root(margin, limit, start, end):
    """Where margin first falls to 0 (None: nowhere), its side on which it is 0 or less."""
    zero = limit * start / (start - end) if start * end < 0 else limit
    top = zero if margin(zero) <= 0 else limit
    for low, high in pairwise(np.linspace(0.0, top, 17)):
        if margin(high) <= 0:
            delta = brentq(margin, low, high, xtol=1e-10 * top, rtol=1e-14)
            while margin(delta) > 0:
                delta += 1e-10 * top
            return float(delta)
    return None


def delta_grid(imputed, arm, visit, analyse, treatment, control, *, better="lower",
               confidence=0.95):
    """Pooled estimate and interval for every pair of deltas; `Grid` of arrays (a, b).

    ``treatment`` (a,) and ``control`` (b,) are shifts of either arm's imputed values at
    ``visit``, outcome's units, counted in the unfavourable direction; the rest is as for
    `tipping_point`.
    """
    sign = 1.0 if better == "lower" else -1.0
    cells = np.array([[(found.estimate, *found.interval(confidence))
                       for found in (rubin(*analyse(shifted(imputed, arm, visit, sign * a,
                                                            sign * b))) for b in control)]
                      for a in treatment])
    return Grid(np.asarray(treatment, float), np.asarray(control, float),
                *np.moveaxis(cells, 2, 0))


def _beyond(values, scale):
    return 0 if scale is None else int(((values < scale[0]) | (values > scale[1])).sum())


# --- responders, and the jackknife ---------------------------------------------------------


@dataclass(frozen=True)
class Responders:
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

    Raises
    ------
    ValueError
        An empty arm.

    References
    ----------
    Rubin DB, Schenker N. J Am Stat Assoc 1986;81:366-74 (difference).
    White IR, Royston P, Wood AM. Stat Med 2011;30:377-99, table VIII (log ratio).
    """
    met, arm = np.asarray(met, float), np.asarray(arm)
    sizes = [int((arm == a).sum()) for a in (1, 0)]
    if min(sizes) == 0:
        raise ValueError(f"{sizes[0]} people in the treatment arm and {sizes[1]} in the control "
                         "arm; a difference needs both")
    (p1, p0), (n1, n0) = (met[:, arm == a].mean(1) for a in (1, 0)), sizes
    difference = rubin(p1 - p0, p1 * (1 - p1) / n1 + p0 * (1 - p0) / n0)
    ratio = None
    if p1.min() > 0 and p0.min() > 0:
        ratio = rubin(np.log(p1 / p0), (1 - p1) / (n1 * p1) + (1 - p0) / (n0 * p0))
    return Responders(n1, n0, float(p1.mean()), float(p0.mean()), difference, ratio)


@dataclass(frozen=True)
class Jackknife:
    """A conditional-mean imputed estimate with its jackknife standard error.

    ``reason`` says why the standard error is nan, where it is.
    """

    estimate: float
    se: float
    reason: str = ""


def jackknife(y, arm, covariates, visit, *, rule="mar"):
    """Conditional-mean imputation: Group x Time contrast of a visit, and the jackknife.

    Parameters
    ----------
    y, arm, covariates, rule
        As for `impute.impute`.
    visit : int
        1 or later.

    Returns
    -------
    Jackknife
        The contrast is the difference of mean changes from visit 0 of the completed data,
        which is the random-intercept model's on complete data whatever its variances. The
        whole procedure is repeated with each person left out,
        se^2 = (n - 1)/n sum (estimate_-i - their mean)^2, to be used with the normal
        distribution. For what it estimates beside Rubin's, see `impute.conditional_mean`.

    References
    ----------
    Wolbers M, Noci A, Delmar P, et al. Pharm Stat 2022;21:1246-57.
    """
    arm = np.asarray(arm)
    n = len(arm)
    keep = np.r_[np.ones((1, n), bool), ~np.eye(n, dtype=bool)]

    def contrast(kept):
        values = conditional_mean(y, arm, covariates, rule=rule, keep=kept)
        change = values[..., visit] - values[..., 0]
        weights = [kept * (arm == a) for a in (1, 0)]
        one, zero = ((change * w).sum(1) / w.sum(1) for w in weights)
        return one - zero

    try:
        estimates = contrast(keep)
    except NotEstimable as error:
        return Jackknife(float(contrast(keep[:1])[0]), np.nan, f"with somebody left out, {error}")
    left = estimates[1:]
    se = np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
    return Jackknife(float(estimates[0]), float(se))
