"""Analyses side by side: as the trial file declares and as chosen by hand, or of several runs."""

import math
from pathlib import Path

import pandas as pd

from mair.report import figure, fmt, forest, words, written
from mair.report.show import Show
from mair.report.table import MARK, Table
from mair.results import records
from mair.sections import measures
from mair.trial import Trial, load

KEYS = ["analysis", "variable", "time"]
ONCE = ("welch", "linear/t")  # of an outcome seen once; with covariates the second
DECLARED, HERE = "as declared", "as chosen here"
SCALES = {"nnt": "Risk difference, percentage points"}  # what is drawn; of others this:
SCALE = "Difference in change over the baseline SD, treatment minus control"


def contrasts(rows: pd.DataFrame, analysis: dict) -> pd.DataFrame:
    """The contrasts between the arms that a trial declares, among the rows of a run.

    Parameters
    ----------
    rows : DataFrame
        Columns of ``results.csv``.
    analysis : dict
        The choices in force; ``responder_missing`` and ``risk_interval`` are read.

    Returns
    -------
    DataFrame
        ``analysis``, ``variable``, ``time``, ``method``; ``b`` with limits and ``p``; and on a
        scale that all of an analysis share ``estimate``, ``low``, ``high``: B over the baseline
        standard deviation, or the risk difference in percentage points.
    """
    found = []
    for section in measures.SECTIONS:
        own = rows[rows["analysis"] == section]
        fitted = own[(own["statistic"] == "converged") | (  # what was seen once has no such state
            own["method"].isin(ONCE) & (own["statistic"] == "b"))]
        drawn = {(one.variable, one.time): (one.d, one.ci_low, one.ci_high)
                 for one in records(own, method="b_over_sd")}
        for name, method in dict(zip(fitted["variable"], fitted["method"], strict=True)).items():
            found += [(section, name, one.time, method, one.n, one.b, one.ci_low, one.ci_high,
                       one.p, *drawn.get((name, one.time), [math.nan] * 3))
                      for one in records(own, variable=name, arm="difference", method=method)
                      if one.time]
    rule = analysis["responder_missing"]
    limits = "wald" if rule == "mi-mar" else analysis["risk_interval"]  # Rubin's rules pool Wald's
    for one in records(rows, analysis="nnt", arm="difference", method=f"{rule}/{limits}"):
        n = sum(arm.n for arm in records(rows, analysis="nnt", variable=one.variable,
                                         time=one.time, method=rule))
        arr = one.arr, one.ci_low, one.ci_high
        found.append(("nnt", one.variable, one.time, one.method, n, *arr, math.nan, *arr))
    return pd.DataFrame(found, columns=[*KEYS, "method", "n", "b", "b_low", "b_high", "p",
                                        "estimate", "low", "high"])


def table(named: dict[str, pd.DataFrame], visits: dict[str, str]) -> Table:
    """Analyses as a table: a column each, and of two what changes.

    Parameters
    ----------
    named : dict of str to DataFrame
        As `contrasts` gives them, by their heads.
    visits : dict of str to str
        Visit to what a reader sees of it.

    Returns
    -------
    Table
        Of the contrasts that all have.
    """
    whole = pd.concat(named, names=["analysis of"]).reset_index(0)
    display = []
    for _, own in whole.groupby(KEYS, sort=False):
        if len(own) == len(named):
            line = [*own.itertuples()]
            display.append([label(line[0], visits), *map(_shown, line),
                            *([_change(*line)] if len(line) == 2 else [])])
    return Table("compared", "Contrasts beside each other", pd.DataFrame(display, columns=[
        "Contrast", *named, *["Change"] * (len(named) == 2)]), whole, notes=tuple(
        f"{head}: {'; '.join(map(words.method, frame['method'].unique()))}."
        for head, frame in named.items() if len(frame)))


def label(one, visits: dict[str, str]) -> str:
    """What a contrast is of: variable and visit."""
    return f"{one.variable}, {visits.get(one.time, one.time)}" if one.time else one.variable


