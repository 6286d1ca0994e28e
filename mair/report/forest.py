"""Plots with one row a quantity: contrasts with intervals, and baseline differences."""

from __future__ import annotations

import math

from matplotlib.ticker import FuncFormatter, MaxNLocator

from mair.report import fmt
from mair.report.consort import Measure
from mair.report.style import (
    BLACK,
    BLUE,
    INK,
    MUTED,
    RULE,
    SHADE,
    WIDTH,
    axes_or_new,
    columns_of,
    styled,
    wrap,
)

ROW = 0.235  # inches a row takes


@styled
def forest(rows, ax=None, *, xlabel="Standardised difference d", favours=None, text=None,
           zero=0.0, xlim=None, primary=()):  # fmt: skip
    """Contrasts with their intervals, grouped by outcome, numbers at the right.

    Parameters
    ----------
    rows : DataFrame
        One row a contrast, in drawing order: ``label`` (the outcome), ``visit``, ``estimate``,
        ``low``, ``high``, all three on the scale of the axis, nan where not estimable; and the
        text columns that `text` names. Outcomes with one visit take one line.
    ax : Axes, optional
        Default, a new figure as high as the rows need. An Axes given should be at least
        0.235 inches a row high.
    xlabel : str
        The scale, with its unit.
    favours : (str, str), optional
        What an estimate left and right of `zero` favours: ``("favours MAIR", "favours RT")``.
    text : dict of column -> header, optional
        Text at the right; default, the estimate with its interval. Contents are strings.
    zero : float
        No difference.
    xlim : (float, float), optional
        An interval that goes on beyond them ends in an arrow head.
    primary : collection of str
        Labels drawn with a filled diamond.

    Returns
    -------
    Axes
    """
    columns_of(rows, "label", "visit", "estimate", "low", "high", *(text or ()))
    rows = rows.reset_index(drop=True)
    lines, text = _lines(rows), _text(rows, text)
    width = WIDTH if ax is None else ax.figure.get_figwidth()
    words = _favours(favours, (width - 0.5 - _room(lines) - sum(room for *_, room in text)) / 2)
    under = 0.7 + 0.16 * max((word.count("\n") + 1 for word in words), default=0)
    ax = axes_or_new(ax, height=ROW * (len(lines) + 1) + under)
    _limits(ax, rows, xlim, zero)
    ax.set_ylim(len(lines) - 0.4, -0.6)
    ax.axvline(zero, color=INK, linewidth=0.9, zorder=1)
    for y, line in enumerate(lines):
        if line["band"]:
            ax.axhspan(y - 0.5, y + 0.5, color=SHADE, linewidth=0, zorder=0)
        if line["row"] is not None:
            _interval(ax, y, rows.loc[line["row"]], rows.loc[line["row"], "label"] in primary)
    _left(ax, lines)
    _right(ax, lines, text)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    _words(ax, xlabel, words)
    return ax


def _lines(rows) -> list[dict]:
    """The lines of the plot: an outcome's header where it has several visits, then its rows."""
    out, band = [], False
    for label, part in rows.groupby("label", sort=False):
        band = not band
        several = len(part) > 1
        if several:
            out.append({"label": str(label), "bold": True, "row": None, "band": band})
        for index, visit in part["visit"].items():
            name = f"   {visit}" if several else (f"{label}, {visit}" if visit else str(label))
            out.append({"label": name, "bold": not several, "row": index, "band": band})
    return out


def _limits(ax, rows, xlim, zero):
    """The data's range with zero in it; an empty plot still has an axis."""
    if xlim is None:
        values = [v for c in ("estimate", "low", "high") for v in rows[c] if math.isfinite(v)]
        low, high = min([*values, zero]), max([*values, zero])
        margin = 0.05 * (high - low or 2.0)
        xlim = (low - margin, high + margin)
    ax.set_xlim(*xlim)
    ax.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("-", fmt.MINUS)))


def _interval(ax, y, row, primary):
    """One estimate; limits beyond the axis end in an arrow head."""
    if fmt.absent(row["estimate"]):
        return
    left, right = ax.get_xlim()
    colour = BLACK if primary else BLUE
    if not (fmt.absent(row["low"]) or fmt.absent(row["high"])):
        low, high = max(row["low"], left), min(row["high"], right)
        ax.plot([low, high], [y, y], color=colour, linewidth=1.5, solid_capstyle="butt", zorder=2)
        for value, end, marker in ((row["low"], left, "<"), (row["high"], right, ">")):
            if (value < left) if marker == "<" else (value > right):
                ax.plot([end], [y], marker=marker, color=colour, markersize=5, clip_on=False)
    if left <= row["estimate"] <= right:
        ax.plot([row["estimate"]], [y], marker="D" if primary else "s", color=colour,
                markersize=6 if primary else 5, zorder=3)  # fmt: skip


