"""Curves over a design's choices, and rates beside the value they should have."""

from __future__ import annotations

from matplotlib.ticker import FuncFormatter, MaxNLocator

from mair.report.style import INK, MUTED, RULE, SHADE, STYLES, axes_or_new, columns_of, styled, wrap

LINES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v")


@styled
def curves(frame, ax=None, *, xlabel, ylabel, line="line", x="x", y="y", vertical=None,
           horizontal=None, markers=False):  # fmt: skip
    """One line a key, told apart by colour, dashes and a legend in the order given.

    Parameters
    ----------
    frame : DataFrame
        ``line`` (text of the legend), ``x``, ``y``; columns may have other names. With
        ``se``, vertical bars of twice that length either side.
    ax : Axes, optional
    xlabel, ylabel : str
    vertical, horizontal : (float, str), optional
        A reference line and what it marks.
    markers : bool
        Draw the points too.

    Returns
    -------
    Axes
    """
    columns_of(frame, line, x, y)
    ax = axes_or_new(ax, height=3.9)
    for i, (name, part) in enumerate(frame.groupby(line, sort=False)):
        look, part = STYLES[i % len(STYLES)], part.sort_values(x)
        ax.plot(part[x], part[y], color=look.color, linestyle=LINES[i % len(LINES)],
                marker=MARKERS[i % len(MARKERS)] if markers else "",
                label=wrap(name, 60))  # fmt: skip
        if "se" in part:
            ax.vlines(part[x], part[y] - 2 * part["se"], part[y] + 2 * part["se"],
                      color=look.color, linewidth=1)  # fmt: skip
    for place, draw, at in ((vertical, ax.axvline, "x"), (horizontal, ax.axhline, "y")):
        if place is not None:
            draw(place[0], color=INK, linewidth=0.9, linestyle=":", zorder=1)
            across = at == "x"
            ax.annotate(place[1], (place[0], 1) if across else (1, place[0]), (2, 2),
                        xycoords=ax.get_xaxis_transform() if across else ax.get_yaxis_transform(),
                        textcoords="offset points", ha="left" if across else "right", size=8,
                        color=MUTED, annotation_clip=False)  # fmt: skip
    ax.grid(axis="y")
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend(loc="best")
    return ax


@styled
def rates(frame, ax=None, *, xlabel, band=None, value=None):
    """One line a scenario, one marker a method.

    Parameters
    ----------
    frame : DataFrame
        ``scenario``, ``method``, ``rate``, in drawing order, on the scale of the axis.
    ax : Axes, optional
    xlabel : str
    band : (float, float), optional
        Shaded: where a rate lies that is only Monte-Carlo error away from ``value``.
    value : float, optional
        What the rate should be.

    Returns
    -------
    Axes
    """
    columns_of(frame, "scenario", "method", "rate")
    names = list(dict.fromkeys(frame["scenario"]))
    methods = list(dict.fromkeys(frame["method"]))
    ax = axes_or_new(ax, height=0.30 * len(names) + 1.3)
    if band is not None:
        ax.axvspan(*band, color="#DDDDDD", linewidth=0, zorder=0)
    if value is not None:
        ax.axvline(value, color=INK, linewidth=0.9, zorder=1)
    for at in range(0, len(names), 2):
        ax.axhspan(at - 0.5, at + 0.5, color=SHADE, linewidth=0, zorder=-1)
    for i, method in enumerate(methods):
        part = frame[frame["method"] == method]
        places = [names.index(name) + (i - (len(methods) - 1) / 2) * 0.15
                  for name in part["scenario"]]
        look = STYLES[i % len(STYLES)] if i < len(STYLES) else None
        color = look.color if look else INK
        ax.plot(part["rate"], places, linestyle="", marker=MARKERS[i % len(MARKERS)],
                color=color, markerfacecolor="white" if i % 2 else color, label=method)  # fmt: skip
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", length=0)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.spines["left"].set_color(RULE)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    ax.set_xlabel(xlabel)
    ax.figure.legend(loc="outside lower center", ncols=min(3, len(methods)))
    return ax
