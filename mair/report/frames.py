"""What the figures of flow, baseline, outcomes and biomarkers draw: frames of rows and scores."""

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri

from mair import results
from mair.published import provenance
from mair.published.numbers import Number
from mair.report import fmt
from mair.sections import analysis, audit, measures
from mair.stats import effects
from mair.trial import Trial

FEW = 5  # people, of fewer than which nothing is drawn unless single people may be


def smd(trial: Trial, rows: pd.DataFrame) -> pd.DataFrame:
    """Baseline differences for `forest.forest`, with their ``levels``.

    Estimable ones only, treatment minus control, in the order of the trial file; ``chance`` is
    what chance alone exceeds once in twenty times.
    """
    found = {one.variable: one for one in results.records(rows, analysis="baseline", method="smd")}
    sizes = [trial.n(arm) for arm in trial.arms]
    return pd.DataFrame(
        [(feature.label, one.smd, one.ci_low, one.ci_high, levels,
          effects.chance_smd(*sizes, levels).bound, "", False) for feature in trial.baseline
         if (one := found[feature.name]).smd == one.smd
         for levels in [max(2, len(feature.levels))]],
        columns=["label", "estimate", "low", "high", "levels", "chance", "visit", "primary"])


def forest(trial: Trial, rows: pd.DataFrame, section="outcomes",
           method="b_over_sd") -> pd.DataFrame:
    """B over the baseline SD of every contrast; outcomes are turned so that above 0 is better.

    Returns
    -------
    DataFrame
        ``label``, ``visit``, ``estimate``, ``low``, ``high``, ``text``, ``p_text``,
        ``primary``, ``invented``; of another `method` of standardising its d; ``printed`` and
        ``printed_text``: what the publication prints of it, nan and a dash where nothing.
    """
    found, origins = [], provenance.kinds(trial, rows)
    published = audit.published(trial).query(
        "statistic == 'd' and method == @method") if trial.published else pd.DataFrame()
    printed = {(one.variable, one.time): Number(one.printed) for one in published.itertuples()}
    for name, variable in measures.variables(trial, section).items():
        sign = -1 if section == "outcomes" and variable.better == "lower" else 1
        own = results.records(rows, analysis=section, variable=name, arm="difference",
                              method=measures.method(rows, section, name))
        p = {one.time: one.p for one in own}
        for one in results.records(rows, analysis=section, variable=name, method=method):
            if one.d == one.d:
                beside = printed.get((name, one.time))
                value = sign * beside.value if beside else np.nan
                low, high = sorted((sign * one.ci_low, sign * one.ci_high))
                found.append((name, trial.visit_labels[one.time], sign * one.d, low, high,
                              fmt.estimate(sign * one.d, low, high), fmt.p_value(p[one.time]),
                              section == "outcomes" and name == trial.primary.name,
                              provenance.invented(origins, one, "d"), value,
                              fmt.number(value, beside.decimals if beside else 0)))
    return pd.DataFrame(found, columns=["label", "visit", "estimate", "low", "high", "text",
                                        "p_text", "primary", "invented", "printed", "printed_text"])


def favours(trial: Trial, section="outcomes") -> tuple[str, str]:
    """The words under the two sides of a forest plot; a biomarker favours nobody."""
    control, treatment = trial.called.values()
    if section == "biomarkers":
        return f"{treatment} fell more", f"{treatment} rose more"
    return f"favours {control}", f"favours {treatment}"


def side(trial: Trial, name: str, low: float, high: float) -> str:
    """The arm on whose side an interval of treatment minus control lies.

    Of an outcome the arm that did better; of a biomarker the one that rose more. Empty where
    the interval holds zero, or does not exist.
    """
    variable = trial.variable(name)
    if not (low > 0 or high < 0):
        return ""
    good = (low > 0) == (variable.section == "biomarkers" or variable.better == "higher")
    return trial.called[trial.treatment if good else trial.control]


def people(trial: Trial, section="outcomes") -> pd.DataFrame:
    """Observed scores: ``participant``, ``visit``, ``value``, ``arm``, ``outcome`` (its name).

    Of people who are not to be drawn singly their medians, as of one participant, with the
    quartiles ``low`` and ``high`` of the ``people`` seen; empty where fewer than `FEW` were.
    """
    found = []
    for name in measures.variables(trial, section):
        long = trial.scores(name).stack().dropna().rename("value").reset_index()
        long.columns = ["participant", "visit", "value"]
        found.append(long.assign(arm=long["participant"].map(trial.arm), outcome=name))
    scores = pd.concat(found, ignore_index=True)
    if trial.individuals:
        return scores
    seen = scores.groupby(["outcome", "arm", "visit"], sort=False)["value"]
    shown = pd.DataFrame({name: seen.quantile(share).where(seen.size() >= FEW) for name, share in (
        ("low", 0.25), ("value", 0.5), ("high", 0.75))})
    return shown.assign(people=seen.size(), participant="").reset_index()


