"""Responders, absolute risk reduction, risk ratio and number needed to treat."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mair.results import Rows
from mair.sections import imputed
from mair.stats import risk, risk_limits, tests
from mair.stats.standardised import standardised_risks
from mair.trial import Trial

ADJUSTED = "completers/g-computation"


def improvements(trial: Trial, visit: str = "") -> pd.Series:
    """Relative improvement of each participant, at the declared visit if no other is named.

    Returns
    -------
    Series
        (baseline - score) / baseline, reversed where higher is better; nan where a score is
        missing or the baseline is zero or below.
    """
    declared = trial.reductions
    variable = trial.variable(declared["outcome"])
    scores = trial.scores(variable.name)
    start, score = (scores[at].to_numpy(float)
                    for at in (trial.reference, visit or declared["visit"]))
    return pd.Series(risk.improvement(start, score, better=variable.better), scores.index)


def zero_baselines(trial: Trial) -> list[str]:
    """Participants whose baseline is zero or below: no relative improvement can be computed."""
    if not trial.reductions:
        return []
    scores = trial.scores(trial.reductions["outcome"])[trial.reference]
    return scores.index[scores <= 0].tolist()


def visits(trial: Trial) -> list[str]:
    """The declared visits, empty where a column names none; then the outcome's others."""
    by = trial.reductions
    first = [one.get("visit", "") for one in trial.sections["responders"]]
    return list(dict.fromkeys([*first, *(trial.variable(by["outcome"]).visits[1:] if by else ())]))


def responses(trial: Trial, visit: str) -> dict[str, pd.Series]:
    """Who responded at one of `visits`, by criterion: 1.0, 0.0, or nan where unknown.

    Returns
    -------
    dict of str to Series
        ``"<outcome> >=20%"``, without those of whom no reduction can be computed, then a
        column's name.
    """
    by, found = trial.reductions, {}
    if by and visit in trial.variable(by["outcome"]).visits[1:]:
        gained = improvements(trial, visit).drop(zero_baselines(trial))
        found = {_reduced(by, reduction):
                 gained.where(gained.isna(), risk.meets(gained.to_numpy(float), reduction))
                 for reduction in by["reductions"]}
    return found | {one["column"]: trial.responder(one["column"]).astype(float)
                    for one in trial.sections["responders"]
                    if "column" in one and one.get("visit", "") == visit}


def declared(trial: Trial) -> list[tuple[str, str]]:
    """Every criterion and its declared visit, in the trial file's order."""
    return [(name, one.get("visit", "")) for one in trial.sections["responders"]
            for name in ([one["column"]] if "column" in one else
                         [_reduced(one, share) for share in one["reductions"]])]


def _reduced(by: dict, reduction: float) -> str:
    return f"{by['outcome']} >={100 * reduction:g}%"


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
    columns = [one.get("column") for one in trial.sections["responders"]]
    for visit in visits(trial):
        found = responses(trial, visit)
        for name, response in found.items():
            for rule in risk.RULES:
                counts = {arm: _counts(trial, response, arm, rule) for arm in trial.arms}
                for arm, (k, n) in counts.items():
                    out.add(name, arm, visit, rule, n=n, responders=k,
                            percent=100 * k / n if n else None)
                if all(n for _, n in counts.values()):
                    _differences(trial, name, visit, rule, counts, out)
        thresholds = trial.reductions["reductions"] if {*found} - {*columns} else ()
        for (name, response), threshold in zip(found.items(), thresholds, strict=False):
            _imputed(trial, name, visit, threshold, out)
            _adjusted(trial, name, visit, response.dropna(), out)
    return out.frame()


def _adjusted(trial: Trial, name: str, visit: str, response: pd.Series, out: Rows) -> None:
    """Those seen, standardised over baseline; no row where the regression has no maximum."""
    baseline = trial.scores(trial.reductions["outcome"])[trial.reference]
    try:
        difference, ratio = standardised_risks(
            response, trial.arm[response.index] == trial.treatment, baseline[response.index],
            confidence=trial.analysis.confidence)
    except ValueError:
        return
    _add(out, name, visit, ADJUSTED, len(response), difference, ratio[:3])


def _counts(trial: Trial, response: pd.Series, arm: str, rule: str) -> tuple[int, int]:
    """Responders and denominator of an arm under a missing-data rule."""
    own = response[trial.arm[response.index] == arm]
    name = "treatment" if arm == trial.treatment else "control"
    return risk.counts(int((own == 1).sum()), int(own.isna().sum()), len(own), rule, name)


def _differences(trial, name, visit, rule, counts, out: Rows) -> None:
    """Risk difference, NNT and ratio under every interval; odds ratios and tests."""
    responders, n = zip(counts[trial.treatment], counts[trial.control], strict=True)
    for interval in risk_limits.INTERVALS:
        kwargs = {"interval": interval, "confidence": trial.analysis.confidence}
        ratio = risk.risk_ratio(responders, n, **kwargs)
        _add(out, name, visit, f"{rule}/{interval}", sum(n),
             risk.risk_difference(responders, n, **kwargs), (ratio.estimate, ratio.low, ratio.high))
    for kind in ("woolf", "exact"):
        odds = risk.odds_ratio(responders, n, kind=kind, confidence=trial.analysis.confidence)
        out.add(name, "difference", visit, f"{rule}/{kind}", n=sum(n),
                **dict(zip(("or", "or_low", "or_high"), odds[:3], strict=True)))
    table = [(x, of - x) for x, of in zip(responders, n, strict=True)]
    for method, test in (("fisher", tests.fisher), ("pearson", tests.pearson)):
        out.add(name, "difference", visit, f"{rule}/{method}", n=sum(n), p=test(table).p)


def _imputed(trial: Trial, name: str, visit: str, threshold: float, out: Rows) -> None:
    """Responders after multiple imputation under MAR: Wald limits by Rubin's rules."""
    if (found := imputed.responders(trial, threshold, visit)) is None:
        return
    for arm, share, n in ((trial.control, found.control, found.n_control),
                          (trial.treatment, found.treatment, found.n_treatment)):
        out.add(name, arm, visit, "mi-mar", n=n, responders=share * n, percent=100 * share)
    confidence, log = trial.analysis.confidence, found.log_ratio
    limits = map(float, found.difference.interval(confidence))
    ratio = (None,) * 3 if log is None else map(
        float, np.exp([log.estimate, *log.interval(confidence)]))
    _add(out, name, visit, "mi-mar/wald", found.n_control + found.n_treatment,
         risk.with_nnt(float(found.difference.estimate), *limits), ratio)


def _add(out: Rows, name, visit, method, n, arr, ratio) -> None:
    """A risk difference in percentage points, with its NNT and the risk ratio."""
    out.add(name, "difference", visit, method,
            n=n, arr=100 * arr.estimate, ci_low=100 * arr.low, ci_high=100 * arr.high,
            nnt=arr.nnt, nnt_ci_low=arr.nnt_low, nnt_ci_high=arr.nnt_high,
            nnt_through_infinity=arr.through_infinity,
            **dict(zip(("rr", "rr_low", "rr_high"), ratio, strict=True)))


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
    arms = ((trial.control, points.control, points.n_control),
            (trial.treatment, points.treatment, points.n_treatment))
    percents = pd.concat([pd.DataFrame({"arm": arm, "threshold": threshold, "percent": 100 * k / n})
                          for arm, k, n in arms], ignore_index=True)
    band = pd.DataFrame({"threshold": threshold, "arr": 100 * points.estimate,
                         "low": 100 * points.low, "high": 100 * points.high})
    return percents, band
