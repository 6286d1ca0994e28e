"""The mixed model of one outcome: from a Trial to its rows, design matrix and contrasts.

Group x categorical Time with the reference visit as baseline and the declared covariates;
every observed row is used. `mair.sections.analysis` fits it.
"""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from mair.stats.columns import coordinates, dependent_columns
from mair.trial import Trial, remembered


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
    visits : ndarray of int, shape (n_rows,)
        Visit of each row, numbered from 0 in the variable's order.
    dropped : dict of str to ndarray, shape (p,)
        Columns left out, as combinations of those of ``X``.
    treated : ndarray, shape (n_rows,)
        1 on rows of the treatment arm, else 0.
    """

    rows: pd.DataFrame
    columns: dict[str, np.ndarray]
    X: np.ndarray
    names: tuple[str, ...]
    groups: np.ndarray
    contrasts: dict[str, np.ndarray]
    covariates: dict[str, int]
    visits: np.ndarray
    dropped: dict[str, np.ndarray]
    treated: np.ndarray

    def weights(self, wanted: dict[str, float]) -> np.ndarray | None:
        """Weights (p,) on ``X`` of a combination of all columns; None if it is not estimable.

        It is estimable where a column left out has the weight that the columns that make it up
        give it.
        """
        own = np.array([wanted.get(name, 0.0) for name in self.names])
        for label, made in self.dropped.items():
            given, weight = made * own, wanted.get(label, 0.0)
            if abs(given.sum() - weight) > 1e-7 * (np.abs(given).sum() + abs(weight)):
                return None
        return own

    @property
    def redundant(self) -> list[str]:
        """Covariates left out that vary: others say the same."""
        return [name.removeprefix("covariate ") for name in self.dropped
                if name.startswith("covariate ") and np.ptp(self.columns[name]) > 0]

    @property
    def size(self) -> tuple[int, int]:
        """People and rows."""
        return len(np.unique(self.groups)), len(self.rows)

    @property
    def y(self) -> np.ndarray:
        """Observations on the model's scale, shape (n_rows,)."""
        return self.rows["y"].to_numpy(float)


def observations(trial: Trial, name: str) -> pd.DataFrame:
    """The rows a model of ``name`` uses: observed scores of people with every covariate.

    Returns
    -------
    DataFrame
        ``participant``, ``arm``, ``time``, ``y``, by participant, then visit; ``y`` is
        ln(score) under ``transform: log``.
    """
    scores = scaled(trial, name)[complete_covariates(trial)]
    rows = scores.stack().dropna().reset_index().set_axis(["participant", "time", "y"], axis=1)
    rows.insert(1, "arm", rows["participant"].map(trial.arm))
    return rows.astype({"time": str})


def scaled(trial: Trial, name: str) -> pd.DataFrame:
    """Scores by participant and visit on the model's scale: ln(score) under ``transform: log``."""
    scores = trial.scores(name).astype(float)
    return np.log(scores) if trial.variable(name).transform == "log" else scores


def complete_covariates(trial: Trial) -> pd.Series:
    """Which participants have every covariate (bool, by participant)."""
    known = {covariate.name: covariate.values.notna() for covariate in trial.covariates}
    return pd.DataFrame(known, trial.arm.index).all(axis=1)


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


