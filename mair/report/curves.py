"""Curves over a design's choices, rates, responders at every threshold, and residuals."""

from mair.report import style

LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")
BAND = "#D9D9D9"


@style.styled
def curves(frame, *, xlabel, ylabel, vertical=None, horizontal=None, markers=False):
    """One line a key, told apart by colour, dashes and a legend in the order given.

    Parameters
    ----------
    frame : DataFrame
        ``line`` (text of the legend), ``x``, ``y``; with ``se``, vertical bars of twice that
        length either side.
    xlabel, ylabel : str
    vertical, horizontal : (float, str), optional
        A reference line and what it marks.
    markers : bool
        Draw the points too.

    Returns
    -------
    Axes
    """
    _, ax = style.subplots(height=3.9)
    for i, (name, part) in enumerate(frame.groupby("line", sort=False)):
        part, k = part.sort_values("x"), i % len(style.COLORS)
        ax.errorbar(part["x"], part["y"], yerr=2 * part["se"] if "se" in part else None,
                    color=style.COLORS[k], elinewidth=1,
                    linestyle=LINES[(i + i // len(style.COLORS)) % len(LINES)],
                    marker=MARKERS[i % len(MARKERS)] if markers else "", label=style.wrap(name, 60))
    line = {"color": style.INK, "linewidth": 0.9, "linestyle": ":", "zorder": 1}
    if vertical is not None:
        ax.axvline(vertical[0], **line)
        style.note(ax, vertical[1], (vertical[0], 1), (2, 2), xycoords=ax.get_xaxis_transform())
    if horizontal is not None:
        ax.axhline(horizontal[0], **line)
        style.note(ax, horizontal[1], (1, horizontal[0]), (2, 2), ha="right",
                   xycoords=ax.get_yaxis_transform())
    ax.grid(axis="y")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(loc="best", handles=[line[0] for line in ax.containers], labels=[
        line.get_label() for line in ax.containers])
    return ax


@style.styled
def rates(frame, *, xlabel, band, value):
    """One panel each, with one line a scenario and one marker a method.

    Parameters
    ----------
    frame : DataFrame
        ``panel``, ``scenario``, ``method``, ``rate``, in drawing order, on the scale of the axis;
        every panel has the same scenarios.
    xlabel : str
    band : (float, float)
        Shaded: where a rate lies that is only Monte-Carlo error away from ``value``.
    value : float
        What the rate should be.

    Returns
    -------
    Figure
    """
    places = {name: i for i, name in enumerate(dict.fromkeys(frame["scenario"]))}
    methods, names = (list(dict.fromkeys(frame[key])) for key in ("method", "panel"))
    fig, axes = style.panels(names, 2, row=0.28 * len(places) + 0.75, rest=0.6, sharex=True,
                             sharey=True)
    for name, ax in axes.items():
        ax.axvspan(*band, color=BAND, linewidth=0, zorder=0)
        ax.axvline(value, color=style.INK, linewidth=0.9, zorder=1)
        for at in range(0, len(places), 2):
            ax.axhspan(at - 0.5, at + 0.5, color=style.SHADE, linewidth=0, zorder=-1)
        for i, method in enumerate(methods):
            part = frame[(frame["method"] == method) & (frame["panel"] == name)]
            beside = 0.15 * (i - (len(methods) - 1) / 2)
            color = style.COLORS[i % len(style.COLORS)]
            ax.plot(part["rate"], part["scenario"].map(places) + beside, linestyle="", color=color,
                    marker=MARKERS[i % len(MARKERS)], label=method, markersize=5,
                    markerfacecolor="white" if i % 2 else color)
        ax.set_title(style.wrap(name, 80 // min(2, len(names))), fontsize=style.SIZE, loc="left")
        ax.set_xlabel(xlabel)
        ax.set_yticks(range(len(places)), list(places))
        ax.tick_params(axis="both", length=0, labelbottom=True)
        ax.spines["left"].set_color(style.RULE)
        style.numbered(ax.xaxis, 6, (1, 2, 5, 10))
    ax.set_ylim(len(places) - 0.5, -0.5)
    fig.legend(*ax.get_legend_handles_labels(), loc="outside lower center",
               ncols=3 if max(map(len, methods)) < 30 else 2)
    return fig


@style.styled
def responder_curve(curve, *, difference, thresholds, arms, spans=None):
    """Who responds, at every threshold; under it, the difference with its band.

    Parameters
    ----------
    curve : DataFrame
        ``arm, threshold, percent``; thresholds in percent. A row's percent holds from the
        threshold before it (not included) up to its own (included).
    difference : DataFrame
        ``threshold, arr, low, high``, in percentage points.
    thresholds : sequence of float
        The declared ones, in percent, drawn as vertical lines with their numbers.
    arms : dict of arm -> label
    spans : DataFrame, optional
        Of a synthetic trial, of which only what stands at the declared thresholds is printed:
        ``arm, threshold, low, high``, extremes in agreeing cohorts elsewhere. What is printed is
        drawn as points, the extremes as bars, the curves lighter.

    Returns
    -------
    Figure
    """
    light = {"alpha": 1 if spans is None else 0.4}
    fig, (ax, lower) = style.subplots(2, 1, height=5.0, sharex=True, height_ratios=(3, 2))
    for arm, look in style.arm_styles(arms).items():
        part = curve[curve["arm"] == arm].sort_values("threshold")
        ax.step(part["threshold"], part["percent"], color=look.color, linestyle=look.line,
                linewidth=1.8, **light)
        if spans is not None:
            for value in thresholds:
                percent = part["percent"][part["threshold"] >= value].iloc[:1]
                ax.plot([value] * len(percent), percent, **look.points())
            own = spans[spans["arm"] == arm]
            ax.vlines(own["threshold"], own["low"], own["high"], color=look.color, linewidth=5,
                      alpha=0.35)
    ax.set(ylim=(-2, 102), ylabel="Responders (%)")
    part = difference.sort_values("threshold")
    lower.fill_between(part["threshold"], part["low"], part["high"], step="pre", color=BAND,
                       linewidth=0, zorder=0)
    lower.step(part["threshold"], part["arr"], color=style.INK, linewidth=1.4, **light)
    lower.axhline(0, color=style.INK, linewidth=0.9)
    told = "" if spans is None else (
        "\n\npoints: printed; bars: extremes found in cohorts that agree; lines: this cohort's own")
    lower.set(xlabel=f"Improvement from baseline, at least (%){told}",
              ylabel="Difference,\npercentage points")
    for panel in (ax, lower):
        style.numbered(panel.yaxis, 5)
        panel.grid(axis="y")
        for value in thresholds:
            panel.axvline(value, color=style.INK, linewidth=0.9, linestyle=":", zorder=1)
    for value in thresholds:
        style.note(ax, f"{value:g}%", (value, 1), (2, 2), xycoords=ax.get_xaxis_transform(),
                   ha="center")
    style.arm_legend(fig, arms, **({"marker": ""} if spans is None else {}))
    return fig


@style.styled
def residual_plots(frame, *, arms, line):
    """Residuals against fitted values, and against normal quantiles.

    Parameters
    ----------
    frame : DataFrame
        ``fitted, residual, quantile, arm``: one row a measurement; `quantile` is the
        theoretical quantile of the residual's rank.
    arms : dict of arm -> label
    line : (float, float)
        Intercept and slope of the reference line in the quantile plot.

    Returns
    -------
    Figure
    """
    import seaborn as sns  # slow to import: only where it draws

    fig, axes = style.subplots(1, 2, height=3.3)
    for ax, x, label in zip(axes, ("fitted", "quantile"), ("Fitted value", "Normal quantile"),
                            strict=True):
        for own, look in style.by_arm(frame, arms):
            sns.scatterplot(own, x=x, y="residual", ax=ax, s=16, alpha=0.75, marker=look.marker,
                            color=look.face, edgecolor=look.color, linewidth=1)
        ax.set(xlabel=label, ylabel="Residual")
        ax.grid(axis="y")
    axes[0].axhline(0, color=style.INK, linewidth=0.9, zorder=1)
    axes[1].axline((0, line[0]), slope=line[1], color=style.INK, linewidth=0.9, zorder=1)
    style.arm_legend(fig, arms, linestyle="none")
    return fig


@style.styled
def normal_plots(frame, *, arms):
    """Quantiles of residuals against normal ones, a panel an outcome; on the line where normal.

    Parameters
    ----------
    frame : DataFrame
        ``outcome, arm, quantile, residual``, in standard deviations.
    arms : dict of arm -> label

    Returns
    -------
    Figure
    """
    names = list(dict.fromkeys(frame["outcome"]))
    fig, axes = style.panels(names, 3, row=1.75, rest=0.9, sharex=True, sharey=True)
    for name, ax in axes.items():
        for own, look in style.by_arm(frame[frame["outcome"] == name], arms):
            ax.plot(own["quantile"], own["residual"], markersize=3.2, **look.points())
        ax.axline((0, 0), slope=1, color=style.INK, linewidth=0.9, zorder=1)
        ax.set(title=style.wrap(name, 26))
        ax.grid(axis="y")
    for ax in list(axes.values())[-3:]:
        ax.set_xlabel("Normal quantile")
        ax.tick_params(labelbottom=True)
    fig.supylabel("Residual, in standard deviations", size=style.SIZE)
    style.arm_legend(fig, arms, linestyle="none")
    return fig
