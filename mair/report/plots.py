"""Plots of people and of curves: trajectories, before and after, responders, residuals.

Everything drawn is passed in; what is thin is a person, what is thick is a summary.
"""

from __future__ import annotations

import math

from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter, NullLocator

from mair.report import fmt
from mair.report.consort import Measure
from mair.report.style import (
    INK,
    MUTED,
    RULE,
    WIDTH,
    arm_styles,
    axes_or_new,
    columns_of,
    ordered,
    styled,
    subplots,
    swatch,
    wrap,
)

TITLE = 26  # characters a line of a panel's title
STEPS = [1, 2, 2.5, 5, 10]  # between ticks, times a power of ten


@styled
def trajectories(people, means, ax=None, *, ylabel, arms=None, visits=None, positions=None,
                 log=False, legend=True, title=None, xlabel=None):  # fmt: skip
    """Each participant's course as a thin line, each arm's means with intervals on top.

    Parameters
    ----------
    people : DataFrame
        ``participant, arm, visit, value``, one row a measurement; missing values are left out
        and the line goes on to the next visit seen.
    means : DataFrame
        ``arm, visit, mean, low, high``; nan limits draw no interval.
    ax : Axes, optional
    ylabel : str
        What is measured, with its unit or range.
    arms, visits : None, sequence, or dict of key -> label
        Order and names; default, order of appearance. The same `arms` in every figure keeps
        colours, markers and line styles the same.
    positions : dict of visit -> float, optional
        Places on the time axis, say months; default, equal steps. Then give `xlabel` its unit.
    log : bool
        A logarithmic value axis.
    legend : bool
        One entry an arm, below the axes.
    title, xlabel : str, optional

    Returns
    -------
    Axes
    """
    columns_of(people, "participant", "arm", "visit", "value")
    columns_of(means, "arm", "visit", "mean", "low", "high")
    arms = ordered([*people["arm"], *means["arm"]], arms)
    visits = ordered([*people["visit"], *means["visit"]], visits)
    at = positions or {visit: i for i, visit in enumerate(visits)}
    looks, ax = arm_styles(arms), axes_or_new(ax)
    _people(ax, people, arms, at, looks)
    step = min((b - a for a, b in zip(sorted(at.values()), sorted(at.values())[1:], strict=False)),
               default=1)  # fmt: skip
    for i, arm in enumerate(arms):
        part = means[means["arm"] == arm].dropna(subset=["mean"])
        part = part.assign(x=part["visit"].map(at)).sort_values("x")
        shift = (i - (len(arms) - 1) / 2) * 0.1 * step
        _summary(ax, part["x"] + shift, part["mean"], part["low"], part["high"], looks[arm])
    places = [at[visit] for visit in visits]
    ax.set_xlim(min(places) - 0.3 * step, max(places) + 0.3 * step)
    _visit_names(ax, places, list(visits.values()))
    _value_axis(ax, log)
    ax.set(xlabel="", ylabel=ylabel, title=title or "")
    if xlabel:
        ax.set_xlabel(xlabel)
    if legend:
        _legend(ax.figure, arms, looks)
    return ax


def _people(ax, people, arms, at, looks):
    """Thin lines, one a participant."""
    import seaborn as sns  # a second to import: only where it draws

    part = people.dropna(subset=["value"])
    if not len(part):
        return
    part = part.assign(x=part["visit"].map(at)).astype({"x": float, "value": float})
    sns.lineplot(
        data=part, x="x", y="value", units="participant", estimator=None, hue="arm",
        hue_order=list(arms), palette={arm: looks[arm].color for arm in arms}, errorbar=None,
        linewidth=0.6, alpha=0.38, legend=False, ax=ax, zorder=1,
    )  # fmt: skip
    ax.set_xlabel("")


def _summary(ax, x, middle, low, high, look):
    """Means with intervals and the line that joins them, above the participants."""
    ax.plot(x, middle, color="white", linewidth=3.4, zorder=3)  # sets the line off the people
    ax.vlines(x, low, high, color="white", linewidth=3.8, zorder=3)
    ax.vlines(x, low, high, color=look.color, linewidth=1.7, zorder=4)
    ax.plot(x, middle, color=look.color, linestyle=look.line, linewidth=1.9, zorder=5,
            **look.markers())  # fmt: skip


