"""Multiple imputation of a repeated measure in a two-arm trial.

The imputation model is multivariate normal with its own mean and unstructured covariance in each
arm. The prior is flat in the coefficients and |Sigma|^-1: each visit's regression on all others
then has the posterior under 1 / sigma^2, as in mice's ``norm``, whose joint model this is (Hughes
et al., BMC Med Res Methodol 2014;14:28). Parameters are drawn as a chain of regressions, each
visit on the covariates and the earlier visits, on n - k - 2(T - 1) + t degrees of freedom for
visit t = 0, ..., T - 1, n people seen then or later and k covariate columns with the intercept.

Where nobody misses a visit before their last one (a monotone pattern) parameters are drawn from
the posterior directly and every imputation is independent. Otherwise the gaps before the last
visit are filled by monotone data augmentation: one chain an imputation, all started at the
maximum-likelihood estimate (EM) and run side by side for ``burn`` steps, so that imputations are
independent again and no thinning is needed.

An arm with too few people for a visit's own regression (fewer than `MIN_DF` degrees of freedom
left, or dependent columns) shares it with the other arm: one intercept an arm; slopes and
residual variance in common. The result's ``pooled`` names such visits.
"""

from collections.abc import Callable
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from mair.stats.likelihood import inverse_root

RULES = ("mar", "j2r", "cr")
DEPENDENT = "the visits and covariates are linearly dependent"
SINGULAR = 1e-10  # share of a column that those before it must leave, or rounding decides
MIN_DF = 3  # below it a prediction has no variance, and Rubin's rules no meaning


class NotEstimable(ValueError):
    """The data cannot identify an imputation model, even with what the arms share."""


class Imputed(NamedTuple):
    """Completed data sets.

    Attributes
    ----------
    values : ndarray (m, n, T)
        Outcome's units; observed values are those given. Rows in the order given.
    missing : ndarray of bool (n, T)
        What was imputed.
    pooled : tuple of int
        Visits (columns) whose regression the arms share, for want of people; usually empty.
    under : callable
        The same parameters and noise under another rule, `Imputed`.
    """

    values: np.ndarray
    missing: np.ndarray
    pooled: tuple[int, ...]
    under: Callable | None = None


class _Data(NamedTuple):
    """Sorted, standardised data: X (n, k), Y (n, T) with nan, and who is seen till when."""

    X: np.ndarray
    Y: np.ndarray
    arm: np.ndarray
    seen: np.ndarray  # (n, T)
    last: np.ndarray  # (n,) last visit seen, -1 without any
    gaps: np.ndarray  # (n, T) missing before the last visit
    order: np.ndarray  # (n,) the caller's rows, sorted
    shared: list[bool]
    restored: Callable  # values (B, n, T) in the caller's units and row order

    def taken(self, who):
        """Some of the people, as the caller's whole."""
        return self._replace(**{name: getattr(self, name)[who] for name in (
            "X", "Y", "arm", "seen", "last", "gaps")})


def impute(y, arm, covariates=None, *, rule="mar", m=200, rng, burn=50):
    """Impute a repeated measure m times.

    Parameters
    ----------
    y : array (n, T)
        Visits in order, the reference visit first, nan where missing; T of 2 or more.
    arm : array (n,)
        0 for the control (the reference) arm, 1 for the treatment arm.
    covariates : array (n, k), optional
        Complete, numeric; predictors at every visit.
    rule : {"mar", "j2r", "cr"}
        mar: from the person's own arm. j2r, jump to reference: after the last visit of someone
        in the treatment arm the mean is the control arm's at once. cr, copy reference: as if
        they had been in the control arm throughout. Both condition on baseline, which
        randomisation makes alike in the arms, so the two agree for whoever was seen at baseline
        only. The control arm, and gaps before a last visit, are imputed under mar.
    m : int
        Imputations, at least 2.
    rng : numpy.random.Generator
        One seed gives the rules the same parameters and noise, whatever the order of the rows.
    burn : int
        Steps of data augmentation, where the pattern is not monotone.

    Returns
    -------
    Imputed

    Raises
    ------
    ValueError
        An unknown rule, a score that is infinite, a covariate that is missing.
    NotEstimable
        Too few people for a visit's regression even with both arms together.

    References
    ----------
    Schafer JL. Analysis of Incomplete Multivariate Data. 1997, section 6.5.
    Carpenter JR, Roger JH, Kenward MG. J Biopharm Stat 2013;23:1352-71.
    """
    data = _prepared(y, arm, covariates, [rule])
    missing = np.isnan(np.asarray(y, float))
    if not missing.any():
        return Imputed(np.repeat(np.asarray(y, float)[None], m, 0), missing, (),
                       lambda rule: impute(y, arm, covariates, rule=rule, m=m, rng=rng))
    with _dependence_named():
        model = _chains(data, m, rng, burn)
    state = rng.bit_generator.state
    pooled = tuple(t for t, shared in enumerate(data.shared) if shared and missing[:, t].any())

    def under(rule):
        rng.bit_generator.state = state
        with _dependence_named():
            values = _completed(data, model, rule, rng.standard_normal((m, *missing.shape)))
        return Imputed(data.restored(values), missing, pooled, under)

    return under(rule)


