"""The stored data and R results of tests/oracles/smallsample.R, and designs for them."""

import json
from pathlib import Path

import numpy as np
import pandas as pd

ORACLES = Path(__file__).parent / "oracles"
SETS = json.loads((ORACLES / "smallsample.json").read_text())["sets"]
DATA = pd.read_csv(ORACLES / "smallsample_data.csv")
FULL = ("fiq", "hads_a", "beat", "pairs", "dropout", "near_zero", "zero", "negative")


def design(visit, arm, covariates=()):
    """Intercept, arm, later visits, covariates, arm x later visits (R's column order)."""
    visit, arm = np.asarray(visit), np.asarray(arm, float)
    later = (visit[:, None] == np.unique(visit)[None, 1:]).astype(float)
    return np.column_stack([np.ones(len(arm)), arm, later, *covariates, later * arm[:, None]])


def data(name):
    """y, X, participants, visits of a stored set, columns as in the oracle."""
    if name == "fiq_clda":
        d = DATA[DATA.set == "fiq"]
        X = np.delete(design(d.visit, d.arm, [d.x]), 1, axis=1)
        return d.y.to_numpy(), X[:, [0, 1, 2, 4, 5, 3]], d.id.to_numpy(), d.visit.to_numpy()
    d = DATA[DATA.set == name.removesuffix("_later")]
    covariates = [d.x] + ([d.x2] if d.x2.notna().all() else [])
    if name == "beat_later":
        first = d[d.visit == 1].set_index("id").y
        d = d[d.visit > 1]
        plain = design(d.visit, d.arm, [d.x, d.x2])
        X = np.insert(plain, 1, d.id.map(first), axis=1)
    else:
        X = design(d.visit, d.arm, covariates)
    return d.y.to_numpy(), X, d.id.to_numpy(), d.visit.to_numpy()


def simulated(seed, n=30, k=4, missing=0.3, correlation=None):
    """y, X, participants, visits of a two-arm trial with non-monotone gaps."""
    rng = np.random.default_rng(seed)
    arm = rng.permutation(np.arange(n) % 2)
    scores = 20 + rng.normal(size=(n, k)) @ rng.normal(size=(k, k)) + rng.normal(size=(n, k))
    if correlation is not None:
        scores = rng.normal(size=(n, k))
        scores -= correlation * scores.mean(1, keepdims=True)
    seen = rng.random((n, k)) >= missing
    who, when = np.nonzero(seen)
    return scores[seen], design(when, arm[who]), who, when


def dense(y, X, who, when, arms=None):
    """Second implementation: N x N matrices. Functions of theta: V, -2 log REML, Phi.

    With ``arms`` the first half of theta is the control's.
    """
    same = who[:, None] == who[None]
    seen, at = np.unique(when, return_inverse=True)
    k = len(seen)

    def V(theta):
        if arms is not None:
            control, treatment = (one_sigma(half) for half in np.split(theta, 2))
            return np.where(arms[:, None] & arms, treatment, control)
        return one_sigma(theta)

    def one_sigma(theta):
        if len(theta) == 2:
            sigma = theta[0] + theta[1] * np.eye(k)
        else:
            sigma = np.zeros((k, k))
            sigma[np.triu_indices(k)] = theta
            sigma = sigma + np.triu(sigma, 1).T
        return np.where(same, sigma[at[:, None], at[None]], 0.0)

    def phi(theta):
        return np.linalg.inv(X.T @ np.linalg.solve(V(theta), X))

    def criterion(theta):
        v = V(theta)
        if np.linalg.eigvalsh(v)[0] <= 0:
            return np.inf
        logdet = np.linalg.slogdet(v)[1]
        w = np.linalg.inv(v)
        information = X.T @ w @ X
        r = y - X @ np.linalg.solve(information, X.T @ w @ y)
        return (logdet + np.linalg.slogdet(information)[1] + r @ w @ r
                + (len(y) - X.shape[1]) * np.log(2 * np.pi))

    return V, criterion, phi


def first(f, x, h):
    """Derivatives of f along each element of x, error of order h^4."""
    def along(step):
        return (8 * (f(x + step) - f(x - step)) - (f(x + 2 * step) - f(x - 2 * step))) / 12
    return np.array([along(h * e) / h for e in np.eye(len(x))])


def second(f, x, h):
    """Second derivatives of f at x, one Richardson step over central differences."""
    q = len(x)

    def at(h):
        out = np.empty((q, q), object)
        for i in range(q):
            for j in range(i + 1):
                a, b = h * np.eye(q)[i], h * np.eye(q)[j]
                out[i, j] = out[j, i] = (f(x + a + b) - f(x + a - b) - f(x - a + b)
                                         + f(x - a - b)) / (4 * h * h)
        return np.array([[np.asarray(v, float) for v in row] for row in out])

    return (4 * at(h / 2) - at(h)) / 3