def _shown(one) -> str:
    """A contrast as text: estimate, limits, p where there is one, and people."""
    p = f"; {fmt.p(one.p)}" if one.p == one.p else ""
    return f"{fmt.estimate(one.b, one.b_low, one.b_high)}{p}; n\u00a0=\u00a0{one.n:g}"


def _change(one, other) -> str:
    """How far the estimate moved, and how much wider the interval has become."""
    moved = fmt.number(other.b - one.b)
    before, after = (of.b_high - of.b_low for of in (one, other))
    if fmt.absent(before + after) or not before:
        return moved
    percent = round(100 * (after / before - 1))
    return f"{moved}; interval " + ("as wide" if percent == 0 else
                                    f"{abs(percent)}% {'wider' if percent > 0 else 'narrower'}")


def drawn(named: dict[str, pd.DataFrame], visits: dict[str, str]):
    """The same in a forest an analysis, where it can be drawn: axes, and what they show in words.

    Parameters
    ----------
    named, visits
        As of `table`.

    Yields
    ------
    (Axes, str)
    """
    rows = pd.concat([frame.assign(visit=head, primary=head == next(iter(named)))
                      for head, frame in named.items()], ignore_index=True)
    rows = rows.dropna(subset="estimate").assign(text=lambda of: list(map(
        fmt.estimate, of["estimate"], of["low"], of["high"])))
    rows["label"] = [label(one, visits).replace(">=", "≥") for one in rows.itertuples()]
    rows = rows.iloc[pd.factorize(rows["label"])[0].argsort(kind="stable")]
    for analysis, own in rows.groupby("analysis", sort=False):
        scale = SCALES.get(analysis, SCALE)
        alt = "; ".join(f"{one.label}, {one.visit}: {one.text}" for one in own.itertuples())
        yield (forest.forest(own, xlabel=scale, text={"text": "estimate (CI)"}),
               f"{scale}. {alt}.")


def compare(trial: Trial, rows, *section: str, only: str = "") -> None:
    """Show, where a parameter was changed by hand, what that changes; else say so in a line.

    Parameters
    ----------
    trial : Trial
        As a notebook loaded it.
    rows : callable
        Of a trial (and a section), giving the rows whose contrasts are compared.
    *section : str
    only : str
        The one variable to compare.
    """
    if not trial.overrides:
        words.say("Every parameter is as the trial file declares it, so there is nothing to "
                  "compare: change one in the cell above and run all cells.", page="head")
        return
    named = {head: contrasts(rows(one, *section), one.analysis.model_dump())
             for head, one in ((DECLARED, load(trial.path)), (HERE, trial))}
    if only:
        named = {head: frame[frame["variable"] == only] for head, frame in named.items()}
    both, show = table(named, trial.visit_labels), Show(trial)
    show(both)
    for axes, alt in drawn(named, trial.visit_labels):
        show(axes, "compared", f"Diamonds: {DECLARED}; squares: {HERE}", alt=alt)


def part(title: str, named, visits, synthetic: bool, links=()) -> dict:
    """Table and forests as a part of a page (`write`)."""
    whole, figures, first = table(named, visits), [], next(iter(named))
    for i, (axes, alt) in enumerate(drawn(named, visits) if len(named) > 1 else ()):
        svg = figure.render(axes, f"compared-{i}", alt, synthetic)["svg"]
        figures.append(figure.html(axes, svg, alt, f"compared-{i}", f"Diamonds: {first}"))
    return {"title": title, "said": [*[MARK] * synthetic, *whole.notes], "head": whole.headers,
            "rows": whole.cells(), "figures": figures, "links": links}


def write(path: Path, title: str, parts) -> None:
    """Write a page of parts, unless it stands so already.

    Parameters
    ----------
    path : Path
    title : str
    parts : iterable of dict
        ``title``, ``links`` (address to text), ``said`` (paragraphs), ``head`` and ``rows`` of a
        table, ``fold`` (whether it is folded away), ``figures`` (HTML).
    """
    html = written.filled("beside.html.j2", title=title, parts=list(parts))
    if not path.is_file() or path.read_text(encoding="utf-8") != html:
        path.write_text(html, encoding="utf-8")
