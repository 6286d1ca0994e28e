"""The primary contrast under every choice, and under every shift of what was not seen."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from mair.report import style
from mair.report.fmt import MINUS

LINE = 0.19  # inches a choice takes below the curve


@style.styled
def specification(panels, groups, *, ylabel, planned=None):
    """A specification curve: estimates sorted, and below each the choices that gave it.

    Parameters
    ----------
    panels : dict of visit -> DataFrame
        In order of the estimates: ``estimate``, ``low``, ``high``, nan where not estimable;
        ``made``: lists of labels; ``primary``: the declared choice, drawn as a diamond and
        marked down to its choices; ``invented``, optional: drawn hollow.
    groups : list of list of str
        Labels in drawing order, those of one choice together; one that nobody made is left out.
    ylabel : str
    planned : (float, str), optional
        A line beside the one at 0, and what it says.

    Returns
    -------
    Figure
    """
    chosen = {label for frame in panels.values() for made in frame["made"] for label in made}
    groups = [kept for group in groups if (kept := [one for one in group if one in chosen])]
    labels = [label for group in groups for label in group]
    fig, axes = style.subplots(2, len(panels), height=3.0 + LINE * (len(labels) + 1), sharex="col",
                               sharey="row", squeeze=False,
                               height_ratios=[2.6, LINE * (len(labels) + 1)])
    for (title, frame), (ax, below) in zip(panels.items(), axes.T, strict=True):
        ax.axhline(0, color=style.INK, linewidth=0.9, zorder=1)
        if planned:
            ax.axhline(planned[0], color=style.MUTED, linewidth=0.9, linestyle="--", zorder=1)
        frame = frame.reset_index(drop=True)
        for own, primary, look in style.parts(frame):
            middle, ends = style.limits(own)
            look |= ({"fmt": "D", "markersize": 6, "elinewidth": 2.0} if primary else
                     {"fmt": "o", "markersize": 3, "elinewidth": 0.8})
            ax.errorbar(own.index, middle, yerr=ends, color="black", zorder=3, **look)
        _matrix(below, frame, groups, labels)
        ax.set(title=title, xlim=(-1, len(frame)))
        ax.grid(axis="y")
        ax.tick_params(axis="x", length=0)
    if planned:
        style.note(axes[0, -1], planned[1].replace(" ", "\n", 1), (1, planned[0]), (4, 0), size=7.5,
                   va="center", xycoords=axes[0, -1].get_yaxis_transform())
    axes[0, 0].set_ylabel(ylabel)
    axes[0, 0].yaxis.set_major_formatter("{x:g}")
    style.hollow_legend(fig, [one for frame in panels.values()
                              for one in frame.get("invented", [])])
    return fig


def _matrix(ax, frame, groups, labels):
    """A dot for each choice made, groups of choices shaded in turn."""
    for group in groups[::2]:
        start = labels.index(group[0]) - 0.5
        ax.axhspan(start, start + len(group), color=style.SHADE, linewidth=0, zorder=0)
    for x in frame.index[frame["primary"]]:
        ax.axvline(x, color=style.RULE, linewidth=0.9, zorder=1)
    for x, made in frame["made"].items():
        main = frame["primary"][x]
        ax.plot([x] * len(made), [labels.index(label) for label in made], linestyle="none",
                color="black", marker="D" if main else "o", markersize=4.5 if main else 2.8)
    ax.set_yticks(range(len(labels)), labels)
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(length=0, labelbottom=False)
    ax.spines[:].set_visible(False)


@style.styled
def tipping(panels, *, xlabel, ylabel):
    """The estimate over shifts of either arm, and the line beyond which the interval holds 0.

    Parameters
    ----------
    panels : dict of visit -> DataFrame
        A full grid: ``treatment``, ``control``, ``b``, ``ci_low``, ``ci_high``.
    xlabel, ylabel : str
        Of the treatment arm's and of the control arm's shift.

    Returns
    -------
    Figure
    """
    fig, axes = style.panels(panels, 2, row=3.2, rest=0.4)
    for title, ax in axes.items():
        wide = panels[title].pivot(index="control", columns="treatment")
        x, y = wide["b"].columns, wide["b"].index
        b, low, high = (wide[key].to_numpy(float) for key in ("b", "ci_low", "ci_high"))
        margin = np.minimum(high, -low)  # at least 0: the interval contains 0
        levels = MaxNLocator(9, steps=[1, 2, 5, 10]).tick_values(b.min(), b.max())
        if len(levels := levels[(levels > b.min()) & (levels < b.max())]):
            lines = ax.contour(x, y, b, levels=levels, colors=style.MUTED, linewidths=0.7,
                               linestyles="-")
            ax.clabel(lines, fmt=lambda value: f"{value:g}".replace("-", MINUS), fontsize=7,
                      manual=[part[len(part) // 2] for parts in lines.allsegs for part in parts])
        if margin.max() > 0:
            ax.contourf(x, y, margin, levels=[0, np.inf], colors=["#DADADA"], zorder=0)
        if margin.min() < 0 < margin.max():
            ax.contour(x, y, margin, levels=[0], colors="black", linewidths=2)
        ax.plot(0, 0, "D", color="black", markersize=6, clip_on=False, zorder=4)
        ax.axhline(0, color=style.RULE, linewidth=0.7, linestyle=":")
        ax.set(title=title, xlabel=style.wrap(xlabel, 44), ylabel=style.wrap(ylabel, 44))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_major_formatter("{x:g}")
    return fig
