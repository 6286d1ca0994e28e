"""The map of an audit: a dot for every published number, in its place in the paper's tables."""

from __future__ import annotations

from matplotlib.lines import Line2D

from mair.published.consistency import WORDS
from mair.report.style import BLUE, GREEN, INK, MUTED, ORANGE, styled, subplots

RED, GREY = "#B2182B", "#BDBDBD"
# Colour and shape both tell: worst last, drawn on top.
LOOKS = {"not checkable": (GREY, ".", 3.0), "an input": (GREY, "D", 1.8),
         "exact": (GREEN, "o", 4.2), "reproduced": (GREEN, "o", 4.2),
         "within rounding": (ORANGE, "^", 4.6), "other convention": (BLUE, "s", 4.2),
         "impossible": (RED, "X", 5.6), "not reproduced": (RED, "X", 5.6)}
SHORT = {"ci_low": "low", "ci_high": "high", "percent": "%", "responders": "x",
         "range_low": "min", "range_high": "max", "nnt_ci_low": "nnt low",
         "nnt_ci_high": "nnt high"}


@styled
def verdict_map(numbers, label=str):
    """Published numbers as dots, one panel a table and one for the text.

    Parameters
    ----------
    label : callable
        Puts a variable or visit into words.
    numbers : DataFrame
        One row a printed number, in the paper's order: ``source``, ``variable``, ``arm``,
        ``time``, ``statistic``, ``verdict`` (a key of `LOOKS`).

    Returns
    -------
    Figure
    """
    numbers = numbers.assign(**{key: numbers[key].map(label) for key in ("variable", "time")})
    in_table = numbers["source"].str.startswith("table")
    panels = [(source.capitalize(), _placed(part))
              for source, part in numbers[in_table].groupby("source", sort=False)]
    if not in_table.all():
        panels.append(("Text", _in_order(numbers[~in_table])))
    deepest = max(part["y"].max() for _, (part, _, _) in panels) + 1
    fig, axes = subplots(1, len(panels), width=12.0, height=max(2.4, 0.155 * deepest + 1.5),
                         width_ratios=[len(columns) + 6 for _, (_, _, columns) in panels],
                         squeeze=False)
    for ax, (title, (part, rows, columns)) in zip(axes[0], panels, strict=True):
        for z, (verdict, (color, marker, size)) in enumerate(LOOKS.items(), start=2):
            own = part[part["verdict"] == verdict]
            ax.plot(own["x"], own["y"], marker=marker, color=color, markersize=size,
                    linestyle="none", markeredgewidth=0, zorder=z)
        _labels(ax, title, rows, columns)
        ax.set_ylim(deepest - 0.4, -0.8)
    _legend(fig, numbers["verdict"])
    return fig


def _placed(part):
    """A table's numbers with ``x`` and ``y``: a row a variable and visit, a column an arm's."""
    row = (part["variable"] + " " + part["time"]).str.strip()
    arm = part["arm"].where(~part["arm"].isin(["overall", "difference"]), "")
    column = (arm + " " + part["statistic"].replace(SHORT)).str.strip()
    rows, columns = list(dict.fromkeys(row)), list(dict.fromkeys(column))
    return part.assign(x=column.map(columns.index), y=row.map(rows.index)), rows, columns


def _in_order(part):
    """The text's numbers with ``x`` and ``y``: a row a section, its numbers in their order."""
    rows = list(dict.fromkeys(part["source"]))
    x = part.groupby("source", sort=False).cumcount()
    return part.assign(x=x, y=part["source"].map(rows.index)), rows, [""] * (x.max() + 1)


def _labels(ax, title, rows, columns):
    """Names of rows and columns, and a faint line for each row."""
    ax.hlines(range(len(rows)), -0.7, len(columns) - 0.3, color="#EEEEEE", linewidth=0.7, zorder=0)
    ax.set_xlim(-0.7, len(columns) - 0.3)
    ax.set_yticks(range(len(rows)), rows, fontsize=6.6)
    ax.set_xticks(range(len(columns)), columns, fontsize=6.4, rotation=90)
    ax.xaxis.tick_top()
    ax.tick_params(length=0, pad=1.5, colors=MUTED)
    ax.spines[:].set_visible(False)
    ax.set_title(title, fontsize=9, color=INK)


def _legend(fig, verdicts):
    """Each verdict that occurs, with its count."""
    counts = verdicts.value_counts()
    handles = [
        Line2D([], [], color=color, marker=marker, markersize=size + 1.5, linestyle="none",
               markeredgewidth=0, label=f"{WORDS.get(verdict, verdict)} ({counts[verdict]})")
        for verdict, (color, marker, size) in LOOKS.items() if verdict in counts]
    fig.legend(handles=handles[::-1], loc="outside lower center", ncols=len(handles), fontsize=8)
