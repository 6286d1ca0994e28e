"""Plots with one row a quantity: contrasts, baseline differences, correlations."""

import pandas as pd

from mair.report import style
from mair.results import records

ROW = 0.235  # inches a line takes
NAMES = 2.6  # inches for names, beyond which they wrap


@style.styled
def forest(rows, *, xlabel, text, favours=()):
    """Contrasts with their intervals, grouped by outcome, numbers at the right.

    Parameters
    ----------
    rows : DataFrame
        One row a contrast, in drawing order: ``label`` (the outcome), ``visit``, ``estimate``,
        ``low``, ``high``, all three on the scale of the axis, nan where not estimable;
        ``primary`` (bool: drawn black, with a diamond); ``invented`` (bool, optional: drawn
        hollow and said in a legend); ``printed`` (optional: a ring); ``chance`` (optional: of
        outcomes with one visit; shaded from minus to plus it); and the text columns of `text`.
        Outcomes with one visit take one line.
    xlabel : str
        The scale, with its unit.
    text : dict of column -> header
        Columns of strings at the right.
    favours : (str, str), optional
        What an estimate left and right of 0 favours: ``("favours MAIR", "favours RT")``.

    Returns
    -------
    Axes
    """
    rows = rows.reset_index(drop=True)
    lines = _lines(rows)
    rows["y"] = rows.index.map(dict(zip(lines["row"], lines["y"], strict=True)))
    left = max(map(style.inches, lines["text"], lines["bold"]))
    wide = {column: 0.16 + max(style.inches(header, True), *map(style.inches, rows[column]))
            for column, header in text.items()}
    room = (style.WIDTH - 0.6 - left - sum(wide.values())) / 2
    words = ["\n".join(style.fit(word, room)) for word in
             (f"← {favours[0]}", f"{favours[1]} →")] if favours else []
    under = 0.7 + 0.16 * max((word.count("\n") + 1 for word in words), default=0)
    _, ax = style.subplots(height=ROW * (lines["high"].sum() + 1) + under)
    _points(ax, lines, rows)
    for line in lines.itertuples():
        _label(ax, line.text, (0, line.y), (-72 * left - 8, 0), bold=line.bold)
    offset = 0.0
    for column, header in text.items():
        offset += 72 * wide[column]
        _label(ax, header, (1, -1), (offset, 0), bold=True, ha="right")
        for y, shown in zip(rows["y"], rows[column], strict=True):
            _label(ax, shown, (1, y), (offset, 0), ha="right")
    ax.set_xlabel(xlabel, labelpad=3)
    for x, ha, word in zip((0, 1), ("left", "right"), words, strict=False):
        style.note(ax, word, (x, 0), (0, -33), xycoords="axes fraction", ha=ha, va="top",
                   size=style.SIZE)
    return ax


def _lines(rows):
    """The lines of the plot: ``row`` (-1: a header), ``text``, ``bold``, ``band``, ``y``, ``high``.

    An outcome with several visits has a header of its own; every second outcome is shaded.
    """
    out = []
    for i, (label, part) in enumerate(rows.groupby("label", sort=False)):
        several, band = len(part) > 1, i % 2 == 0
        if several:
            out.append((-1, str(label), True, band))
        for index, visit in part["visit"].items():
            alone = f"{label}, {visit}" if visit else str(label)
            out.append((index, f"    {visit}" if several else alone, not several, band))
    lines = pd.DataFrame(out, columns=["row", "text", "bold", "band"])
    fitted = [style.fit(text, NAMES, bold) for _, text, bold, _ in out]
    high = pd.Series([max(1.0, 0.66 * len(parts)) for parts in fitted], dtype=float)
    return lines.assign(text=["\n".join(parts) for parts in fitted], high=high,
                        y=high.cumsum() - high / 2 - 0.5)


def _points(ax, lines, rows):
    """Estimates with intervals over the shaded lines, or over what chance gives."""
    if "chance" in rows:
        ax.barh(rows["y"], 2 * rows["chance"], lines["high"], -rows["chance"], color=style.SHADE,
                linewidth=0, zorder=0)
    for line in lines[lines["band"] & ("chance" not in rows)].itertuples():
        ax.axhspan(line.y - line.high / 2, line.y + line.high / 2, color=style.SHADE, linewidth=0,
                   zorder=0)
    ax.axvline(0, color=style.INK, linewidth=0.9, zorder=1)
    for part, primary, look in style.parts(rows):
        look |= {"fmt": "D", "markersize": 6} if primary else {"fmt": "s", "markersize": 4}
        middle, ends = style.limits(part)
        ax.errorbar(middle, part["y"], xerr=ends, elinewidth=1.5, color="black", **look)
    if "printed" in rows:
        ax.plot(rows["printed"], rows["y"], "o", color=style.COLORS[2], markersize=10,
                markerfacecolor="none", markeredgewidth=1.3, zorder=4)
    style.hollow_legend(ax.figure, rows.get("invented", []))
    ax.set(ylim=(lines["high"].sum() - 0.4, -0.6), yticks=[])
    ax.spines["left"].set_visible(False)
    style.numbered(ax.xaxis, 7, (1, 2, 5, 10))


def _label(ax, text, place, offset, *, bold=False, ha="left"):
    """A text beside the axes on a line of it."""
    style.note(ax, text, place, offset, xycoords=ax.get_yaxis_transform(), ha=ha, va="center",
               size=style.SIZE, weight="bold" if bold else "normal", color=style.INK)


@style.styled
def correlations(rows, *, arms):
    """Implied against generated correlations: band, implied value, and one mark a pair of visits.

    Parameters
    ----------
    rows : DataFrame
        Rows of the analysis ``reconstruction``: method ``implied`` with ``r band_low
        band_high``, method ``pearson`` with ``r`` by arm and pair of visits.
    arms : dict of arm -> label

    Returns
    -------
    Axes
    """
    names = list(dict.fromkeys(rows["variable"]))
    _, ax = style.subplots(height=0.27 * len(names) + 1.4)
    implied, made = (records(rows, method=method) for method in ("implied", "pearson"))
    for one in implied:
        y = names.index(one.variable)
        ax.plot([one.band_low, one.band_high], [y, y], color=style.RULE, linewidth=7, alpha=0.35,
                solid_capstyle="butt", zorder=1)
        ax.plot([one.r, one.r], [y - 0.36, y + 0.36], color=style.INK, zorder=3)
    for beside, (arm, look) in zip((0.15, -0.15), style.arm_styles(arms).items(), strict=True):
        part = [one for one in made if one.arm == arm]
        ax.plot([one.r for one in part], [names.index(one.variable) + beside for one in part],
                markersize=4.5, zorder=4, **look.points())
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks(range(len(names)), names)
    ax.set(xlabel="correlation between two visits, within an arm",
           xlim=(-0.05, max(1.02, 0.05 + max(one.r for one in implied))))
    style.arm_legend(ax.figure, arms, linestyle="none")
    return ax
