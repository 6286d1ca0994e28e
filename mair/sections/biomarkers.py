"""Biomarkers: as the outcomes, with geometric means and ratios where the transform is log."""

from __future__ import annotations

import pandas as pd

from mair.report import fmt
from mair.report.tables import Table
from mair.results import Lookup
from mair.sections import measures, outcomes
from mair.sections.analysis import Estimate
from mair.trial import Trial


def rows(trial: Trial, fitted: dict[str, Estimate] | None = None) -> pd.DataFrame:
    """Every statistic of the analysis ``biomarkers``, with its ``emm`` and ``normality``.

    Parameters
    ----------
    trial : Trial
    fitted : dict of Estimate, optional
        ``measures.fits(trial, "biomarkers")``, where the caller has them.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``.
    """
    return measures.rows(trial, "biomarkers", fitted)


def logged(trial: Trial) -> list[str]:
    """The biomarkers analysed on the ln scale."""
    return [name for name, v in trial.biomarkers.items() if v.transform == "log"]


def ratio_table(trial: Trial, frame: pd.DataFrame) -> Table | None:
    """Geometric means, CV and the ratio of geometric means; None where nothing is logged."""
    n = Lookup(frame)
    display, data = [], []
    for name in logged(trial):
        for visit in trial.variable(name).visits:
            row, numbers = {"Biomarker": name, "Visit": visit}, {"variable": name, "time": visit}
            for arm in trial.arms:
                cell = {s: n("biomarkers", name, arm, visit, "described", statistic=s)
                        for s in ("n", "gm", "cv")}
                row[f"{arm}, geometric mean (CV)"] = (
                    f"{fmt.number(cell['gm'])} ({fmt.number(cell['cv'], 0)}%), n = {cell['n']:g}")
                numbers |= {f"{arm}_{s}": v for s, v in cell.items()}
            row[f"Ratio of change ({outcomes.ci(trial)})"] = ""
            if visit != trial.reference:
                how = outcomes.method(frame, "biomarkers", name)
                ratio = {s: n("biomarkers", name, "difference", visit, how, statistic=s)
                         for s in ("gmr", "gmr_low", "gmr_high")}
                row[f"Ratio of change ({outcomes.ci(trial)})"] = fmt.estimate(*ratio.values())
                numbers |= ratio
            display.append(row)
            data.append(numbers)
    if not display:
        return None
    return Table(
        "biomarkers_ratios", "Biomarkers on the ln scale, as ratios", pd.DataFrame(display),
        pd.DataFrame(data),
        notes=(f"A ratio of 1 means that {trial.treatment} and {trial.control} changed by the same "
               "factor.",),
        synthetic=trial.synthetic)


def normality_table(trial: Trial, frame: pd.DataFrame, section: str = "biomarkers") -> Table:
    """Lilliefors and Shapiro-Wilk over both arms, on scores, ln scores and residuals."""
    names = list(measures.variables(trial, section))
    own = frame[(frame["analysis"] == "normality") & (frame["arm"] == "overall")]
    n = Lookup(own)
    keys = own[["variable", "time"]].drop_duplicates()
    keys = keys[keys["variable"].str.split(": ").str[0].isin(names)]
    display, data = [], []
    for variable, visit in keys.itertuples(index=False):
        cell = {f"{m}_{s}": n("normality", variable, "overall", visit, m, statistic=s)
                for m in ("lilliefors", "shapiro-wilk") for s in ("n", "statistic", "p")}
        display.append({
            "Values": variable, "Visit": visit or "all", "n": f"{cell['lilliefors_n']:g}",
            "Lilliefors p": fmt.p_value(cell["lilliefors_p"]),
            "Shapiro-Wilk p": fmt.p_value(cell["shapiro-wilk_p"])})
        data.append({"variable": variable, "time": visit, **cell})
    return Table(
        f"{section}_normality", f"{section.capitalize()}: normality of scores and residuals",
        pd.DataFrame(display), pd.DataFrame(data),
        notes=("Lilliefors: Kolmogorov-Smirnov with mean and SD estimated.",),
        synthetic=trial.synthetic)


def censored_sentence(trial: Trial) -> str:
    """How many values stood below a detection limit, in one sentence (or none)."""
    counts = {name: int(frame.to_numpy().sum()) for name, frame in trial.censored.items()}
    counts = {name: k for name, k in counts.items() if k}
    if not counts:
        return ""
    listed = ", ".join(f"{name} {k}" for name, k in counts.items())
    return (f"Values below the detection limit, replaced by limit/sqrt(2): {listed}.")


def people(trial: Trial) -> pd.DataFrame:
    """Every measured value: ``participant``, ``arm``, ``visit``, ``value``, ``biomarker``."""
    return pd.concat([outcomes.people_frame(trial, name).assign(biomarker=name)
                      for name in trial.biomarkers], ignore_index=True)


def centres(trial: Trial, frame: pd.DataFrame) -> pd.DataFrame:
    """Model means with intervals, back on the measured scale, by biomarker."""
    return pd.concat([
        outcomes.means_frame(trial, frame, name).rename(columns={"mean": "value"}).assign(
            biomarker=name) for name in trial.biomarkers], ignore_index=True)


def axis_labels(trial: Trial) -> dict[str, str]:
    """What each biomarker's axis says."""
    return outcomes.axis_labels(trial, "biomarkers")


def alt(trial: Trial) -> str:
    """The before-after panels in words."""
    return (f"{', '.join(trial.biomarkers)} by visit and arm: one thin line a participant, thick "
            f"lines the model's means (geometric means where analysed as logarithms) with "
            f"{outcomes.ci(trial)}.")
