"""A dot for every published number, in its place in the paper's tables."""

from __future__ import annotations

from matplotlib.lines import Line2D

from mair.report.style import INK, MUTED, columns_of, styled, subplots

# Colour and shape both tell: worst last, drawn on top.
LOOKS = {
    "not checkable": ("#BDBDBD", ".", 3.0),
    "exact": ("#009E73", "o", 4.2),
    "reproduced": ("#009E73", "o", 4.2),
    "within rounding": ("#E69F00", "^", 4.6),
    "other convention": ("#0072B2", "s", 4.2),
    "impossible": ("#B2182B", "X", 5.6),
    "not reproduced": ("#B2182B", "X", 5.6),
}
SHORT = {"ci_low": "low", "ci_high": "high", "percent": "%", "responders": "x",
         "range_low": "min", "range_high": "max", "nnt_ci_low": "nnt low",
         "nnt_ci_high": "nnt high"}  # fmt: skip


@styled
def verdict_map(numbers, *, width=12.0):
    """Published numbers as dots, one panel a table and one for the text.

    Parameters
    ----------
    numbers : DataFrame
        One row a printed number, in the paper's order: ``source``, ``variable``, ``arm``,
        ``time``, ``statistic``, ``verdict`` (a key of `LOOKS`).
    width : float
        Inches.

    Returns
    -------
    Figure

    Raises
    ------
    ValueError
        A verdict that has no look.
    """
    columns_of(numbers, "source", "variable", "arm", "time", "statistic", "verdict")
    unknown = set(numbers["verdict"]) - set(LOOKS)
    if unknown:
        raise ValueError(f"no look for the verdict {sorted(unknown)[0]!r}")
    tables = [s for s in dict.fromkeys(numbers["source"]) if s.startswith("table")]
    panels = [(s.capitalize(), _table(numbers[numbers["source"] == s])) for s in tables]
    text = numbers[~numbers["source"].isin(tables)]
    if len(text):
        panels.append(("Text", _text(text)))
    height = max(2.4, 0.155 * max(len(rows) for _, (_, rows, _) in panels) + 1.5)
    shares = [len(columns) + 6 for _, (_, _, columns) in panels]
    fig, axes = subplots(1, len(panels), width=width, height=height, width_ratios=shares,
                         squeeze=False)  # fmt: skip
    for ax, (title, (dots, rows, columns)) in zip(axes[0], panels, strict=True):
        _panel(ax, title, dots, rows, columns, max(len(rows) for _, (_, rows, _) in panels))
    _legend(fig, numbers["verdict"])
    return fig


def _table(part):
    """(dots, row labels, column labels): a row a variable and visit, a column an arm's number."""
    part = part.assign(
        row=[f"{v} {t}".strip() for v, t in zip(part["variable"], part["time"], strict=True)],
        column=[_column(a, s) for a, s in zip(part["arm"], part["statistic"], strict=True)],
    )
    rows = list(dict.fromkeys(part["row"]))
    columns = sorted(dict.fromkeys(part["column"]), key=list(dict.fromkeys(part["column"])).index)
    dots = [(columns.index(c), rows.index(r), v)
            for r, c, v in zip(part["row"], part["column"], part["verdict"], strict=True)]
    return dots, rows, columns


def _column(arm: str, statistic: str) -> str:
    short = SHORT.get(statistic, statistic)
    return short if arm in ("", "overall", "difference") else f"{arm} {short}"


def _text(part):
    """(dots, row labels, column labels): a row a section, its numbers in their order."""
    rows = list(dict.fromkeys(part["source"]))
    order = part.groupby("source", sort=False).cumcount()
    dots = [(i, rows.index(s), v)
            for i, s, v in zip(order, part["source"], part["verdict"], strict=True)]
    return dots, rows, [""] * (int(order.max()) + 1)


def _panel(ax, title, dots, rows, columns, deepest):
    """One panel: grid lines, dots, labels; all panels have one row height."""
    for y in range(len(rows)):
        ax.axhline(y, color="#EEEEEE", linewidth=0.7, zorder=0)
    rank = list(LOOKS)
    for x, y, verdict in sorted(dots, key=lambda dot: rank.index(dot[2])):
        color, marker, size = LOOKS[verdict]
        ax.plot([x], [y], marker=marker, color=color, markersize=size, linestyle="none",
                markeredgewidth=0, zorder=2 + rank.index(verdict))  # fmt: skip
    ax.set_ylim(deepest - 0.4, -0.8)
    ax.set_xlim(-0.7, len(columns) - 0.3)
    ax.set_yticks(range(len(rows)), rows, fontsize=6.6)
    ax.set_xticks(range(len(columns)), columns, fontsize=6.4, rotation=90)
    ax.xaxis.tick_top()
    ax.tick_params(length=0, pad=1.5, colors=MUTED)
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.set_title(title, fontsize=9, loc="left", color=INK, weight="bold")


def _legend(fig, verdicts):
    """Each verdict that occurs, with its count."""
    counts = verdicts.value_counts()
    handles = [
        Line2D([], [], color=color, marker=marker, markersize=size + 1.5, linestyle="none",
               markeredgewidth=0, label=f"{verdict} ({counts[verdict]})")
        for verdict, (color, marker, size) in LOOKS.items() if verdict in counts
    ]  # fmt: skip
    fig.legend(handles=handles[::-1], loc="outside lower center", ncols=len(handles), fontsize=8)
