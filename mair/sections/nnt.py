"""Responders, absolute risk reduction, risk ratio and number needed to treat."""

import numpy as np
import pandas as pd

from mair.results import Rows
from mair.sections import arms, imputed
from mair.stats import risk, risk_limits, tests
from mair.stats.smallsample import tested
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
    columns = {one.get("column") for one in trial.sections["responders"]}
    for visit in visits(trial):
        found = responses(trial, visit)
        for name, response in found.items():
            for rule in risk.RULES:
                counts = _counts(trial, response, rule)
                for arm, (k, n) in counts.items():
                    out.add(name, arm, visit, rule, n=n, responders=k,
                            percent=100 * k / n if n else None)
                if all(n for _, n in counts.values()):
                    _differences(trial, name, visit, rule, counts, out)
        thresholds = trial.reductions["reductions"] if {*found} - columns else ()
        for (name, response), threshold in zip(found.items(), thresholds, strict=False):
            _imputed(trial, name, visit, threshold, out)
            _adjusted(trial, name, visit, response.dropna(), out)
    return out.frame()


def _adjusted(trial: Trial, name: str, visit: str, response: pd.Series, out: Rows) -> None:
    """Those seen, standardised over baseline; no row where the regression has no maximum."""
    baseline = trial.scores(trial.reductions["outcome"])[trial.reference]
    try:
        difference, ratio = risk.standardised_risks(
            response, trial.arm[response.index] == trial.treatment, baseline[response.index],
            confidence=trial.analysis.confidence)
    except ValueError:
        return
    _add(out, name, visit, ADJUSTED, len(response), difference, ratio)


def _counts(trial: Trial, response: pd.Series, rule: str) -> dict[str, tuple[int, int]]:
    """Responders and denominator of each arm under a missing-data rule."""
    return {arm: risk.counts(int((own == 1).sum()), int(own.isna().sum()), len(own), rule,
                             "treatment" if arm == trial.treatment else "control")
            for arm, own in arms.split(trial, response).items()}


def _differences(trial, name, visit, rule, counts, out: Rows) -> None:
    """Risk difference, NNT and ratio under every interval; odds ratios and tests."""
    responders, n = zip(counts[trial.treatment], counts[trial.control], strict=True)
    confidence, table = trial.analysis.confidence, arms.table(responders, n)
    for interval in risk_limits.INTERVALS:
        _add(out, name, visit, f"{rule}/{interval}", sum(n), *(
            measure(responders, n, interval=interval, confidence=confidence)
            for measure in (risk.risk_difference, risk.risk_ratio)))
    for kind in ("woolf", "exact"):
        odds = risk.odds_ratio(responders, n, kind=kind, confidence=confidence)
        out.add(name, "difference", visit, f"{rule}/{kind}", n=sum(n),
                **arms.interval("or", odds, "or"))
    for method, test in (("fisher", tests.fisher), ("pearson", tests.pearson)):
        out.add(name, "difference", visit, f"{rule}/{method}", n=sum(n), p=test(table).p)


def _imputed(trial: Trial, name: str, visit: str, threshold: float, out: Rows) -> None:
    """Responders after multiple imputation under MAR: Wald limits by Rubin's rules."""
    if (found := imputed.responders(trial, threshold, visit)) is None:
        return
    for arm, share, n in ((trial.control, found.control, found.n_control),
                          (trial.treatment, found.treatment, found.n_treatment)):
        out.add(name, arm, visit, "mi-mar", n=n, responders=share * n, percent=100 * share)
    difference, ratio = (tests.Interval(*(getattr(
        one and tested(*one[:3], trial.analysis.confidence), end, np.nan)
        for end in ("estimate", "low", "high"))) for one in (found.difference, found.log_ratio))
    _add(out, name, visit, "mi-mar/wald", found.n_control + found.n_treatment,
         risk.with_nnt(*difference[:3]), tests.Interval(*np.exp(ratio[:3])))


def _add(out: Rows, name, visit, method, n, difference, ratio) -> None:
    """A risk difference in percentage points, with its NNT and the risk ratio."""
    out.add(name, "difference", visit, method, n=n, **arms.interval("arr", difference, times=100),
            nnt=difference.nnt, nnt_ci_low=difference.nnt_low, nnt_ci_high=difference.nnt_high,
            nnt_through_infinity=difference.through_infinity, **arms.interval("rr", ratio, "rr"))


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
    by_arm = {arm: own.to_numpy(float) for arm, own in
              arms.split(trial, improvements(trial).dropna()).items()}
    points = risk.responder_curve(by_arm[trial.treatment], by_arm[trial.control],
                                  confidence=trial.analysis.confidence)
    threshold = 100 * points.thresholds
    of_arms = ((trial.control, points.control, points.n_control),
               (trial.treatment, points.treatment, points.n_treatment))
    percents = pd.concat([pd.DataFrame({"arm": arm, "threshold": threshold, "percent": 100 * k / n})
                          for arm, k, n in of_arms], ignore_index=True)
    return percents, pd.DataFrame({"threshold": threshold, "arr": 100 * points.estimate,
                                   "low": 100 * points.low, "high": 100 * points.high})
