"""What the figures of robustness, power and the audit take: rows in, frame out."""

from __future__ import annotations

import pandas as pd

from mair.report import fmt, words
from mair.report.tables_appendix import DROPOUTS, MECHANISMS, METHODS, sd_taken
from mair.results import records
from mair.sections import power

SHORT = {"common mean at baseline": "common baseline", "unstructured covariance": "unstructured",
         "imputed by jump to reference": "jump to reference",
         "imputed by copy of reference": "copy of reference"}


def choices(trial, rows, visit, declared="") -> pd.DataFrame:
    """The primary contrast at a visit under every choice, for `forest`; no shifted values.

    Returns
    -------
    DataFrame
        ``label`` (model) and ``visit`` (inference, missing-data rule), ``method``, ``estimate``,
        ``low``, ``high``, ``text``, ``p_text``, and ``primary``: whether it is ``declared``.
    """
    found = []
    for one in records(rows, variable=trial.primary.name, arm="difference", time=visit):
        if hasattr(one, "p") and "delta=" not in one.method:
            parts = [SHORT.get(part, part) for part in words.method(one.method).split(", ")]
            model = 1 + one.method.startswith("clda:")
            found.append((", ".join(parts[:model]), ", ".join(parts[model:]), one.method, one.b,
                          one.ci_low, one.ci_high, fmt.estimate(one.b, one.ci_low, one.ci_high),
                          fmt.p_value(one.p), one.method == declared))
    return pd.DataFrame(found, columns=["label", "visit", "method", "estimate", "low", "high",
                                        "text", "p_text", "primary"])


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


def type1_errors(cells, visit) -> pd.DataFrame:
    """Type I error of the committed study at a visit, in percent, for `curves.rates`."""
    part = cells[(cells["effect"] == "null") & (cells["visit"] == visit)]
    return pd.DataFrame({
        "scenario": [f"{MECHANISMS[mechanism]}: {DROPOUTS[dropout]}" for mechanism, dropout in
                     zip(part["mechanism"], part["dropout"], strict=True)],
        "method": part["method"].map(METHODS).to_numpy(),
        "rate": 100 * part["type1"].to_numpy()})