def _visit_names(ax, places, names):
    """The visits as ticks, over two lines or aslant where they would touch."""
    names = [wrap(name, 12) for name in names]
    ax.set_xticks(places, names)
    panels = ax.get_subplotspec().get_gridspec().ncols if ax.get_subplotspec() else 1
    low, high = ax.get_xlim()
    if _crowded(places, names, _across(ax.figure.get_figwidth(), panels) / (high - low)):
        for label in ax.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor", va="center")


def _across(width, panels) -> float:
    """The width of an axes in inches, without its labels, before any layout is known."""
    return width / panels - 0.65


def _crowded(places, names, scale) -> bool:
    """Whether neighbouring names touch where a unit of the axis takes `scale` inches."""
    measure = Measure()
    half = [measure.width(max(name.split("\n"), key=len)) / 2 for name in names]
    return any(
        half[i] + half[i + 1] + 0.05 > (places[i + 1] - places[i]) * scale
        for i in range(len(places) - 1)
    )


def _value_axis(ax, log):
    """Plain numbers with true minus signs; on a log axis 1, 2, 5 and their tens."""
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_minor_formatter(NullFormatter())
    else:
        ax.yaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}".replace("-", fmt.MINUS)))
    ax.grid(axis="y")


def _legend(figure, arms, looks, **kwargs):
    """One legend a figure, below all axes; long names stand under each other."""
    for old in list(figure.legends):
        old.remove()
    handles = [swatch(arms[arm], looks[arm], **kwargs) for arm in arms]
    figure.legend(
        handles=handles, loc="outside lower center", handlelength=3.2,
        ncols=len(handles) if _one_line(arms) else 1,
    )  # fmt: skip


def _one_line(arms) -> bool:
    """Whether the arms' names stand beside each other in a legend."""
    return max(len(str(label)) for label in arms.values()) * len(arms) < 96


@styled
def trajectory_grid(people, means, outcomes, *, arms=None, visits=None, positions=None, log=(),
                    columns=None, xlabel=None):  # fmt: skip
    """Small multiples of `trajectories`, one panel an outcome, one legend.

    Parameters
    ----------
    people, means : DataFrame
        As for `trajectories`, with a column ``outcome``.
    outcomes : dict of outcome -> label of its value axis
        Panels in this order; the key is the panel's title.
    arms, visits, positions, xlabel
        As for `trajectories`.
    log : collection of str
        Outcomes with a logarithmic axis.
    columns : int, optional
        Panels a row; default, three, or two where the visits' names need the room.

    Returns
    -------
    Figure
    """
    columns_of(people, "outcome")
    columns_of(means, "outcome")
    arms = ordered([*people["arm"], *means["arm"]], arms)
    visits = ordered([*people["visit"], *means["visit"]], visits)
    at = positions or {visit: i for i, visit in enumerate(visits)}
    places = [at[visit] for visit in visits]
    fig, panels = _grid(outcomes, columns, places, list(visits.values()), arms)
    for panel, (outcome, label) in zip(panels, outcomes.items(), strict=True):
        trajectories(
            people[people["outcome"] == outcome], means[means["outcome"] == outcome], panel,
            ylabel=wrap(label, 26), arms=arms, visits=visits, positions=positions,
            log=outcome in log, legend=False, title=wrap(outcome, TITLE), xlabel=xlabel,
        )  # fmt: skip
    _legend(fig, arms, arm_styles(arms))
    return fig


def _grid(panels, columns, places, names, arms):
    """A figure with a panel for each of `panels`, as high as names, titles and legend need."""
    names = [wrap(name, 12) for name in names]
    span = max(places) - min(places) + 1.0
    if columns is None:
        columns = 2 if _crowded(places, names, _across(WIDTH, 3) / span) else 3
    columns = max(1, min(columns, len(panels)))
    rows = math.ceil(len(panels) / columns)
    slanted = _crowded(places, names, _across(WIDTH, columns) / span)
    measure = Measure()
    longest = max(measure.width(max(name.split("\n"), key=len)) for name in names)
    under = longest * 0.7 + 0.1 if slanted else 0.13 * max(name.count("\n") + 1 for name in names)
    above = 0.15 * max(wrap(title, TITLE).count("\n") + 1 for title in panels)
    legend = 0.2 * (1 if _one_line(arms) else len(arms)) + 0.15
    height = rows * (1.6 + 0.2 + under + above) + legend
    fig, axes = subplots(rows, columns, width=WIDTH, height=height, squeeze=False)
    for spare in axes.flat[len(panels) :]:
        spare.remove()
    return fig, list(axes.flat)[: len(panels)]