@remembered
def build(trial: Trial, name: str, clda: bool = False) -> Design:
    """The design of the Group x Time model of ``name``.

    With ``clda`` (a common baseline) the arms share their mean at the reference visit: there is
    no column for the arm, and a contrast is the difference between arms at that visit.
    Columns that depend on earlier ones (a visit without data in an arm, a constant
    covariate) are left out, as R does; contrasts that need them are then absent.
    """
    rows = observations(trial, name)
    treated = (rows["arm"] == trial.treatment).to_numpy(float)
    labels = trial.variable(name).visits
    later = labels[1:]
    columns = {"intercept": np.ones(len(rows))} | ({} if clda else {"arm": treated})
    at = {visit: (rows["time"] == visit).to_numpy(float) for visit in later}
    columns |= {f"time {visit}": here for visit, here in at.items()}
    columns |= {f"arm x {visit}": treated * here for visit, here in at.items()}
    covariates = _covariate_columns(trial, rows["participant"])
    columns |= {f"covariate {label}": column for label, column in covariates.items()}
    names, whole = list(columns), np.column_stack(list(columns.values()))
    dropped = dependent_columns(whole)
    kept = tuple(name for i, name in enumerate(names) if i not in dropped)
    X = np.delete(whole, dropped, axis=1)
    design = Design(
        rows=rows, columns=columns, X=X, names=kept,
        groups=pd.factorize(rows["participant"])[0], contrasts={},
        covariates={label: kept.index(f"covariate {label}") for label in covariates
                    if f"covariate {label}" in kept},
        visits=rows["time"].map({v: i for i, v in enumerate(labels)}).to_numpy(int),
        dropped={names[i]: coordinates(whole[:, i], X) for i in dropped}, treated=treated,
    )
    weights = {visit: design.weights({f"arm x {visit}": 1.0}) for visit in later}
    return replace(design, contrasts={v: w for v, w in weights.items() if w is not None})


def wide(trial: Trial, name: str) -> pd.DataFrame:
    """One row a participant with every covariate: a column a visit on the model's scale
    (nan where missing), ``arm`` (1 treatment, 0 control) and ``covariate ...`` columns."""
    scores = scaled(trial, name)[complete_covariates(trial)]
    columns = _covariate_columns(trial, pd.Series(scores.index))
    return scores.assign(arm=(trial.arm[scores.index] == trial.treatment).astype(float),
                         **{f"covariate {label}": column for label, column in columns.items()})


def held(design: Design, visits, rows=slice(None)) -> tuple[np.ndarray, np.ndarray]:
    """What every allocation of a design's `rows` shares: its columns, and those that go by arm.

    Returns
    -------
    ndarray, ndarray
        Intercept, `visits` and covariates; the first two alone.
    """
    by_arm = np.column_stack([np.ones(len(design.y))[rows],
                              *(design.columns[f"time {visit}"][rows] for visit in visits)])
    return np.column_stack([by_arm, *(design.columns[name][rows] for name in design.names
                                      if name.startswith("covariate "))]), by_arm


def strata(trial: Trial, people) -> np.ndarray | None:
    """The stratum of each of some people, numbered; None where the trial file names none."""
    own = trial.series("strata")
    return None if own is None else pd.factorize(own[people])[0]


def marginal_means(design: Design, trial: Trial, name: str) -> dict[tuple[str, str], np.ndarray]:
    """Weights of the estimated marginal means, by (arm, visit).

    Covariates stand at the mean over the model's rows, levels weighted equally, as R's
    emmeans does; on the model's scale.

    Returns
    -------
    dict
        (arm or "difference", visit) to an array of shape (p,); means that cannot be
        estimated are absent.
    """
    base = {"intercept": 1.0}
    for covariate in trial.covariates:
        label = f"covariate {covariate.name}"
        own = [name for name in design.columns if name == label or name.startswith(f"{label}: ")]
        for column in own:
            base[column] = (float(design.columns[column].mean())
                            if covariate.kind == "continuous" else 1 / (len(own) + 1))
    wanted = {}
    for visit in trial.variable(name).visits:
        here = {f"time {visit}": 1.0}  # of the reference visit there is no such column
        gap = {one: 1.0 for one in ("arm", f"arm x {visit}") if one in design.columns}
        wanted[trial.control, visit] = base | here
        wanted[trial.treatment, visit] = base | here | gap
        if gap:  # under a common baseline the arms do not differ there
            wanted["difference", visit] = gap
    weights = {key: design.weights(row) for key, row in wanted.items()}
    return {key: row for key, row in weights.items() if row is not None}
