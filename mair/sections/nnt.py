"""Responders, absolute risk reduction, risk ratio and number needed to treat."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mair.report import fmt
from mair.report.tables import Table
from mair.results import Lookup, Rows
from mair.sections import imputed as missing
from mair.stats import risk
from mair.trial import Trial

RULES = ("completers", "nonresponder", "worst-case", "best-case")
INTERVALS = ("wald", "newcombe", "miettinen-nurminen", "skewness-corrected")


def improvements(trial: Trial) -> pd.Series:
    """Relative improvement of each participant at the declared visit.

    Returns
    -------
    Series
        (baseline - score) / baseline, reversed where higher is better; nan where a score is
        missing or the baseline is zero.
    """
    declared = trial.sections["responders"]
    variable = trial.variable(declared["outcome"])
    scores = trial.scores(variable.name)
    return pd.Series(
        risk.improvement(scores[trial.reference].to_numpy(float),
                         scores[declared["visit"]].to_numpy(float), better=variable.better),
        index=scores.index,
    )


def zero_baselines(trial: Trial) -> list[str]:
    """Participants whose baseline is zero: no relative improvement can be computed."""
    declared = trial.sections["responders"]
    if "outcome" not in declared:
        return []
    scores = trial.scores(declared["outcome"])[trial.reference]
    return [str(who) for who in scores.index[scores == 0]]


def responses(trial: Trial) -> tuple[str, dict[str, pd.Series]]:
    """Who responded, by criterion: 1.0, 0.0, or nan where unknown.

    Returns
    -------
    str
        The visit, or empty where a yes/no column declares none.
    dict of str to Series
        ``"<outcome> >=20%"``, or the yes/no column's name.
    """
    declared = trial.sections["responders"]
    if declared.get("column"):
        return declared.get("visit") or "", {declared["column"]: trial.responder().astype(float)}
    gained = improvements(trial)
    found = {}
    for reduction in declared["reductions"]:
        met = pd.Series(risk.meets(gained.to_numpy(float), reduction), index=gained.index)
        found[f"{declared['outcome']} >={100 * reduction:g}%"] = met.astype(float).where(
            gained.notna())
    return str(declared["visit"]), found


def rows(trial: Trial) -> pd.DataFrame:
    """Every statistic of the analysis ``nnt``.

    Parameters
    ----------
    trial : Trial

    Returns
    -------
    DataFrame
        Columns of ``results.csv``; percents throughout.
    """
    out = Rows("nnt")
    visit, found = responses(trial)
    for name, response in found.items():
        for rule in RULES:
            counts = {arm: _counts(trial, response, arm, rule) for arm in trial.arms}
            for arm, (k, n) in counts.items():
                out.add(name, arm, visit, rule, n=n, responders=k,
                        percent=100 * k / n if n else None)
            if all(n for _, n in counts.values()):
                _differences(trial, name, visit, rule, counts, out)
    if has_curve(trial):
        for name, threshold in zip(found, trial.sections["responders"]["reductions"],
                                   strict=True):
            _imputed(trial, name, visit, threshold, out)
    return out.frame()


def _imputed(trial: Trial, name: str, visit: str, threshold: float, out: Rows) -> None:
    """Responders after multiple imputation under MAR: Wald limits by Rubin's rules."""
    found = missing.responders(trial, threshold)
    if found is None:
        return
    for arm, share, n in ((trial.control, found.control, found.n_control),
                          (trial.treatment, found.treatment, found.n_treatment)):
        out.add(name, arm, visit, "mi-mar", n=n, responders=share * n, percent=100 * share)
    low, high = map(float, found.difference.interval(trial.analysis.confidence))
    arr = risk.RiskDifference(float(found.difference.estimate), low, high)
    ratio = (None, None, None)
    if found.log_ratio is not None:
        limits = found.log_ratio.interval(trial.analysis.confidence)
        ratio = [float(np.exp(x)) for x in (found.log_ratio.estimate, *limits)]
    _add_difference(out, name, visit, "mi-mar/wald", found.n_control + found.n_treatment, arr,
                    ratio)