def _room(lines) -> float:
    """Inches that the names at the left take."""
    measure = Measure()
    return max((measure.width(line["label"], line["bold"]) for line in lines), default=0)


def _left(ax, lines):
    """Outcome and visit, aligned at their left."""
    ax.set_yticks([])
    for y, line in enumerate(lines):
        ax.annotate(
            line["label"], (0, y), (-_room(lines) * 72 - 8, 0),
            xycoords=ax.get_yaxis_transform(), textcoords="offset points", va="center",
            ha="left", size=8.5, weight="bold" if line["bold"] else "normal",
            annotation_clip=False,
        )  # fmt: skip


def _text(rows, text) -> list[tuple[str, list[str], float]]:
    """The text columns: header, a cell a row, and the inches they take."""
    if text is None:
        numbers = [fmt.estimate(r.estimate, r.low, r.high) for r in rows.itertuples()]
        columns = {"Estimate (interval)": numbers}
    else:
        columns = {header: [str(v) for v in rows[name]] for name, header in text.items()}
    measure = Measure()
    return [
        (header, cells, 0.16 + max(measure.width(header, True), *map(measure.width, cells), 0))
        for header, cells in columns.items()
    ]


def _right(ax, lines, text):
    """The text columns, each under its header, one row above the first line."""
    offset = 0.0
    for header, cells, room in text:
        offset += room * 72
        places = {y: cells[line["row"]] for y, line in enumerate(lines) if line["row"] is not None}
        for y, cell in {-1.0: header, **places}.items():
            ax.annotate(
                cell, (1, y), (offset, 0), xycoords=ax.get_yaxis_transform(),
                textcoords="offset points", va="center", ha="right", size=8.5,
                weight="bold" if y < -0.5 else "normal", annotation_clip=False,
            )  # fmt: skip


def _favours(favours, room) -> list[str]:
    """What each side favours, in lines of at most `room` inches."""
    if favours is None:
        return []
    characters = max(10, int(room / 0.074))
    return [wrap(f"← {favours[0]}", characters), wrap(f"{favours[1]} →", characters)]


def _words(ax, xlabel, words):
    """The axis label and, under it, what each side favours."""
    ax.set_xlabel(xlabel, labelpad=3)
    for x, ha, word in zip((0, 1), ("left", "right"), words, strict=False):
        ax.annotate(
            word, (x, 0), (0, -33), xycoords="axes fraction", textcoords="offset points",
            ha=ha, va="top", size=8.5, color=MUTED,
        )  # fmt: skip


@styled
def smd_plot(rows, ax=None, *, chance=None, xlabel="Standardised mean difference at baseline"):
    """Baseline differences (a love plot), with what chance alone gives as a band.

    Parameters
    ----------
    rows : DataFrame
        ``label``, ``smd`` (nan where not estimable) and, optionally, ``low`` and ``high``, in
        drawing order from the top.
    ax : Axes, optional
    chance : float or (float, float), optional
        Limits of the shaded band; one number stands for minus to plus.
    xlabel : str

    Returns
    -------
    Axes
    """
    columns_of(rows, "label", "smd")
    ax = axes_or_new(ax, height=ROW * len(rows) + 0.95)
    if chance is not None:
        low, high = (-chance, chance) if isinstance(chance, (int, float)) else chance
        ax.axvspan(low, high, color=SHADE, linewidth=0, zorder=0)
        ax.annotate(
            f"shaded: chance alone, {fmt.interval(low, high)}", (1, 1), (0, 4), ha="right",
            xycoords="axes fraction", textcoords="offset points", size=8, color=MUTED,
        )  # fmt: skip
    ax.axvline(0, color=INK, linewidth=0.9, zorder=1)
    limits = {"low", "high"} <= set(rows.columns)
    for y, row in enumerate(rows.to_dict("records")):
        if fmt.absent(row["smd"]):
            ax.annotate(fmt.NOT_ESTIMABLE, (0, y), (5, 0), textcoords="offset points",
                        va="center", size=8, color=MUTED, style="italic")  # fmt: skip
            continue
        if limits:
            ax.plot([row["low"], row["high"]], [y, y], color=RULE, linewidth=1.2, zorder=2)
        ax.plot([row["smd"]], [y], marker="o", color=BLUE, zorder=3)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.set_yticks(range(len(rows)), [wrap(label, 56) for label in rows["label"]])
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="y", linestyle=":")
    ax.margins(x=0.06)
    ax.spines["left"].set_visible(False)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}".replace("-", fmt.MINUS)))
    ax.set_xlabel(xlabel)
    return ax