@contextmanager
def _dependence_named():
    try:
        yield
    except np.linalg.LinAlgError:
        raise NotEstimable(DEPENDENT) from None


def conditional_mean(y, arm, covariates=None, *, rules=("mar",), keep=None):
    """Missing values replaced by their expectation at the maximum-likelihood estimate.

    For an estimator that is linear in the outcome this gives what infinitely many imputations
    would, but for the prior, and nothing is drawn; its standard error comes from the jackknife
    (`pooling.jackknife`), never from the completed data. Under j2r and cr Rubin's variance is
    information-anchored: missing data cost the information they cost under mar. The jackknife
    estimates the variance over repeated trials, which is smaller, as imputing from the
    reference arm pulls the arms together; the two are reported side by side.

    Parameters
    ----------
    y, arm, covariates
        As for `impute`.
    rules : sequence of str
        Of `RULES`; they share one estimate.
    keep : array of bool (B, n), optional
        Who the model is fitted to, one data set a row; leave-one-out for the jackknife.

    Returns
    -------
    ndarray (rules, B, n, T)
        B is 1 without ``keep``.

    References
    ----------
    Wolbers M, Noci A, Delmar P, et al. Pharm Stat 2022;21:1246-57.
    """
    data = _prepared(y, arm, covariates, rules)
    weights = np.ones((1, len(data.Y))) if keep is None else keep[:, data.order].astype(float)
    with _dependence_named():
        _, model = _em(data, weights)
        return np.stack([data.restored(_completed(data, model, rule, None)) for rule in rules])


def _prepared(y, arm, covariates, rules):
    y, arm = np.array(y, float), np.asarray(arm)
    if not {*rules} <= {*RULES}:
        raise ValueError(f"rules are {', '.join(rules)}; expected some of {', '.join(RULES)}")
    n, T = y.shape
    C = np.zeros((n, 0)) if covariates is None else np.asarray(covariates, float).reshape(n, -1)
    if not np.isfinite(C).all() or np.isinf(y).any():
        raise ValueError("y or a covariate is infinite, or a covariate is missing")
    seen = ~np.isnan(y)
    if not seen.any(0).all():
        raise NotEstimable(f"nobody was seen at visit {int(np.argmin(seen.any(0)))}")
    (Y, centre, scale), (C, *_) = _standardised(y), _standardised(C)
    order = np.lexsort([*C.T[::-1], *Y.T[::-1], arm])  # so that row order cannot matter
    X, Y, seen, arm = np.c_[np.ones(n), C][order], Y[order], seen[order], arm[order].astype(int)
    last = np.where(seen.any(1), T - 1 - np.argmax(seen[:, ::-1], 1), -1)

    def restored(values):
        out = np.empty_like(values)
        out[:, order] = values * scale + centre
        np.copyto(out, y, where=~np.isnan(y))
        return out

    return _Data(X, Y, arm, seen, last, ~seen & (np.arange(T) < last[:, None]), order,
                 _shared(X, Y, arm, last), restored)


def _standardised(values):
    """Columns with mean 0 and SD 1 (constants: SD 0), their means and divisors."""
    centre, scale = np.nanmean(values, 0), np.nanstd(values, 0)
    scale = np.where(scale > 1e-13 * np.abs(centre), scale, 1.0)
    return (values - centre) / scale, centre, scale


def _shared(X, Y, arm, last):
    """Which visits' regressions the arms must share; `NotEstimable` where that is no help."""
    filled, shared = np.nan_to_num(Y), []
    for t in range(Y.shape[1]):
        Z = np.c_[X, filled[:, :t]]
        rows = [(arm == a) & (last >= t) for a in (0, 1)]
        later = 2 * (Y.shape[1] - 1 - t)
        own = all(_sound(Z[r], later) for r in rows)
        both, fewest = rows[0] | rows[1], min(r.sum() for r in rows)
        if not own and not (fewest and _sound(np.c_[arm[both], Z[both]], later)):
            enough = fewest and both.sum() - Z.shape[1] - 1 - later >= MIN_DF
            raise NotEstimable(f"visit {t}: " + (
                "an earlier visit or a covariate is constant, or determined by the others"
                if enough else f"{rows[1].sum()} and {rows[0].sum()} people seen then or later "
                "are too few for a regression on the earlier visits"))
        shared.append(not own)
    return shared


