"""Ranges of unprinted statistics over many cohorts, for `mair.published.identified`."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import yaml

from mair.published.identified import KEYS
from mair.sections import analysis as estimates
from mair.sections import nnt, robustness
from mair.studies import pool
from mair.trial import Trial, load

DECIMALS = {"p": 3, "b": 2, "se": 2, "df": 1, "ci_low": 2, "ci_high": 2, "excludes_zero": 0,
            "arr": 1, "nnt_ci_low": 1, "nnt_ci_high": 1}  # fmt: skip


def headline(trial: Trial) -> pd.DataFrame:
    """Statistics that a paper with z and observed rows leaves unprinted.

    Returns
    -------
    DataFrame
        `KEYS` and ``value``, in order of: every contrast under Kenward-Roger, the robustness
        grid of the primary outcome without what is drawn by allocation, and the responders'
        differences. Statistics that are not estimable are left out.
    """
    found = []
    for name in (*trial.outcomes, *trial.biomarkers):
        for covariance in ("random-intercept", "unstructured"):
            one = estimates.analyse(trial, name, covariance=covariance, variance="common",
                                    inference="kenward-roger", missing="observed")
            found += [(trial.variable(name).section, name, visit, one.method, s, value)
                      for visit, c in one.contrasts.items()
                      for s, value in {"b": c.b, "se": c.se, "df": c.df, "p": c.p,
                                       "excludes_zero": float(not c.low <= 0 <= c.high)}.items()]
    grid = robustness.rows(trial, quick=True)
    wide = grid[robustness.is_contrast(grid)].pivot(
        index=["time", "method"], columns="statistic", values="value").astype(float)
    wide["excludes_zero"] = ((wide["ci_low"] > 0) | (wide["ci_high"] < 0)).astype(float)
    found += [("robustness", trial.primary.name, *key, s, row[s]) for key, row in wide.iterrows()
              for s in ("b", "p", "ci_low", "ci_high", "excludes_zero")]
    if trial.sections.get("responders"):
        own = nnt.rows(trial)
        own = own[(own["arm"] == "difference")
                  & own["statistic"].isin(["arr", "nnt_ci_low", "nnt_ci_high"])]
        found += own[[*KEYS, "value"]].itertuples(index=False)
    return pd.DataFrame(found, columns=[*KEYS, "value"]).astype({"value": float}).dropna()


def _of_file(trial: str, data: Path) -> pd.DataFrame:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cohort.yaml"
        said = {"extends": trial, "data": str(data.resolve())}
        path.write_text(yaml.safe_dump(said), encoding="utf-8")
        return headline(load(path))


def ranges(trial: str | Path, files: list[Path], *, processes: int = -1) -> pd.DataFrame:
    """Lowest and highest value of every headline statistic over cohorts.

    Parameters
    ----------
    trial : path
        The trial file whose data the cohorts replace.
    files : list of Path
    processes : int
        As for `mair.studies.pool.each`.

    Returns
    -------
    DataFrame
        `KEYS`, ``low``, ``high``, ``cohorts`` (those that give the statistic), ``identified``
        (1 where all print alike).
    """
    tasks = [(str(Path(trial).resolve()), file) for file in files]
    found = pd.concat(pool.each(_of_file, tasks, processes), ignore_index=True)
    found["printed"] = [f"{value:.{DECIMALS[s]}f}" for s, value in
                        zip(found["statistic"], found["value"], strict=True)]
    grouped = found.groupby(KEYS, sort=False)
    out = grouped["value"].agg(low="min", high="max", cohorts="count")
    alike = (grouped["printed"].nunique() == 1) & (out["cohorts"] == len(files))
    return out.assign(identified=alike.astype(int)).reset_index()
