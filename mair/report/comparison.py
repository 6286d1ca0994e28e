"""The run's own tables: published beside recomputed, and the estimand of each estimated row."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd

from mair.report import show as showing
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


def by_source(compared: pd.DataFrame) -> pd.DataFrame:
    """The compared numbers with those of one source together, sources as they first appear."""
    order = {name: i for i, name in enumerate(dict.fromkeys(compared["source"]))}
    return compared.iloc[compared["source"].map(order).argsort(kind="stable")]


def published(compared: pd.DataFrame, synthetic: bool) -> Table:
    """Every printed number beside the computed one.

    Parameters
    ----------
    compared : DataFrame
        As ``mair.published.compare.compare`` gives it.
    synthetic : bool

    Returns
    -------
    Table
        Grouped by place in the publication; its data are ``compared`` as it stands.
    """
    rows = by_source(compared)
    display = pd.DataFrame({
        "Number": [_joined(r.variable, r.arm, r.time) for r in rows.itertuples()],
        "Statistic": [_joined(r.statistic, r.method) for r in rows.itertuples()],
        "Printed": list(rows["printed"]),
        "Computed": [shown(r.computed, r.printed) for r in rows.itertuples()],
        "Verdict": [_joined(r.verdict, r.why, by=": ") for r in rows.itertuples()],
    })
    return Table(
        "published_vs_recomputed", "Published beside recomputed", display, compared,
        groups=rows["source"].reset_index(drop=True), synthetic=synthetic,
    )  # fmt: skip


def estimands(frame: pd.DataFrame, synthetic: bool) -> Table:
    """The estimand behind each estimated row.

    Parameters
    ----------
    frame : DataFrame
        As ``mair.sections.estimands.table`` gives it.
    synthetic : bool

    Returns
    -------
    Table
        Grouped by analysis. Population and strategy, which all rows share, stand in the notes.
    """
    counts = [name for name in frame if name.startswith(("n_randomised_", "n_with_data_"))]
    arms = [name.removeprefix("n_randomised_") for name in counts if "randomised" in name]
    display = pd.DataFrame({
        "Variable": [_joined(v, t) for v, t in zip(frame["variable"], frame["time"], strict=True)],
        "Method": frame["method"],
        "Summary": frame["summary"],
        **{
            f"{arm}, with data of randomised": [
                f"{have} of {of}" for have, of in
                zip(frame[f"n_with_data_{arm}"], frame[f"n_randomised_{arm}"], strict=True)
            ]
            for arm in arms
        },
    })  # fmt: skip
    notes = [
        f"{title}: {'; '.join(dict.fromkeys(frame[column]))}."
        for column, title in (("population", "Population"), ("strategy", "Intercurrent events"))
    ]
    order = frame["analysis"].map({name: i for i, name in enumerate(dict.fromkeys(
        frame["analysis"]))}).argsort(kind="stable")
    return Table(
        "estimands", "Estimands", display.iloc[order].reset_index(drop=True), frame,
        notes=tuple(notes), groups=frame["analysis"].iloc[order].reset_index(drop=True),
        synthetic=synthetic,
    )  # fmt: skip


def write(table: Table, out: Path) -> None:
    """Write a table's csv and docx below ``out/tables``."""
    showing.write(table, out, table.synthetic)


def _joined(*parts: str, by: str = ", ") -> str:
    return by.join(part for part in parts if part)