def _sound(Z, later):
    n, p = Z.shape
    return n - p - later >= MIN_DF and np.linalg.matrix_rank(Z, tol=1e-8 * np.sqrt(n)) == p


def _products(data, values, weights=None):
    """Cross products (B, 2, T, k + T, k + T) of covariates and scores, by arm and last visit.

    ``values`` (B, n, T) are complete up to each person's last visit, ``weights`` (B, n).
    """
    k, T = data.X.shape[1], data.Y.shape[1]
    out = np.zeros((len(values) if weights is None else len(weights), 2, T, k + T, k + T))
    for arm, last in np.ndindex(2, T):
        rows = np.flatnonzero((data.arm == arm) & (data.last == last))
        X = np.broadcast_to(data.X[rows], (len(values), len(rows), k))
        part = np.concatenate([X, values[:, rows, :last + 1]], 2)
        weighed = part if weights is None else part * weights[:, rows, None]
        out[:, arm, last, :k + last + 1, :k + last + 1] = weighed.swapaxes(1, 2) @ part
    return out


def _parameters(products, shared, *, rng=None):
    """Coefficients (B, 2, k, T) of the covariates and covariances (B, 2, T, T) in either arm.

    From `_products`: drawn from the posterior with ``rng``, else at the maximum.
    """
    B, _, T, size, _ = products.shape
    k = size - T
    coef, sigma = np.zeros((B, 2, k, T)), np.zeros((B, 2, T, T))
    seen = np.cumsum(products[:, :, ::-1], 2)[:, :, ::-1]  # then or later
    own = [np.insert(np.eye(size), 1 - arm, 0, 1) for arm in (0, 1)]  # an intercept an arm
    for t in range(T):
        def fitted(M, n, t=t):
            M = M[:, :M.shape[1] - T + t + 1, :M.shape[1] - T + t + 1]
            return _regression(M, n, 2 * (T - 1 - t), rng)

        M, n = seen[:, :, t], seen[:, :, t, 0, 0]
        if shared[t]:
            beta, variance = fitted(sum(own[a].T @ M[:, a] @ own[a] for a in (0, 1)), n.sum(1))
            fits = [(np.delete(beta, 1 - a, 1), variance) for a in (0, 1)]
        else:
            fits = [fitted(M[:, a], n[:, a]) for a in (0, 1)]
        for a, (beta, variance) in enumerate(fits):
            past = beta[:, k:, None]
            coef[:, a, :, t] = beta[:, :k] + (coef[:, a, :, :t] @ past)[..., 0]
            cross = (sigma[:, a, :t, :t] @ past)[..., 0]
            sigma[:, a, :t, t] = sigma[:, a, t, :t] = cross
            sigma[:, a, t, t] = variance + (cross * past[..., 0]).sum(1)
    return coef, sigma


def _regression(M, n, later, rng):
    """Coefficients (B, p) and variance (B,) from cross-products whose last column is y's, nan where
    its columns are dependent; `LinAlgError` where all are.
    """
    B, p = len(M), M.shape[-1] - 1
    root = inverse_root(M[:, :p, :p])
    left = 1 / np.einsum("bxx,bxx,bxx->bx", root, root, M[:, :p, :p])
    if (singular := ~(left > SINGULAR).all(1)).all():
        raise np.linalg.LinAlgError
    root[singular] = np.nan
    score = (root @ M[:, :p, p:])[..., 0]
    rss = np.maximum(M[:, p, p] - (score**2).sum(1), 0.0)
    if rng is None:
        variance = rss / n
    else:
        variance = rss / rng.chisquare(n - p - later, B)
        score = score + np.sqrt(variance)[:, None] * rng.standard_normal((B, p))
    return (root.swapaxes(1, 2) @ score[..., None])[..., 0], variance


def _patterns(model, todo, given):
    """People alike in ``model`` (n,), ``todo`` and ``given`` (n, T), of those with something to
    do: (rows, model, visits to do, visits given).
    """
    key, T = np.c_[model, todo, given], todo.shape[1]
    for pattern in np.unique(key[todo.any(1)], axis=0):
        yield (np.flatnonzero((key == pattern).all(1)), pattern[0],
               np.flatnonzero(pattern[1:T + 1]), np.flatnonzero(pattern[T + 1:]))