def _counts(trial: Trial, response: pd.Series, arm: str, rule: str) -> tuple[int, int]:
    """Responders and denominator of an arm under a missing-data rule."""
    own = response[trial.arm == arm]
    return risk.counts(int((own == 1).sum()), int(own.isna().sum()), len(own), rule,
                       "treatment" if arm == trial.treatment else "control")


def _differences(trial, name, visit, rule, counts, out: Rows) -> None:
    """Risk difference, NNT and risk ratio under every interval."""
    pairs = [counts[trial.treatment], counts[trial.control]]
    responders, n = zip(*pairs, strict=True)
    for interval in INTERVALS:
        kwargs = {"interval": interval, "confidence": trial.analysis.confidence}
        arr = risk.risk_difference(responders, n, **kwargs)
        ratio = risk.risk_ratio(responders, n, **kwargs)
        _add_difference(out, name, visit, f"{rule}/{interval}", sum(n), arr,
                        (ratio.estimate, ratio.low, ratio.high))


def _add_difference(out: Rows, name, visit, method, n, arr, ratio) -> None:
    """A risk difference in percentage points, with its NNT and the risk ratio."""
    out.add(name, "difference", visit, method,
            n=n, arr=100 * arr.estimate, ci_low=100 * arr.low, ci_high=100 * arr.high,
            nnt=arr.nnt, nnt_ci_low=arr.nnt_low, nnt_ci_high=arr.nnt_high,
            nnt_through_infinity=arr.through_infinity, rr=ratio[0], rr_low=ratio[1],
            rr_high=ratio[2])


def table(trial: Trial, frame: pd.DataFrame) -> Table:
    """Responders and NNT: the declared missing rule under every interval, the others under one."""
    n = Lookup(frame)
    shown = trial.analysis.risk_interval
    main = trial.analysis.responder_missing
    display, data = [], []
    methods = [(main, i) for i in INTERVALS] + [(r, shown) for r in RULES if r != main]
    methods += [("mi-mar", "wald")] if main != "mi-mar" else []
    visit = frame["time"].iloc[0] if len(frame) else ""
    for name in dict.fromkeys(frame["variable"]):
        for rule, interval in methods:
            key = ("nnt", name, "difference", visit, f"{rule}/{interval}")
            if (*key, "arr") not in n:
                continue
            cell = {s: n(*key, statistic=s) for s in (
                "arr", "ci_low", "ci_high", "nnt", "nnt_ci_low", "nnt_ci_high",
                "nnt_through_infinity", "rr", "rr_low", "rr_high")}
            row = {"Criterion": name, "Missing": rule, "Interval": interval}
            for arm in trial.arms:
                own = {s: n("nnt", name, arm, visit, rule, statistic=s)
                       for s in ("responders", "n", "percent")}
                row[arm] = fmt.count(own["responders"], own["percent"], of=own["n"])
                cell |= {f"{arm}_{s}": v for s, v in own.items()}
            row |= {
                "ARR, percentage points": fmt.estimate(
                    cell["arr"], cell["ci_low"], cell["ci_high"], 1),
                "NNT": risk.format_nnt(cell["nnt"]),
                "NNT interval": _nnt_limits(cell),
                "Risk ratio": fmt.estimate(cell["rr"], cell["rr_low"], cell["rr_high"]),
            }
            display.append(row)
            data.append({"variable": name, "missing": rule, "interval": interval, **cell})
    return Table(
        "nnt", "Responders, absolute risk reduction and number needed to treat",
        pd.DataFrame(display), pd.DataFrame(data),
        notes=(f"{trial.analysis.confidence:.0%} intervals. ARR and NNT are of the good result, "
               f"{trial.treatment} minus {trial.control}; NNT is rounded away from zero. An "
               "interval of ARR that holds 0 gives an NNT interval through infinity.",),
        synthetic=trial.synthetic,
    )