@styled
def before_after(people, ax=None, *, ylabel, summary=None, arms=None, visits=None, log=False,
                 title=None, names=True):  # fmt: skip
    """Paired values of each participant, the arms side by side.

    Parameters
    ----------
    people : DataFrame
        ``participant, arm, visit, value``; a person seen once is a point without a line.
    ax : Axes, optional
    ylabel : str
        The biomarker with its unit.
    summary : DataFrame, optional
        ``arm, visit, value`` and optionally ``low, high``: the medians or geometric means,
        drawn as thick lines; the caption says which they are.
    arms, visits, log, title
        As for `trajectories`.
    names : bool
        Write the arms' names above their halves.

    Returns
    -------
    Axes
    """
    columns_of(people, "participant", "arm", "visit", "value")
    arms, visits = ordered(people["arm"], arms), ordered(people["visit"], visits)
    looks, ax = arm_styles(arms), axes_or_new(ax, height=3.4)
    ticks = []
    for i, arm in enumerate(arms):
        at = dict(zip(visits, _places(visits, i), strict=True))
        ticks += at.values()
        part = people[people["arm"] == arm].dropna(subset=["value"])
        _people(ax, part, [arm], at, looks)
        ax.plot(part["visit"].map(at), part["value"], linestyle="none", markersize=3.2, alpha=0.6,
                color=looks[arm].color, zorder=2, **looks[arm].markers())  # fmt: skip
        if summary is not None:
            _thick(ax, summary[summary["arm"] == arm], at, looks[arm])
        if names:
            ax.annotate(wrap(arms[arm], 26), (sum(at.values()) / len(at), 1), (0, 3), size=8.5,
                        xycoords=ax.get_xaxis_transform(), textcoords="offset points",
                        ha="center", va="bottom", color=looks[arm].color)  # fmt: skip
        if i:
            ax.axvline(min(at.values()) - 0.8, color=RULE, linewidth=0.6, linestyle=":")
    ax.set_xlim(-0.5, max(ticks) + 0.5)
    _visit_names(ax, ticks, list(visits.values()) * len(arms))
    _value_axis(ax, log)
    ax.set(xlabel="", ylabel=ylabel)
    if title:
        lines = max(wrap(name, 26).count("\n") + 1 for name in arms.values())
        ax.set_title(title, pad=4 + 12 * lines if names else 6)
    return ax


def _places(visits, arm) -> list[float]:
    """Where the visits of the arm of this number stand."""
    return [arm * (len(visits) + 0.6) + j for j in range(len(visits))]


def _thick(ax, summary, at, look):
    """An arm's medians or geometric means."""
    columns_of(summary, "visit", "value")
    part = summary.dropna(subset=["value"])
    low, high = (part.get(name, part["value"]) for name in ("low", "high"))
    beside = dict.fromkeys(at, 0.0)  # beside the participants' points, not over them
    beside[next(iter(at))], beside[list(at)[-1]] = -0.2, 0.2
    x = part["visit"].map(at) + part["visit"].map(beside)
    _summary(ax, x, part["value"], low, high, look)


@styled
def before_after_grid(people, biomarkers, *, summary=None, arms=None, visits=None, log=(),
                      columns=None):  # fmt: skip
    """Small multiples of `before_after`, one panel a biomarker, one legend.

    Parameters
    ----------
    people, summary : DataFrame
        As for `before_after`, with a column ``biomarker``.
    biomarkers : dict of biomarker -> label of its value axis
    arms, visits : as for `before_after`
    log : collection of str
        Biomarkers with a logarithmic axis.
    columns : int, optional
        Panels a row; default, three, or two where the visits' names need the room.

    Returns
    -------
    Figure
    """
    columns_of(people, "biomarker")
    arms, visits = ordered(people["arm"], arms), ordered(people["visit"], visits)
    places = [place for i in range(len(arms)) for place in _places(visits, i)]
    names = list(visits.values()) * len(arms)
    fig, panels = _grid(biomarkers, columns, places, names, arms)
    for panel, (key, label) in zip(panels, biomarkers.items(), strict=True):
        before_after(
            people[people["biomarker"] == key], panel, ylabel=wrap(label, 26), arms=arms,
            summary=None if summary is None else summary[summary["biomarker"] == key],
            visits=visits, log=key in log, title=wrap(key, TITLE), names=False,
        )  # fmt: skip
    _legend(fig, arms, arm_styles(arms))
    return fig


