"""The run's own tables: published beside recomputed, the estimands, the workbook of both."""

import math

import pandas as pd

from mair.report.table import MARK, Table
from mair.report.word import EPOCH, packed
from mair.results import harmless

WORKBOOK = "workbook of the audit"


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
        For reading those that are not reproduced, grouped by place in the publication; its data
        are ``compared`` as it stands.
    """
    rows = compared[~compared["verdict"].isin(["reproduced", "not checkable"])]
    rows = rows.iloc[pd.factorize(rows["source"])[0].argsort(kind="stable")]  # places together
    display = pd.DataFrame([
        (_joined(r.variable, r.arm, r.time), _joined(r.statistic, r.method), r.printed,
         shown(r.computed, r.printed), _joined(r.word, r.why, by=": ")) for r in rows.itertuples()],
        columns=["Number", "Statistic", "Printed", "Computed", "Judgement"])
    counts = compared["verdict"].value_counts()
    return Table("published_vs_recomputed", "Printed numbers that are not reproduced", display,
                 compared, groups=rows["source"].reset_index(drop=True), notes=(
                     f"{counts.get('reproduced', 0)} of {len(compared)} printed numbers are "
                     f"reproduced and {counts.get('not checkable', 0)} have nothing to compare: "
                     f"these stand in the {WORKBOOK}.",))


def estimands(frame: pd.DataFrame, trial) -> Table:
    """The estimand behind each estimated row; for reading those of the primary outcome.

    Parameters
    ----------
    frame : DataFrame
        As ``mair.sections.estimands.table`` gives it.
    trial : Trial

    Returns
    -------
    Table
    """
    sections = ["outcomes", "biomarkers"] if trial.primary else ["nnt"]
    name = trial.primary.name if trial.primary else frame["variable"].iloc[0]
    own = frame[frame["analysis"].isin(sections) & (frame["variable"] == name)]
    if own.empty:  # the notebook of the primary outcome is not in this run
        name = frame["variable"].iloc[0]
        own = frame[frame["variable"] == name]
    display = own[["time", "method", "population", "strategy", "summary"]].rename(
        columns={"time": "Visit"}).rename(columns=str.capitalize).reset_index(drop=True)
    display["Visit"] = [trial.visit_labels.get(visit, visit) for visit in display["Visit"]]
    for arm in trial.arms:
        display[f"{arm}, with data of randomised"] = [
            f"{seen} of {n}" for seen, n in zip(own[f"n_with_data_{arm}"],
                                                own[f"n_randomised_{arm}"], strict=True)]
    return Table("estimands", f"Estimands of {name}", display, frame,
                 notes=(f"The estimands of all {len(frame)} estimates stand in the {WORKBOOK}.",))


def workbook(sheets: dict[str, pd.DataFrame], synthetic: bool) -> bytes:
    """Long tables as one workbook: a sheet each, its head in sight and filters on it."""
    from openpyxl import Workbook
    from openpyxl.styles import Font

    book = Workbook()
    book.remove(book.active)
    for title, frame in sheets.items():
        sheet = book.create_sheet(title)
        for row in (frame.columns, *frame.astype(object).where(frame.notna(), None).to_numpy()):
            sheet.append([harmless(cell) if isinstance(cell, str) else cell for cell in row])
        for column, cell in zip(frame, sheet[1], strict=True):
            cell.font = Font(bold=True)
            width = max(map(len, map(str, (column, *frame[column].head(300)))))
            sheet.column_dimensions[cell.column_letter].width = min(40, 2 + width)
        sheet.freeze_panes, sheet.auto_filter.ref = "A2", sheet.dimensions
        sheet.oddHeader.center.text = MARK if synthetic else ""
    book.properties.description, book.properties.created = MARK if synthetic else "", EPOCH
    return packed(book)


def _joined(*parts: str, by: str = ", ") -> str:
    return by.join(part for part in parts if part)
