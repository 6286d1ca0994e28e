"""What the figures of robustness, power and the audit take: rows in, frame out."""

import re

import pandas as pd

from mair.published import provenance
from mair.report import fmt, words
from mair.report.tables_appendix import DROPOUTS, MECHANISMS, METHODS, TRUTHS, sd_taken
from mair.results import records
from mair.sections import power, robustness, size

GROUPS = [list(group.values()) for group in robustness.LABELS.values()]
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
            parts, made = {*re.split("[:/,]", one.method)}, []
            for group, labels in robustness.LABELS.items():
                chosen = parts & {*labels} or {DEFAULTS.get(group)}
                made += [label for part, label in labels.items() if part in chosen]
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
    if not provenance.has(trial):
        return None
    found = [(key[2], float(key[1].partition(">=")[2].rstrip("%")), *own[:2])
             for key, own in provenance.stored(trial).items()
             if key[0] == "nnt" and key[4:] == ("completers", "percent") and own[2]]
    return pd.DataFrame(found, columns=["arm", "threshold", "low", "high"])


def power_curve(trial, rows) -> pd.DataFrame:
    """Power in percent over n an arm at the last visit, for `curves.curves`."""
    _, _, sizes, shares = power.sizes(trial)
    lines = [("t formula, no dropout", n, one.power, 0.0) for n, one in
             zip(sizes, records(power.formula(trial)), strict=True)]
    for share in shares:
        label = f"Mixed model, {f'dropout {share:.0%}' if share else 'no dropout'}"
        lines += [(label, n, one.power, one.mc_se) for n in sizes for one in records(
            rows, analysis="power", variable=power.scenario(n, dropout=share), method=power.METHOD,
            time=trial.primary.visits[-1])]
    frame = pd.DataFrame(lines, columns=["line", "x", "y", "se"])
    return frame.assign(y=100 * frame["y"], se=100 * frame["se"])


def next_trial(trial) -> pd.DataFrame:
    """n an arm over the difference to detect, one line an SD, for `curves.curves`."""
    found = power.next_sizes(trial)
    said = {method: sd_taken(method) for method in found["method"].unique()}
    return found.assign(line=[f"{said[one.method][0].lower()}{said[one.method][1:]}, "
                              f"{fmt.number(one.sd, 1)}" for one in found.itertuples()])


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
