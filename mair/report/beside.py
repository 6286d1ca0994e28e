"""Analyses side by side: as the trial file declares and as chosen by hand, or of several runs."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from mair.report import figure, fmt, forest, words
from mair.report.show import Show
from mair.report.table import Table
from mair.results import records
from mair.sections import measures
from mair.trial import Trial, load

KEYS = ["analysis", "variable", "time"]
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
        fitted = rows[(rows["analysis"] == section) & (rows["statistic"] == "converged")]
        for name in fitted["variable"].unique():
            method = measures.method(rows, section, name)
            drawn = {one.time: (one.d, one.ci_low, one.ci_high) for one in records(
                rows, analysis=section, variable=name, method="b_over_sd")}
            found += [(section, name, one.time, method, one.b, one.ci_low, one.ci_high, one.p,
                       *drawn.get(one.time, [float("nan")] * 3)) for one in records(
                rows, analysis=section, variable=name, arm="difference", method=method)
                if one.time]
    rule = analysis["responder_missing"]
    limits = "wald" if rule == "mi-mar" else analysis["risk_interval"]  # Rubin's rules pool Wald's
    for one in records(rows, analysis="nnt", arm="difference", method=f"{rule}/{limits}"):
        arr = one.arr, one.ci_low, one.ci_high
        found.append(("nnt", one.variable, one.time, one.method, *arr, float("nan"), *arr))
    return pd.DataFrame(found, columns=[*KEYS, "method", "b", "b_low", "b_high", "p", "estimate",
                                        "low", "high"])


def table(named: dict[str, pd.DataFrame], visits: dict[str, str]) -> Table:
    """Two analyses as a table: a column each, and what changes.

    Parameters
    ----------
    named : dict of str to DataFrame
        Two, as `contrasts` gives them, by their heads.
    visits : dict of str to str
        Visit to what a reader sees of it.

    Returns
    -------
    Table
    """
    first, second = named
    both = named[first].merge(named[second], on=KEYS, suffixes=("", "_other"))
    display = [{"Contrast": label(one, visits), first: shown(one), second: shown(one, "_other"),
                "Change": _change(one)} for one in both.itertuples()]
    methods = {head: "; ".join(map(words.method, frame["method"].unique()))
               for head, frame in named.items()}
    return Table("compared", f"Contrasts {first} and {second}", pd.DataFrame(
        display, columns=["Contrast", first, second, "Change"]), both,
        notes=tuple(f"{words.begin(head)}: {method}." for head, method in methods.items()))


def label(one, visits: dict[str, str]) -> str:
    """What a contrast is of: variable and visit."""
    return f"{one.variable}, {visits.get(one.time, one.time)}" if one.time else one.variable


def shown(one, which="") -> str:
    """A contrast as text: estimate, limits and p where there is one."""
    b, low, high, p = (getattr(one, name + which) for name in ("b", "b_low", "b_high", "p"))
    return fmt.estimate(b, low, high) + (f"; {fmt.p(p)}" if p == p else "")


def _change(one) -> str:
    """How far the estimate moved, and how much wider the interval has become."""
    moved = fmt.number(one.b_other - one.b)
    before, after = one.b_high - one.b_low, one.b_high_other - one.b_low_other
    if fmt.absent(before + after) or not before:
        return moved
    percent = round(100 * (after / before - 1))
    return f"{moved}; interval {abs(percent)}% {'wider' if percent >= 0 else 'narrower'}"


def drawn(named: dict[str, pd.DataFrame], visits: dict[str, str], analysis: str):
    """The same, of any number of analyses, in one forest.

    Parameters
    ----------
    named, visits
        As of `table`.
    analysis : str
        Whose contrasts.

    Returns
    -------
    Axes
    str
        What it shows, for those who cannot see it.
    """
    parts = [frame.assign(visit=head, primary=i == 0) for i, (head, frame) in
             enumerate(named.items())]
    rows = pd.concat(parts, ignore_index=True)
    rows = rows[(rows["analysis"] == analysis) & rows["estimate"].notna()]
    rows["label"] = [label(one, visits).replace(">=", "≥") for one in rows.itertuples()]
    order = list(dict.fromkeys(rows["label"]))
    rows = rows.sort_values("label", key=lambda of: of.map(order.index), kind="stable")
    rows["text"] = list(map(fmt.estimate, rows["estimate"], rows["low"], rows["high"]))
    scale = SCALES.get(analysis, SCALE)
    alt = "; ".join(f"{one.label}, {one.visit}: {one.text}" for one in rows.itertuples())
    return forest.forest(rows, xlabel=scale, text={"text": "estimate (CI)"}), f"{scale}. {alt}."


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
    for analysis in both.data["analysis"].unique():
        axes, alt = drawn(named, trial.visit_labels, analysis)
        show(axes, "compared", f"Black: {DECLARED}; blue: {HERE}", alt=alt)


def picture(named, visits, analysis: str, synthetic: bool) -> str:
    """The figure of `drawn` as HTML."""
    axes, alt = drawn(named, visits, analysis)
    svg = figure.render(axes, f"compared-{analysis}", alt, synthetic)["svg"]
    return figure.html(axes, svg, alt, f"compared-{analysis}", f"Black: {next(iter(named))}")


def write(path: Path, title: str, parts) -> None:
    """Write a page of parts, unless it stands so already.

    Parameters
    ----------
    path : Path
    title : str
    parts : iterable of dict
        ``title``, ``said`` (paragraphs), ``head`` and ``rows`` of a table whose cells are text or
        ``{"text", "href"}``, ``fold`` (whether it is folded away), ``figures`` (HTML).
    """
    import jinja2

    source = Path(__file__).with_suffix(".html.j2").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    html = environment.from_string(source).render(title=title, parts=list(parts))
    if not path.is_file() or path.read_text(encoding="utf-8") != html:
        path.write_text(html, encoding="utf-8")
