"""Identified or not: unprinted statistics over many cohorts that agree with the same paper.

A statistic that every such cohort gives alike, to the decimals it would be printed with, is
identified by the printed numbers. Any other belongs to the generator, and has a range.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
import yaml

from mair.report import fmt
from mair.report.tables import Table
from mair.sections import analysis as estimates
from mair.sections import nnt, robustness
from mair.trial import Trial, load

DECIMALS = {"p": 3, "b": 2, "se": 2, "df": 1, "ci_low": 2, "ci_high": 2, "excludes_zero": 0,
            "arr": 1, "nnt_ci_low": 1, "nnt_ci_high": 1}  # fmt: skip
KEYS = ["analysis", "variable", "time", "method", "statistic"]
FILE = "cohort_ranges.csv"


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


def stored(trial: Trial) -> pd.DataFrame | None:
    """The ranges kept beside a synthetic trial's data, if there are any."""
    path = trial.data_path.with_name(FILE) if trial.has_data else None
    if not trial.synthetic or path is None or not path.is_file():
        return None
    return pd.read_csv(path, dtype=dict.fromkeys(KEYS, str), keep_default_na=False)


def table(trial: Trial, found: pd.DataFrame) -> Table:
    """Small-sample contrasts that the paper does not print: identified, or their range."""
    own = found[found["analysis"].isin(["outcomes", "biomarkers"])
                & found["statistic"].isin(["p", "df", "se"])]
    display = []
    for (name, time, method), part in own.groupby(["variable", "time", "method"], sort=False):
        cell = {r.statistic: r for r in part.itertuples()}
        display.append({"Variable": name, "Visit": time, "Method": method,
                        **{s: _range(cell[s]) for s in ("se", "df", "p") if s in cell}})
    return Table(
        "identified", "What the printed numbers identify", pd.DataFrame(display).fillna(""), found,
        notes=(f"Over {int(found['cohorts'].max())} cohorts that agree with the printed numbers: "
               "one value where all print alike, else the range, which belongs to the generator "
               "and not to the patients.",),
        synthetic=trial.synthetic)


def _range(row) -> str:
    digits = DECIMALS[row.statistic]
    if row.identified:
        return f"{fmt.number(row.low, digits)} identified"
    return fmt.interval(row.low, row.high, digits)


def over_cohorts(found: pd.DataFrame | None, variable: str, visit: str) -> dict[str, tuple]:
    """(lowest b, highest b, share-free verdict) of each robustness method at a visit.

    The verdict is ``1.0`` where every cohort's interval excludes 0, ``0.0`` where every one
    holds it, nan where they differ.
    """
    if found is None:
        return {}
    own = found[(found["analysis"] == "robustness") & (found["variable"] == variable)
                & (found["time"] == visit)]
    cells = {(r.method, r.statistic): r for r in own.itertuples()}
    out = {}
    for method in own["method"].unique():
        b, verdict = cells[method, "b"], cells[method, "excludes_zero"]
        out[method] = (b.low, b.high, verdict.low if verdict.low == verdict.high else float("nan"))
    return out


def sentence(found: pd.DataFrame | None) -> str:
    """How many headline statistics are identified, in one sentence (or none)."""
    if found is None:
        return ""
    n = int(found["identified"].sum())
    return (f"Over {int(found['cohorts'].max())} cohorts that all agree with the printed numbers, "
            f"{n} of {len(found)} unprinted statistics are identified; the others have a range.")
