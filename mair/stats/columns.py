"""Columns of a design: which depend on others, by one rule, and an orthonormal basis of them.

Columns are judged centred (where the design has a constant column) and scaled, so that a
covariate in units of 1e-10, or of mean 1e8 and SD 1, counts like any other.
"""

import numpy as np

DEPENDENT = 1e-8  # share of a centred column's norm that the columns before it must leave
CONSTANT = 1e-12  # share of a column's norm below which its deviations are rounding


def checked(y, X, *labels):
    """Responses y (..., N) and a design X (N, p) as floats; ``labels`` (N,) of their rows.

    Raises
    ------
    ValueError
        Shapes that do not fit, values that are not finite, no more rows than columns.
    """
    y, X = np.asarray(y, float), np.asarray(X, float)
    n = y.shape[-1] if y.ndim else 0
    if n < 1 or X.ndim != 2 or any(len(one) != n for one in (X, *labels)):
        shapes = ", ".join(str(np.shape(one)) for one in (y, X, *labels))
        raise ValueError(f"expected y (..., N), X (N, p) and labels (N,); got {shapes}")
    for name, values in (("y", y), ("X", X)):
        if not np.isfinite(values).all():
            raise ValueError(f"{name} holds a value that is not finite: pass observed rows only")
    if n <= X.shape[1]:
        raise ValueError(f"{n} rows cannot estimate {X.shape[1]} columns and a variance")
    return y, X


def centred(X):
    """X (N, p) less the column means but for the first constant column's, and T: X T is that.

    Without a constant column nothing is centred, and T is the identity.
    """
    X, T = np.asarray(X, float), np.eye(np.shape(X)[1])
    constant = np.flatnonzero((X[:1] == X).all(0) & (X[:1] != 0).any(0))
    if not len(constant):
        return X, T
    first = constant[0]
    mean = X.mean(0) / X[0, first]
    mean[first] = 0
    T[first] -= mean
    return X - X[:, [first]] * mean, T


def dependent_columns(X):
    """Indices of the columns of X (N, p) that the columns before them already span."""
    X = np.asarray(X, float)
    basis, out = [], []
    for j, column in enumerate(centred(X)[0].T):
        size = np.linalg.norm(column)
        if size <= CONSTANT * np.linalg.norm(X[:, j]):
            out.append(j)
            continue
        rest = column / size
        for _ in range(2):  # twice is enough for orthogonality
            for q in basis:
                rest = rest - q * (q @ rest)
        norm = np.linalg.norm(rest)
        if norm <= DEPENDENT:
            out.append(j)
        else:
            basis.append(rest / norm)
    return out


def orthonormal(X, first=None):
    """Centred columns C and two matrices: C A has orthonormal columns, X T A = C A.

    Parameters
    ----------
    X : array (N, p)
    first : array of bool (p,), optional
        Columns to be taken first: theirs alone make the first columns of C A.

    Returns
    -------
    C : ndarray (N, p)
    A, T : ndarray (p, p)

    Raises
    ------
    ValueError
        Dependent columns, by index.
    """
    C, T = centred(X)
    p = C.shape[1]
    order = np.arange(p) if first is None else np.argsort(~np.asarray(first), kind="stable")
    size = np.linalg.norm(C, axis=0)[order]
    sound = size > CONSTANT * np.linalg.norm(X, axis=0)[order]
    r = np.linalg.qr(C[:, order] / np.where(sound, size, 1.0), mode="r")
    full = len(C) >= p and (sound & (np.abs(np.diag(r)) > DEPENDENT)).all()
    if not full and (bad := dependent_columns(X)):
        raise ValueError(
            f"X is rank-deficient: column(s) {', '.join(map(str, bad))} (counted from 0) are "
            "linear combinations of the columns before; leave them out")
    A = np.zeros((p, p))
    A[order] = np.linalg.inv(r) / size[:, None]
    return C, A, T


def coordinates(column, X):
    """A column (N,) that X (N, p) of full rank spans, as a combination of its columns, (p,)."""
    C, A, T = orthonormal(X)
    found = T @ A @ ((C @ A).T @ column)
    size = np.linalg.norm(X, axis=0)
    found[np.abs(found) * size <= 1e-9 * np.linalg.norm(column)] = 0.0  # rounding
    return found


def distinct(table):
    """Distinct rows of a table (n, k) of 0 and 1, sorted, and which of them each row is, (n,)."""
    code = table @ 2.0 ** np.arange(table.shape[1])[::-1]
    _, first, which = np.unique(code, return_index=True, return_inverse=True)
    return table[first], which