def _fill(X, values, model, patterns, noise):
    """Draw (or, without noise, expect) what is to do given the rest, in place, by pattern.

    ``model`` coefficients and covariances of `_parameters`. Returns the conditional covariances
    (B, u, u), one a pattern.
    """
    found, (coef, sigma) = [], model
    for rows, a, u, o in patterns:
        S, mean = sigma[:, a], X[rows] @ coef[:, a]
        slope = np.linalg.solve(S[:, o[:, None], o], S[:, o[:, None], u])
        new = mean[..., u] + (values[:, rows[:, None], o] - mean[..., o]) @ slope
        found.append(S[:, u[:, None], u] - S[:, u[:, None], o] @ slope)
        if noise is not None:
            new = new + noise[:, rows[:, None], u] @ np.swapaxes(_root(found[-1]), 1, 2)
        values[:, rows[:, None], u] = new
    return found


def _root(cov):
    try:
        return np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:  # a visit that the others determine: variance 0
        size, axes = np.linalg.eigh(cov)
        return axes * np.sqrt(np.maximum(size, 0.0))[:, None]


def _completed(data, model, rule, noise):
    """Everything missing, filled in from parameters (B, ...) under a rule."""
    X, arm, seen, (coef, sigma) = data.X, data.arm, data.seen, model
    values = np.repeat(data.Y[None], len(sigma), 0)
    if rule == "mar":
        _fill(X, values, model, _patterns(arm, ~seen, seen), noise)
        return values
    _fill(X, values, model, _patterns(arm, data.gaps, seen), noise)
    gone = np.arange(data.Y.shape[1]) > data.last[:, None]
    # Given baseline, jump to reference is the reference's regression on the person's own past,
    # taken as deviations from their own arm's mean (Carpenter, Roger and Kenward, eq. 5).
    past = values.copy()
    if rule == "j2r":
        slope = np.divide(sigma[:, :, 0], sigma[:, :, :1, 0], where=sigma[:, :, :1, 0] > 0,
                          out=np.zeros_like(sigma[:, :, 0]))
        means = X @ coef
        expected = means + slope[:, :, None] * (values[:, None, :, :1] - means[..., :1])
        expected[..., 0] = 0.0
        past += np.where(arm[:, None] == 1, expected[:, 0] - expected[:, 1], 0.0)
    _fill(X, past, model, _patterns(np.zeros_like(arm), gone, ~gone), noise)
    return np.where(gone, past, values)


def _chains(data, m, rng, burn):
    """Parameters drawn m times: by as many chains of data augmentation from the
    maximum-likelihood estimate where there are gaps, which alone are filled at each step.
    """
    some = data.gaps.any(1)
    own, rest = data.taken(some), data.taken(~some)
    products = np.repeat(_products(rest, rest.Y[None]), m, 0)
    if not some.any():
        return _parameters(products, data.shared, rng=rng)
    values = np.repeat(_em(data, np.ones((1, len(some))), tolerance=1e-4)[0], m, 0)
    patterns = [*_patterns(own.arm, own.gaps, own.seen)]
    for _ in range(burn):
        model = _parameters(products + _products(own, values), data.shared, rng=rng)
        noise = np.stack([rng.standard_normal(data.Y.shape)[some] for _ in range(m)])
        _fill(own.X, values, model, patterns, noise)
    return _parameters(products + _products(own, values), data.shared, rng=rng)


def _em(data, weights, *, tolerance=1e-10, limit=5000):
    """Values (B, g, T) of those with gaps, at their expectation, and the ML parameters; one fit a
    row of weights.
    """
    some, k = data.gaps.any(1), data.X.shape[1]
    own, rest, w = data.taken(some), data.taken(~some), weights[:, some]
    patterns = [*_patterns(own.arm, own.gaps, own.seen)]
    fixed = _products(rest, rest.Y[None], weights[:, ~some])
    values = np.repeat(np.where(own.gaps, 0.0, own.Y)[None], len(weights), 0)
    spread = [np.eye(len(u)) for _, _, u, _ in patterns]
    for _ in range(limit):
        products = fixed + _products(own, values, w)
        for (rows, a, u, _), cov in zip(patterns, spread, strict=True):
            products[:, a, own.last[rows[0]], k + u[:, None], k + u] += (
                w[:, rows].sum(1)[:, None, None] * cov)
        model, before = _parameters(products, data.shared), values[:, own.gaps]
        spread = _fill(own.X, values, model, patterns, None)
        if not (np.abs(values[:, own.gaps] - before) >= tolerance).any():  # nan: no such fit
            break
    return values, model
