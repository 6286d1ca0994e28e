"""The mixed model of one outcome: from a Trial to design matrix, fit and contrasts.

Group x categorical Time with the reference visit as baseline, a random intercept
a participant, and the declared covariates; every observed row is used.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import ndtri

from mair.stats import mixed
from mair.trial import Trial


@dataclass(frozen=True)
class Design:
    """Rows and columns of a mixed model.

    Attributes
    ----------
    rows : DataFrame
        One row an observation: ``participant``, ``arm``, ``time``, ``y`` (model scale).
    columns : dict of str to ndarray, shape (n_rows,)
        Every column of the model, those that depend on others included.
    X : ndarray, shape (n_rows, p)
        Estimable columns only, in the order intercept, arm, visits, arm x visits, covariates.
    names : tuple of str
        Of the columns of ``X``.
    groups : ndarray of int, shape (n_rows,)
        Participant of each row, numbered from 0.
    contrasts : dict of str to ndarray, shape (p,)
        Group x Time of each later visit; a visit whose contrast cannot be estimated is absent.
    covariates : dict of str to int
        Column of each covariate's coefficient.
    """

    rows: pd.DataFrame
    columns: dict[str, np.ndarray]
    X: np.ndarray
    names: tuple[str, ...]
    groups: np.ndarray
    contrasts: dict[str, np.ndarray]
    covariates: dict[str, int]


class Contrast(NamedTuple):
    """An estimate with its standard error, z, p and limits."""

    b: float
    se: float
    z: float
    p: float
    low: float
    high: float


@dataclass(frozen=True)
class Fit:
    """A fitted model: the engine's result with the design it belongs to.

    ``method`` names what was fitted, as in ``results.csv``.
    """

    design: Design
    result: mixed.RandomIntercept
    method: str


def observations(trial: Trial, name: str) -> pd.DataFrame:
    """The rows a model of ``name`` uses: observed scores of people with every covariate.

    Returns
    -------
    DataFrame
        ``participant``, ``arm``, ``time``, ``y``, by participant, then visit; ``y`` is
        ln(score) under ``transform: log``.
    """
    variable = trial.variable(name)
    scores = trial.scores(name)
    keep = complete_covariates(trial)
    rows = scores[keep].stack().dropna().rename("y").reset_index()
    rows.columns = ["participant", "time", "y"]
    rows["time"] = rows["time"].astype(str)
    rows.insert(1, "arm", rows["participant"].map(trial.arm))
    if variable.transform == "log":
        rows["y"] = np.log(rows["y"].to_numpy(float))
    return rows


def complete_covariates(trial: Trial) -> pd.Series:
    """Which participants have every covariate (bool, by participant)."""
    keep = pd.Series(True, index=trial.arm.index)
    for covariate in trial.covariates:
        keep &= covariate.values.notna()
    return keep


def _covariate_columns(trial: Trial, participants: pd.Series) -> dict[str, np.ndarray]:
    """Covariate columns, numbers as they are, levels against the first one."""
    columns = {}
    for covariate in trial.covariates:
        values = covariate.values.reindex(participants)
        if covariate.kind == "continuous":
            columns[covariate.name] = values.to_numpy(float)
            continue
        present = [level for level in covariate.levels if (values == level).any()]
        for level in present[1:]:
            label = covariate.name if len(present) == 2 else f"{covariate.name}: {level}"
            columns[label] = (values == level).to_numpy(float)
    return columns


def build(trial: Trial, name: str) -> Design:
    """The design of the Group x Time model of ``name``.

    Columns that depend on earlier ones (a visit without data in an arm, a constant
    covariate) are left out, as R does; contrasts that need them are then absent.
    """
    rows = observations(trial, name)
    treated = (rows["arm"] == trial.treatment).to_numpy(float)
    later = [visit for visit in trial.variable(name).visits if visit != trial.reference]
    columns = {"intercept": np.ones(len(rows)), "arm": treated}
    for visit in later:
        columns[f"time {visit}"] = (rows["time"] == visit).to_numpy(float)
    for visit in later:
        columns[f"arm x {visit}"] = treated * columns[f"time {visit}"]
    covariates = _covariate_columns(trial, rows["participant"])
    columns.update({f"covariate {label}": column for label, column in covariates.items()})
    kept = _independent(columns)
    position = {label: i for i, label in enumerate(kept)}
    combined = {visit: combination(columns, kept, {f"arm x {visit}": 1.0}) for visit in later}
    return Design(
        rows=rows,
        columns=columns,
        X=np.column_stack([columns[label] for label in kept]),
        names=tuple(kept),
        groups=pd.factorize(rows["participant"])[0],
        contrasts={visit: row for visit, row in combined.items() if row is not None},
        covariates={
            label: position[f"covariate {label}"]
            for label in covariates
            if f"covariate {label}" in position
        },
    )


def combination(columns: dict, kept: list[str], weights: dict[str, float]) -> np.ndarray | None:
    """Weights on the kept columns of a combination of all; None where it is not estimable.

    A combination is estimable when it lies in the row space of the full design; the columns
    left out then count as zero, as in R.
    """
    names = list(columns)
    size = np.array([np.sqrt(column @ column) or 1.0 for column in columns.values()])
    rows = np.column_stack(list(columns.values())) / size
    wanted = np.array([weights.get(name, 0.0) for name in names]) / size
    _, values, basis = np.linalg.svd(rows, full_matrices=False)
    basis = basis[values > 1e-9 * values[0]]
    if np.abs(wanted - basis.T @ (basis @ wanted)).max() > 1e-7 * np.abs(wanted).max():
        return None
    return np.array([weights.get(name, 0.0) for name in kept])


def _independent(columns: dict[str, np.ndarray]) -> list[str]:
    """Names of the columns that add to those before them."""
    kept: list[str] = []
    basis: list[np.ndarray] = []
    for label, column in columns.items():
        rest = column.astype(float)
        for _ in range(2):  # twice is enough for orthogonality
            for direction in basis:
                rest = rest - direction * (direction @ rest)
        size = float(np.sqrt(rest @ rest))
        if size > 1e-9 * max(1.0, float(np.sqrt(column @ column))):
            kept.append(label)
            basis.append(rest / size)
    return kept


def fit(trial: Trial, name: str, *, reml: bool = True) -> Fit:
    """Fit the random-intercept model of ``name`` by REML (or ML).

    Parameters
    ----------
    trial : Trial
    name : str
        An outcome or a biomarker.
    reml : bool
        False for maximum likelihood, which adds ``/ml`` to the method.

    Returns
    -------
    Fit
    """
    design = build(trial, name)
    result = mixed.random_intercept(
        design.rows["y"].to_numpy(float), design.X, design.groups, reml=reml
    )
    method = f"{trial.analysis.covariance}/{trial.analysis.inference}" + ("" if reml else "/ml")
    return Fit(design, result, method)


def contrast(fitted: Fit, weights: np.ndarray, confidence: float) -> Contrast:
    """A linear combination of the coefficients, with its interval.

    Parameters
    ----------
    fitted : Fit
    weights : ndarray, shape (p,)
    confidence : float

    Returns
    -------
    Contrast
        Wald, on the model's scale.
    """
    found = mixed.contrast(fitted.result, weights)
    half = float(ndtri((1 + confidence) / 2)) * float(found.se)
    b = float(found.estimate)
    return Contrast(b, float(found.se), float(found.z), float(found.p), b - half, b + half)


def residuals(fitted: Fit) -> mixed.Residuals:
    """Fitted values and residuals of a model, row by row of its design."""
    design = fitted.design
    return mixed.residuals(fitted.result, design.rows["y"].to_numpy(float), design.X,
                           design.groups)


def marginal_means(fitted: Fit, trial: Trial, name: str) -> dict[tuple[str, str], np.ndarray]:
    """Weights of the estimated marginal means, by (arm, visit).

    Covariates stand at the mean over the model's rows, levels weighted equally, as R's
    emmeans does; on the model's scale.

    Returns
    -------
    dict
        (arm or "difference", visit) to an array of shape (p,); means that cannot be
        estimated are absent.
    """
    design = fitted.design
    base = {"intercept": 1.0}
    for covariate in trial.covariates:
        label = f"covariate {covariate.name}"
        own = [name for name in design.columns if name == label or name.startswith(f"{label}: ")]
        for column in own:
            base[column] = (
                float(design.columns[column].mean())
                if covariate.kind == "continuous"
                else 1 / (len(own) + 1)
            )
    wanted = {}
    for visit in trial.variable(name).visits:
        here = {} if visit == trial.reference else {f"time {visit}": 1.0}
        gap = {"arm": 1.0} | ({} if visit == trial.reference else {f"arm x {visit}": 1.0})
        wanted[trial.control, visit] = base | here
        wanted[trial.treatment, visit] = base | here | gap
        wanted["difference", visit] = gap
    weights = {key: combination(design.columns, list(design.names), row)
               for key, row in wanted.items()}
    return {key: row for key, row in weights.items() if row is not None}
