"""The run's own tables: published beside recomputed, and the estimand of each estimated row."""

from __future__ import annotations

import math

import pandas as pd

from mair.report.table import Table


def shown(value, printed: str) -> str:
    """A computed number with two digits more than the printed one, or nothing.

    Examples
    --------
    >>> shown(86.36363636, "86.37"), shown(16.0, "16"), shown(float("nan"), "3")
    ('86.3636', '16', '')
    """
    if value is None or math.isnan(value):
        return ""
    if value == round(value) and "." not in printed:
        return str(round(value))
    digits = len(printed.partition(".")[2]) + 2
    text = f"{value:.{digits}f}"
    return f"{value:.2e}" if float(text) == 0 != value else text


def published(compared: pd.DataFrame) -> Table:
    """Every printed number beside the computed one.

    Parameters
    ----------
    compared : DataFrame
        As ``mair.published.compare.compare`` gives it.

    Returns
    -------
    Table
        Grouped by place in the publication; its data are ``compared`` as it stands.
    """
    rows = _together(compared, "source")
    display = pd.DataFrame([
        {"Number": _joined(r.variable, r.arm, r.time), "Statistic": _joined(r.statistic, r.method),
         "Printed": r.printed, "Computed": shown(r.computed, r.printed),
         "Judgement": _joined(r.word, r.why, by=": ")} for r in rows.itertuples()])
    return Table("published_vs_recomputed", "Published beside recomputed", display, compared,
                 groups=rows["source"])


def estimands(frame: pd.DataFrame, arms) -> Table:
    """The estimand behind each estimated row.

    Parameters
    ----------
    frame : DataFrame
        As ``mair.sections.estimands.table`` gives it.
    arms : sequence of str

    Returns
    -------
    Table
        Grouped by analysis.
    """
    rows = _together(frame, "analysis")
    display = pd.DataFrame([
        {"Variable": _joined(r["variable"], r["time"]), "Method": r["method"],
         "Population": r["population"], "Strategy": r["strategy"], "Summary": r["summary"],
         **{f"{arm}, with data of randomised":
            f"{r[f'n_with_data_{arm}']} of {r[f'n_randomised_{arm}']}" for arm in arms}}
        for r in rows.to_dict("records")])
    return Table("estimands", "Estimands", display, frame, groups=rows["analysis"])


def _together(frame, key) -> pd.DataFrame:
    """The rows with those of one key together, keys as they first appear."""
    return pd.concat([part for _, part in frame.groupby(key, sort=False)], ignore_index=True)


def _joined(*parts: str, by: str = ", ") -> str:
    return by.join(part for part in parts if part)
