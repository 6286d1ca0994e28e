"""Linear mixed model with a random intercept, exact and batched.

``y = X b + Z u + e`` with one grouping factor (participants): within a participant
``V = var_residual (I + ratio J)``. REML and ML profile out everything but the one ratio, whose
global optimum on [0, inf) is found to rounding; covariances are GLS, ``(X'V^-1X)^-1`` at the
estimate, as lme4, nlme, SPSS and Stata report them (statsmodels' differ on unbalanced data).

Each participant's rows are split into their mean and the deviations from it, exactly zero for
what does not vary within participants, so that no ratio is too large for the moment matrices.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from ._profile import GRID, NEGATIVE, Profile, eliminate
from .columns import checked, orthonormal

CHUNK = 1024  # problems at once: about what stays in the processor's cache
PEOPLE = 4_000_000  # in them, for the memory's sake
SINGULAR = 1e-11  # share of a column's sum of squares that is rounding, in a batch of designs
EXACT = 1e-26  # residual share of y's sum of squares that is rounding


class RandomIntercept(NamedTuple):
    """Fits of a random-intercept model; every array has the batch's shape in front.

    Attributes
    ----------
    beta : ndarray (..., p)
        Fixed effects, units of y per unit of the column.
    cov : ndarray (..., p, p)
        Their GLS covariance, (X'V^-1X)^-1.
    var_participant, var_residual : ndarray (...)
        Variances, units of y squared.
    ratio : ndarray (...)
        var_participant / var_residual.
    criterion : ndarray (...)
        -2 log (restricted) likelihood by lme4's convention (``REMLcrit``, ML ``deviance``).
    converged : ndarray of bool (...)
        False where there is no estimate, and the rest is nan: y is fitted exactly, or within
        every participant, or (in a batch of designs) X is rank-deficient.
    boundary : ndarray of bool (...)
        True where the ratio is exactly 0.
    """

    beta: np.ndarray
    cov: np.ndarray
    var_participant: np.ndarray
    var_residual: np.ndarray
    ratio: np.ndarray
    criterion: np.ndarray
    converged: np.ndarray
    boundary: np.ndarray

    @property
    def se(self):
        """Standard errors (..., p)."""
        return np.sqrt(np.diagonal(self.cov, axis1=-2, axis2=-1))


def random_intercept(y, X, groups, *, reml=True, negative=False):
    """Fit random-intercept models, one or a batch.

    Parameters
    ----------
    y : array (..., N)
        Responses in long form, observed rows only.
    X : array (N, p)
        Fixed-effect design of all responses.
    groups : array (N,)
        Participant of each row, any labels, in any order.
    reml : bool
        REML, or maximum likelihood.
    negative : bool
        Allow a negative ratio, down to -1/n, n the most rows of a participant: compound
        symmetry. Not converged where the criterion has no minimum above.

    Returns
    -------
    RandomIntercept
        Arrays with the batch's shape, y's without the rows, in front.

    Raises
    ------
    ValueError
        Shapes that do not fit; a value that is not finite; too few rows; no participant with two
        rows; dependent columns of X, named by index; or nothing left within or between
        participants to estimate a variance from.

    Notes
    -----
    Profile of Bates et al., J Stat Softw 2015;67(1), eqs 34 and 41, at one grouping factor.
    """
    y, X = checked(y, X, groups)
    people = _People(groups)
    C, A, T = people.orthonormal(X)
    _require_variances(people, C @ A)
    means, apart = (x @ A for x in people.split(C))  # what does not vary stays exactly constant
    Y = y.reshape(-1, y.shape[-1])

    def moments(cut):
        part = Y[cut]
        start = part @ (C @ A)
        rest = people.split((part - start @ (C @ A).T).T)
        return (*people.moments(means, apart, *rest), start, np.einsum("bn,bn->b", part, part))

    return _fits(people, moments, len(Y), T @ A, y.shape[:-1], reml, NEGATIVE if negative else GRID)


def random_intercept_arms(y, common, by_arm, groups, arms):
    """Fit one trial under many allocations: the design is [common, arm * by_arm].

    Parameters
    ----------
    y : array (N,)
        Response in long form, observed rows only.
    common : array (N, k)
        Columns that no allocation changes: intercept, visits, covariates.
    by_arm : array (N, m)
        Columns multiplied by the participant's arm: ones, visits.
    groups : array (N,)
        Participant of each row.
    arms : array (..., q)
        Allocations of 0 and 1, participants in sorted order of their labels.

    Returns
    -------
    RandomIntercept
        beta in the order [common, arm * by_arm]; nan for an allocation that leaves the design
        rank-deficient.

    Raises
    ------
    ValueError
        As `random_intercept`.
    """
    arms = np.asarray(arms)
    return _under(np.asarray(y, float)[:, None], common, by_arm, groups, arms)([1.0])


def combinations_arms(responses, common, by_arm, groups, arms):
    """`random_intercept_arms` of linear combinations of some responses, people seen only once.

    Parameters
    ----------
    responses : array (N, c)
    common, by_arm, groups, arms
        As for `random_intercept_arms`; ``arms`` (B, q).

    Returns
    -------
    callable
        Of weights (c,), giving the fits to ``responses @ weights``.
    """
    return _under(np.asarray(responses, float), common, by_arm, groups, arms, keep=True)


def _under(responses, common, by_arm, groups, arms, keep=False):
    """A function of weights (c,), see `combinations_arms`; ``keep``: moments of all allocations."""
    responses, common = checked(responses.T, common, groups, by_arm)
    responses, by_arm, people = responses.T, np.asarray(by_arm, float), _People(groups)
    shape, q, c = arms.shape[:-1], len(people.rows), responses.shape[1]
    arms, k, p = arms.reshape(-1, q), common.shape[1], common.shape[1] + by_arm.shape[1]
    back, z = np.zeros((p, p)), [None, None]
    for i, (X, at) in enumerate(((common, slice(k)), (by_arm, slice(k, None)))):
        C, A, T = people.orthonormal(X)
        back[at, at], z[i] = T @ A, C @ A
    start = np.c_[responses.T @ z[0], np.zeros((c, p - k))]
    means, apart = people.split(np.c_[common @ back[:k, :k], by_arm @ back[k:, k:],
                                      responses - z[0] @ start[:, :k].T])
    i, j = np.triu_indices(p + c)
    theirs = sum((k <= e) & (e < p) for e in (i, j)) > 0  # entries that an arm multiplies
    pieces = [np.add.reduceat(apart[:, i] * apart[:, j], people.starts), means[:, i] * means[:, j]]
    squares = responses.T @ responses

    def added(piece, arm):
        out = np.empty((len(theirs), len(arm)))
        out[~theirs] = piece[:, ~theirs].sum(0)[:, None]
        out[theirs] = piece[:, theirs].T @ arm.T
        return out

    def moments(at, to):
        arm = arms[at:to, people.sorted].astype(float)
        return added(pieces[0], arm), np.stack([added(pieces[1][b], arm[:, b])
                                                for b in people.blocks])

    moments = cache(moments) if keep else moments

    def fits(weights):
        columns = np.zeros((p + c, p + 1))  # of the matrix whose moments are wanted
        columns[range(p), range(p)], columns[p:, p] = 1, weights
        products = np.einsum("ax,by->abxy", columns, columns)
        mixing = (products[i, j] + (i != j)[:, None, None] * products[j, i])[
            :, *np.triu_indices(p + 1)]

        def combined(cut):
            found = moments(cut.start, cut.stop)
            return (*(found if not keep else (mixing.T @ one for one in found)), weights @ start,
                    weights @ squares @ weights)

        return _fits(people, combined, len(arms), back, shape, True, GRID)

    return lambda weights: fits(np.asarray(weights, float))


class _People:
    """Rows ordered by their number a participant, then by participant.

    ``order`` (N,) rows, sorted; ``sorted`` (q,) participants, ``starts`` their first sorted row,
    ``rows`` their number; ``sizes``, ``counts`` (K,) distinct numbers of rows and people of each,
    ``blocks`` the K slices of sorted participants.
    """

    def __init__(self, groups):
        codes = np.unique(np.asarray(groups), return_inverse=True)[1].reshape(-1)
        n = np.bincount(codes)
        self.order, self.sorted = np.lexsort((codes, n[codes])), np.argsort(n, kind="stable")
        self.rows, (self.sizes, self.counts) = n[self.sorted], np.unique(n, return_counts=True)
        self.starts, ends = np.cumsum(self.rows) - self.rows, np.cumsum(self.counts)
        self.blocks = [slice(e - c, e) for e, c in zip(ends, self.counts, strict=True)]
        if self.sizes.max() < 2:
            raise ValueError("no participant has two rows: the two variances cannot be told apart")

    def orthonormal(self, X):
        """`columns.orthonormal`, with columns that do not vary within participants first."""
        return orthonormal(X, ~(self.split(X)[1] != 0).any(0))

    def split(self, values):
        """Means of values (N, a) times the root of the rows (q, a); deviations from them (N, a).

        What is constant within a participant deviates by exactly zero.
        """
        values, rows = values[self.order], self.rows[:, None]
        first = values[self.starts]
        apart = values - np.repeat(first, self.rows, axis=0)
        shift = np.add.reduceat(apart, self.starts, axis=0) / rows
        return (first + shift) * np.sqrt(rows), apart - np.repeat(shift, self.rows, axis=0)

    def moments(self, means, apart, y_means, y_apart):
        """within (T, B), between (K, T, B) of X split, (., p), and y split, (., B)."""
        p, b = apart.shape[1], y_apart.shape[1]
        i, j = np.triu_indices(p + 1)

        def cross(x, y):
            out = np.empty((p + 1, p + 1, b))
            out[:p, :p] = (x.T @ x)[..., None]
            out[:p, p], out[p, p] = x.T @ y, np.einsum("nb,nb->b", y, y)
            return out[i, j]

        return cross(apart, y_apart), np.stack([cross(means[s], y_means[s]) for s in self.blocks])


def _require_variances(people, Q):
    n, q, p = len(Q), len(people.rows), Q.shape[1]
    rank = np.linalg.matrix_rank(people.split(Q)[1], tol=1e-7)
    if rank >= n - q:
        raise ValueError("X leaves no degree of freedom within participants: the residual "
                         "variance cannot be estimated")
    if p - rank >= q:
        raise ValueError("X explains every difference between participants: their variance "
                         "cannot be estimated")


def _fits(people, moments, size, back, shape, reml, grid):
    """Fits of ``size`` problems, chunk by chunk; ``moments(slice)`` gives a chunk's."""
    if not size:
        raise ValueError("the batch is empty")
    step = min(CHUNK, max(1, PEOPLE // len(people.rows)))
    parts = [_chunk(people, *moments(slice(at, at + step)), back, reml, grid)
             for at in range(0, size, step)]
    arrays = [np.concatenate(x) for x in zip(*parts, strict=True)]
    return RandomIntercept(*(x.reshape((*shape, *x.shape[1:])) for x in arrays))


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # of what does not converge
def _chunk(people, within, between, start, length, back, reml, grid):
    p, size = len(back), within.shape[-1]
    i, j = np.triu_indices(p + 1)
    whole = within + between.sum(0)
    scale = whole[i == j]
    pivots = eliminate(whole)[0]
    sound = ((pivots[:-1] > SINGULAR * scale[:-1]) & (scale[:-1] > 0)).all(0)
    sound &= scale[-1] > EXACT * length
    # in place of a bad problem one that disturbs nobody
    within = np.where(sound, within, (i == j).astype(float)[:, None])
    between = np.where(sound, between, 0.0)
    profile = Profile(within, between, people.sizes * 1.0,
                      np.tile(people.counts[:, None] * 1.0, size), reml)
    t, converged = profile.minimise(grid)
    ratio, gamma, inverse, r2, logdet = profile.solution(t)
    s2 = r2 / profile.df
    criterion = profile.df * (1 + np.log(2 * np.pi * s2)) + logdet
    converged &= sound & np.isfinite(criterion)
    if reml:
        criterion -= 2 * np.linalg.slogdet(back)[1]
    beta = (gamma.T + start) @ back.T
    cov = back @ (np.moveaxis(inverse, 2, 0) * s2[:, None, None]) @ back.T
    arrays = [beta, cov, ratio * s2, s2, ratio, criterion]
    for array in arrays:
        array[~converged] = np.nan
    return *arrays, converged, (ratio == 0) & converged