@styled
def responder_curve(curve, ax=None, *, difference=None, difference_ax=None, thresholds=(),
                    arms=None, xlabel="Improvement from baseline, at least (%)",
                    difference_label="Difference, percentage points"):  # fmt: skip
    """Who responds, at every threshold; under it, the difference with its band.

    Parameters
    ----------
    curve : DataFrame
        ``arm, threshold, percent``; thresholds in percent. A row's percent holds from the
        threshold before it (not included) up to its own (included).
    ax, difference_ax : Axes, optional
        With `difference` and no Axes given, both are made, one above the other.
    difference : DataFrame, optional
        ``threshold, arr, low, high``, in percentage points.
    thresholds : sequence of float
        The declared ones, in percent, drawn as vertical lines with their numbers.
    arms : None, sequence, or dict of arm -> label
    xlabel, difference_label : str

    Returns
    -------
    Axes
        The upper one; the figure holds both.
    """
    columns_of(curve, "arm", "threshold", "percent")
    if ax is None and difference is not None:
        _, (ax, difference_ax) = subplots(2, 1, height=5.0, sharex=True, height_ratios=(3, 2))
    ax = axes_or_new(ax, height=3.6)
    arms = ordered(curve["arm"], arms)
    looks = arm_styles(arms)
    for arm in arms:
        part = curve[curve["arm"] == arm].sort_values("threshold")
        ax.step(part["threshold"], part["percent"], where="pre", color=looks[arm].color,
                linestyle=looks[arm].line, linewidth=1.8)  # fmt: skip
    ax.set_ylim(-2, 102)
    ax.set_ylabel("Responders (%)")
    panels = [ax]
    if difference is not None and difference_ax is not None:
        panels.append(difference_ax)
        _difference(difference_ax, difference, difference_label)
    for panel in panels:
        _value_axis(panel, False)
        panel.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("-", "−")))
        for value in thresholds:
            panel.axvline(value, color=INK, linewidth=0.9, linestyle=":", zorder=1)
    for value in thresholds:
        ax.annotate(f"{value:g}%", (value, 1), (0, 2), xycoords=ax.get_xaxis_transform(),
                    textcoords="offset points", ha="center", size=8, color=MUTED)  # fmt: skip
    panels[-1].set_xlabel(xlabel)
    _legend(ax.figure, arms, looks, marker="")
    return ax


def _difference(ax, difference, label):
    """The difference of two step functions and its band, in steps too."""
    columns_of(difference, "threshold", "arr", "low", "high")
    part = difference.sort_values("threshold")
    ax.fill_between(part["threshold"], part["low"], part["high"], step="pre", color="#D9D9D9",
                    linewidth=0, zorder=0)  # fmt: skip
    ax.step(part["threshold"], part["arr"], where="pre", color=INK, linewidth=1.4)
    ax.axhline(0, color=INK, linewidth=0.9)
    ax.set_ylabel(wrap(label, 22))


@styled
def residual_plots(frame, axes=None, *, unit="", arms=None, line=None):
    """Residuals against fitted values, and against normal quantiles.

    Parameters
    ----------
    frame : DataFrame
        ``fitted, residual, quantile, arm``: one row a measurement; `quantile` is the
        theoretical quantile of the residual's rank.
    axes : (Axes, Axes), optional
    unit : str
        Of fitted values and residuals.
    arms : None, sequence, or dict of arm -> label
    line : (float, float), optional
        Intercept and slope of the reference line in the quantile plot; default, identity.

    Returns
    -------
    Figure
    """
    columns_of(frame, "fitted", "residual", "quantile", "arm")
    if axes is None:
        _, axes = subplots(1, 2, height=3.3)
    arms = ordered(frame["arm"], arms)
    looks = arm_styles(arms)
    for ax, x in zip(axes, ("fitted", "quantile"), strict=True):
        for arm in arms:
            part = frame[frame["arm"] == arm]
            ax.plot(part[x], part["residual"], linestyle="none", markersize=3.6, alpha=0.75,
                    **looks[arm].markers())  # fmt: skip
        _value_axis(ax, False)
        ax.xaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("-", "−")))
    suffix = f" ({unit})" if unit else ""
    axes[0].axhline(0, color=INK, linewidth=0.9, zorder=1)
    axes[0].set(xlabel=f"Fitted value{suffix}", ylabel=f"Residual{suffix}")
    axes[1].axline((0, line[0] if line else 0), slope=line[1] if line else 1, color=INK,
                   linewidth=0.9, zorder=1)  # fmt: skip
    axes[1].set(xlabel="Normal quantile", ylabel=f"Residual{suffix}")
    _legend(axes[0].figure, arms, looks, linestyle="none")
    return axes[0].figure