def curve(trial: Trial) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Percent responding at every threshold; the difference with a pointwise band.

    The band is Miettinen and Nurminen's, whatever interval the table shows.

    Returns
    -------
    DataFrame
        ``arm``, ``threshold`` (percent), ``percent``.
    DataFrame
        ``threshold``, ``arr``, ``low``, ``high`` in percentage points.
    """
    gained = improvements(trial).dropna()
    by_arm = {arm: gained[trial.arm[gained.index] == arm].to_numpy(float) for arm in trial.arms}
    points = risk.responder_curve(by_arm[trial.treatment], by_arm[trial.control],
                                  confidence=trial.analysis.confidence)
    threshold = 100 * points.thresholds
    percents = pd.concat([
        pd.DataFrame({"arm": arm, "threshold": threshold, "percent": 100 * k / n})
        for arm, k, n in ((trial.control, points.control, points.n_control),
                          (trial.treatment, points.treatment, points.n_treatment))
    ], ignore_index=True)
    band = pd.DataFrame({"threshold": threshold, "arr": 100 * points.estimate,
                         "low": 100 * points.low, "high": 100 * points.high})
    return percents, band


def sentences(trial: Trial, frame: pd.DataFrame) -> list[str]:
    """One sentence a criterion, interval first."""
    n = Lookup(frame)
    rule, interval = trial.analysis.responder_missing, trial.analysis.risk_interval
    interval = "wald" if rule == "mi-mar" else interval  # Rubin's rules pool nothing else here
    said = []
    for name, visit in frame[["variable", "time"]].drop_duplicates().itertuples(index=False):
        key = ("nnt", name, "difference", visit, f"{rule}/{interval}")
        if (*key, "arr") not in n:
            said.append(f"**{name}**: not estimable, an arm has nobody with a known result.")
            continue
        cell = {s: n(*key, statistic=s) for s in (
            "arr", "ci_low", "ci_high", "nnt", "nnt_ci_low", "nnt_ci_high",
            "nnt_through_infinity")}
        counts = [n("nnt", name, arm, visit, rule, statistic=s)
                  for arm in (trial.treatment, trial.control) for s in ("responders", "n")]
        said.append(
            f"**{name}** ({rule}): {counts[0]:.4g} of {counts[1]:g} in {trial.treatment} and "
            f"{counts[2]:.4g} of {counts[3]:g} in {trial.control}; the difference lies between "
            f"{fmt.interval(cell['ci_low'], cell['ci_high'], 1)} percentage points ({interval}; "
            f"estimate {fmt.number(cell['arr'], 1)}), the NNT is {risk.format_nnt(cell['nnt'])} "
            f"({_nnt_limits(cell)}).")
    return said


def _nnt_limits(cell: dict) -> str:
    return risk.format_nnt_interval(cell["nnt_ci_low"], cell["nnt_ci_high"],
                                    cell["nnt_through_infinity"])


def not_estimable(trial: Trial) -> str:
    """Who has no relative improvement because the baseline is zero (or nothing)."""
    who = zero_baselines(trial)
    if not who:
        return ""
    return f"Not estimable, because the baseline is zero: {', '.join(who)}."


def has_curve(trial: Trial) -> bool:
    """Whether the criterion is a reduction, so that other thresholds exist."""
    return bool(trial.sections["responders"].get("outcome"))


def thresholds(trial: Trial) -> list[float]:
    """The declared reductions, in percent."""
    return [100 * reduction for reduction in trial.sections["responders"]["reductions"]]


def alt(trial: Trial) -> str:
    """The responder curve in words."""
    declared = trial.sections["responders"]
    return (f"Percent of each arm whose {declared['outcome']} improved by at least each threshold "
            f"at {declared['visit']}, and the difference in percentage points with its pointwise "
            f"Miettinen-Nurminen band; declared thresholds "
            f"{', '.join(f'{x:g}%' for x in thresholds(trial))} are marked.")
