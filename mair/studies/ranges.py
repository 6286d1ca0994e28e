"""Ranges of unprinted statistics over many cohorts, for `mair.published.identified`."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import yaml

from mair.published.identified import KEYS
from mair.sections import analysis as estimates
from mair.sections import nnt, robustness
from mair.trial import Trial, load

DECIMALS = {"p": 3, "b": 2, "se": 2, "df": 1, "ci_low": 2, "ci_high": 2, "excludes_zero": 0,
            "arr": 1, "nnt_ci_low": 1, "nnt_ci_high": 1}  # fmt: skip


def headline(trial: Trial) -> dict[tuple, float]:
    """Statistics that a paper with z and observed rows leaves unprinted.

    Returns
    -------
    dict
        (analysis, variable, time, method, statistic) to value: every contrast under
        Kenward-Roger, the robustness grid of the primary outcome without what is drawn by
        allocation, and the responders' differences.
    """
    found: dict[tuple, float] = {}
    for name in (*trial.outcomes, *trial.biomarkers):
        section = trial.variable(name).section
        for covariance in ("random-intercept", "unstructured"):
            one = estimates.analyse(trial, name, covariance=covariance,
                                    inference="kenward-roger", missing="observed")
            for visit, c in one.contrasts.items():
                values = {"b": c.b, "se": c.se, "df": c.df, "p": c.p,
                          "excludes_zero": float(not c.low <= 0 <= c.high)}
                found |= {(section, name, visit, one.method, s): v for s, v in values.items()}
    frame = robustness.rows(trial, quick=True)
    frame = frame[robustness.is_contrast(frame)]
    wide = frame.pivot(index=["time", "method"], columns="statistic", values="value").astype(float)
    wide["excludes_zero"] = ((wide["ci_low"] > 0) | (wide["ci_high"] < 0)).astype(float)
    for (time, method), row in wide.iterrows():
        found |= {("robustness", trial.primary.name, time, method, s): float(row[s])
                  for s in ("b", "p", "ci_low", "ci_high", "excludes_zero")}
    if trial.sections.get("responders"):
        own = nnt.rows(trial)
        own = own[(own["arm"] == "difference")
                  & own["statistic"].isin(["arr", "nnt_ci_low", "nnt_ci_high"])]
        found |= {("nnt", r.variable, r.time, r.method, r.statistic): float(r.value)
                  for r in own.dropna(subset=["value"]).itertuples()}
    return found


def _of_file(data: Path, trial: str) -> dict[tuple, float]:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "cohort.yaml"
        said = {"extends": trial, "data": str(data.resolve())}
        path.write_text(yaml.safe_dump(said), encoding="utf-8")
        return headline(load(path))


def ranges(trial: str | Path, files: list[Path], *, processes: int = 2) -> pd.DataFrame:
    """Lowest and highest value of every headline statistic over cohorts.

    Parameters
    ----------
    trial : path
        The trial file whose data the cohorts replace.
    files : list of Path
    processes : int

    Returns
    -------
    DataFrame
        `KEYS`, ``low``, ``high``, ``cohorts`` (those that give the statistic), ``identified``
        (1 where all print alike).
    """
    work = partial(_of_file, trial=str(Path(trial).resolve()))
    if processes == 1:
        found = [work(file) for file in files]
    else:
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            found = list(pool.map(work, files, chunksize=4))
    rows = []
    for key in dict.fromkeys(key for one in found for key in one):
        values = [one[key] for one in found if key in one and one[key] == one[key]]
        if values:
            printed = {f"{value:.{DECIMALS[key[-1]]}f}" for value in values}
            alike = len(printed) == 1 and len(values) == len(files)
            rows.append((*key, min(values), max(values), len(values), int(alike)))
    return pd.DataFrame(rows, columns=[*KEYS, "low", "high", "cohorts", "identified"])
