"""What the figures of robustness, power and the audit take: rows in, frame out."""

from __future__ import annotations

import re

import pandas as pd

from mair.published import provenance
from mair.report import fmt, words
from mair.report.tables_appendix import DROPOUTS, MECHANISMS, METHODS, TRUTHS, sd_taken
from mair.results import records
from mair.sections import power, size

CHOICES = {  # a row of the specification curve: what a part of a method chooses, by group
    "estimator": {"difference": "Change from baseline", "clda": "Common mean at baseline",
                  "ancova": "Analysis of covariance", "conditional-mean": "Completed means"},
    "covariance": {"random-intercept": "Random intercept", "ml": "… by maximum likelihood",
                   "compound-symmetry": "Compound symmetry", "unstructured": "Unstructured",
                   "by-arm": "… apart in each arm"},
    "reference": {"z": "Normal (z)", "satterthwaite": "Satterthwaite", "jackknife": "Jackknife",
                  "kenward-roger": "Kenward-Roger", "rerandomisation": "Re-randomisation"},
    "not seen": {"observed": "Observed scores only", "mi-mar": "Imputed at random",
                 "mi-j2r": "Jump to reference", "mi-cr": "Copy of reference"}}
GROUPS = [list(group.values()) for group in CHOICES.values()]
DEFAULTS = {"estimator": "difference", "not seen": "observed"}  # where a method names none


def choices(trial, rows, visit, declared="") -> pd.DataFrame:
    """The primary contrast at a visit under every choice, for `robust.specification`.

    Returns
    -------
    DataFrame
        Sorted by estimate: ``method``, ``estimate``, ``se``, ``low``, ``high``, ``made`` (the
        labels of `CHOICES` that the method chose), ``primary``: whether it is ``declared``, and
        ``invented``: whether a synthetic cohort's *B* is its generator's choice.
        Without shifted values.
    """
    found, origins = [], provenance.kinds(trial, rows)
    for one in records(rows, variable=trial.primary.name, arm="difference", time=visit):
        if hasattr(one, "p") and "delta=" not in one.method:
            parts = set(re.split("[:/,]", one.method))
            parts |= {default for key, default in DEFAULTS.items() if not parts & {*CHOICES[key]}}
            made = [label for group in CHOICES.values() for part, label in group.items()
                    if part in parts]
            found.append((one.method, one.b, one.se, one.ci_low, one.ci_high, made,
                          one.method == declared, provenance.invented(origins, one, "b")))
    columns = ["method", "estimate", "se", "low", "high", "made", "primary", "invented"]
    return pd.DataFrame(found, columns=columns).sort_values("estimate", kind="stable")


def curve_spans(trial) -> pd.DataFrame | None:
    """Extremes of the responders at thresholds that are not printed, for `responder_curve`.

    Returns
    -------
    DataFrame or None
        ``arm, threshold, low, high``, percent; None of a real trial.
    """
    found = [(key[2], float(key[1].partition(">=")[2].rstrip("%")), *own[:2])
             for key, own in provenance.stored(trial).items()
             if key[0] == "nnt" and key[4:] == ("completers", "percent") and own[2]]
    return pd.DataFrame(found, columns=["arm", "threshold", "low", "high"]) if provenance.has(
        trial) else None


def power_curve(trial, rows) -> pd.DataFrame:
    """Power in percent over n an arm at the last visit, for `curves.curves`."""
    _, _, sizes, shares = power.sizes(trial)
    found = {one.variable: one for one in records(
        rows, analysis="power", method=power.METHOD, time=trial.primary.visits[-1])}
    t = {one.variable: one for one in records(power.formula(trial))}
    lines = [("t formula, no dropout", n, t[f"{n} an arm"].power, 0.0) for n in sizes]
    for share in shares:
        label = f"Mixed model, {f'dropout {share:.0%}' if share else 'no dropout'}"
        cells = ((n, found[power.scenario(n, dropout=share)]) for n in sizes)
        lines += [(label, n, one.power, one.mc_se) for n, one in cells]
    frame = pd.DataFrame(lines, columns=["line", "x", "y", "se"])
    return frame.assign(y=100 * frame["y"], se=100 * frame["se"])


def next_trial(trial) -> pd.DataFrame:
    """n an arm over the difference to detect, one line an SD, for `curves.curves`."""
    found = power.next_sizes(trial)
    lines = [f"{words[0].lower()}{words[1:]}, {fmt.number(sd, 1)}" for words, sd in
             zip(map(sd_taken, found["method"]), found["sd"], strict=True)]
    return found.assign(line=lines)


def type1_errors(trial, cells) -> pd.DataFrame:
    """Type I error of the committed study, in percent, for `curves.rates`: a panel a mechanism."""
    part = cells[cells["effect"] == "null"]
    places = zip(part["visit"], part["dropout"], strict=True)
    return pd.DataFrame({
        "panel": part["mechanism"].map(MECHANISMS),
        "scenario": [f"{trial.visit_labels[visit]}, {DROPOUTS[lost]}" for visit, lost in places],
        "method": part["method"].map(METHODS), "rate": 100 * part["type1"]})


def sizes(trial, rows) -> pd.DataFrame:
    """Type I error in this trial's size, in percent, by truth and visit, for `curves.rates`."""
    shown = {f"{rows['method'].iloc[0].partition('/')[0]}/{trial.analysis.inference}",
             "random-intercept/z", "random-intercept/kenward-roger", size.REDRAWN,
             "unstructured/kenward-roger", "unstructured,by-arm/kenward-roger"}
    truths = {size.scenario(truth): said for truth, said in TRUTHS.items()}
    return pd.DataFrame([
        {"panel": truths[one.variable].capitalize(), "scenario": trial.visit_labels[one.time],
         "method": words.method(one.method), "rate": 100 * one.type1}
        for one in records(rows, variable=truths) if one.method in shown])