def means(trial: Trial, rows: pd.DataFrame, section="outcomes") -> pd.DataFrame:
    """Model means with limits on the measured scale (geometric means where logged).

    Returns
    -------
    DataFrame
        ``outcome`` (the variable's name), ``arm``, ``visit``, ``mean``, ``low``, ``high``.
    """
    found = []
    for name, variable in measures.variables(trial, section).items():
        back = {"log": np.exp, "poisson": np.exp, "binomial": expit}.get(
            variable.transform or variable.family, float)
        found += [(name, one.arm, one.time, back(one.mean), back(one.ci_low), back(one.ci_high))
                  for one in results.records(rows, analysis="emm", variable=name, arm=trial.arms)]
    return pd.DataFrame(found, columns=["outcome", "arm", "visit", "mean", "low", "high"])


def axes(trial: Trial, section="outcomes") -> dict[str, str]:
    """What each variable's axis says: its name with unit or range, and which end is good."""
    labels = {}
    for name, variable in measures.variables(trial, section).items():
        span = "{:g} to {:g}".format(*variable.range) if variable.range else ""
        detail = variable.unit or span
        labels[name] = (f"{name} ({detail})" if detail else name) + (
            f",\n{variable.better} is better" if section == "outcomes" else "")
    return labels


def residuals(frame: pd.DataFrame) -> pd.DataFrame:
    """A model's residuals (``arm``, ``fitted``, ``residual``) with their normal ``quantile``.

    Of the i-th of n residuals it is that of (i - 0.375) / (n + 0.25), Blom's score.
    """
    frame = frame.dropna()
    ranks = frame["residual"].rank(method="first")
    return frame.assign(quantile=ndtri((ranks - 0.375) / (len(frame) + 0.25)))


def diagnostics(trial: Trial, section="outcomes") -> pd.DataFrame:
    """Every twentieth of the residuals of each declared analysis, for `curves.normal_plots`.

    Returns
    -------
    DataFrame
        ``outcome``, ``arm``, ``quantile`` (normal) and ``residual``, over the standard deviation
        of the outcome's residuals; of people who are not to be drawn singly only quantiles with
        `FEW` of them or more on either side.
    """
    found, shares = [], np.arange(1, 20) / 20
    for name in measures.variables(trial, section):
        frame = analysis.analyse(trial, name).residuals.dropna()
        deviation = frame["residual"].std()
        found += [(name, arm, ndtri(share), value / deviation)
                  for arm, own in frame.groupby("arm")["residual"] if deviation > 0
                  for share, value in zip(shares, np.quantile(own, shares), strict=True)
                  if trial.individuals or FEW <= share * len(own) <= len(own) - FEW]
    return pd.DataFrame(found, columns=["outcome", "arm", "quantile", "residual"])


def averaged(residuals: pd.DataFrame) -> pd.DataFrame:
    """Residuals of an arm as means of `FEW` neighbours or more: by fitted value, by quantile."""
    found = []
    for by in ("fitted", "quantile"):
        part = residuals.sort_values(by)
        arm = part.groupby("arm")
        groups = (arm["arm"].transform("size") // FEW).clip(lower=1)
        of = part.groupby(["arm", arm.cumcount() * groups // arm["arm"].transform("size")])
        means = of[[by, "residual"]].mean()[of.size() >= FEW]
        found.append(means.reset_index())
    return pd.concat(found, ignore_index=True)


def on_grid(curve: pd.DataFrame, marked) -> pd.DataFrame:
    """A curve of responders at every tenth percent and at the ``marked`` thresholds alone."""
    if curve.empty:  # nobody's reduction is estimable
        return curve
    low, high = curve["threshold"].agg(["min", "max"])
    at = sorted({*np.arange(np.ceil(low / 10) * 10, high, 10), *(x for x in marked if x < high)})
    grid = pd.DataFrame({"at": at, "threshold": np.array(at, dtype=float) - 1e-7})
    parts = [part for _, part in curve.groupby("arm", sort=False)] if "arm" in curve else [curve]
    found = pd.concat([pd.merge_asof(grid, part.sort_values("threshold"), on="threshold",
                                     direction="forward") for part in parts], ignore_index=True)
    return found.assign(threshold=found.pop("at"))
