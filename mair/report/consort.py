"""The CONSORT flow diagram, drawn from counts: boxes take the size of their text.

Lengths are inches and y runs upwards from minus the figure's height, so that text and boxes
share one scale. A box is a list of texts (``data/consort.j2``), the first one bold.
"""

import re
from functools import partial

from matplotlib.figure import Figure
from matplotlib.patches import FancyBboxPatch

from mair.report import written
from mair.report.style import MUTED, RULE, SHADE, SIZE, WIDTH, fit, inches, styled

STEP = SIZE * 1.32 / 72  # from line to line
PAD = 0.09  # between text and its box
GAP, GUTTER = 0.26, 0.3  # between boxes above and beside each other
EDGE, TOP = 0.08, 0.3  # around the drawing; at the top, room for the mark


@styled
def consort(rows, *, arms, visits, outcome):
    """The flow of participants as a diagram.

    Parameters
    ----------
    rows : DataFrame
        Columns of ``results.csv``; counts of participants (statistic ``n``) of the analysis
        ``flow``: ``assessed``, ``excluded: <reason>``, ``randomised``, ``retained``,
        ``lost: <reason>`` (arm, visit), ``analysed: <outcome>``, ``left out: <reason>``. An arm
        with ``randomised`` that is not among `arms` was randomised with them, and is named as
        one not compared.
    arms : dict of arm -> label
        In drawing order.
    visits : dict of visit -> label
        Those with a box of their own.
    outcome : str
        Whose ``analysed`` counts.

    Returns
    -------
    Figure
    """
    rows = rows[(rows["analysis"] == "flow") & (rows["statistic"] == "n") & rows["value"].notna()]
    n = {(row.variable, row.arm, row.time): int(row.value) for row in rows.itertuples()}
    text = written.filled(
        "consort.j2", n=n, arms=arms, visits=visits, outcome=outcome, reasons=partial(_reasons, n),
        others={arm: count for (variable, arm, _), count in n.items()
                if variable == "randomised" and arm not in (*arms, "overall")})
    above, *columns = ([box.strip().splitlines() for box in re.split(r"\n{2,}", part.strip())]
                       for part in text.split("\f"))
    figure = Figure()
    ax = figure.add_axes((0, 0, 1, 1))
    ax.set_axis_off()
    height = EDGE - _columns(ax, columns, _trunk(ax, above))
    figure.set_size_inches(WIDTH, height)
    ax.set(xlim=(0, WIDTH), ylim=(-height, 0))
    return figure


def _reasons(n, prefix, arm, visit="") -> dict[str, int]:
    """Counts by what follows `prefix`, as reasons of exclusion."""
    return {variable.removeprefix(prefix): count for (variable, a, v), count in n.items()
            if variable.startswith(prefix) and (a, v) == (arm, visit)}


def _trunk(ax, boxes) -> float:
    """Draw what stands above the arms; the lower edge of the last box."""
    middle, y, above = WIDTH / 2, -TOP, None
    for first, *texts in boxes:
        aside, left = first.startswith("> "), middle + GUTTER
        room = WIDTH - EDGE - left if aside else 0.62 * WIDTH
        lines = _lines([first.removeprefix("> "), *texts], room)
        wide = 2 * PAD + max(inches(*line) for line in lines)
        left = left if aside else middle - wide / 2
        bottom = _box(ax, lines, left, y, wide)
        if aside:
            _arrow(ax, (middle, (y + bottom) / 2), (left, (y + bottom) / 2))
        else:
            if above is not None:
                _arrow(ax, (middle, above), (middle, y))
            above = bottom
        y = bottom - GAP
    return above


def _columns(ax, columns, above) -> float:
    """Draw the arms' boxes in rows below `above`; the lower edge of the last row."""
    count = len(columns)
    room = min(3.6, (WIDTH - 2 * EDGE + GUTTER) / count - GUTTER)
    start = (WIDTH - count * room - (count - 1) * GUTTER) / 2
    y = above - 1.6 * GAP
    for row, boxes in enumerate(zip(*columns, strict=True)):
        wrapped = [_lines(texts, room) for texts in boxes]
        high = max(map(len, wrapped))
        for i, lines in enumerate(wrapped):
            left = start + i * (room + GUTTER)
            middle, bar = left + room / 2, above - 0.8 * GAP
            if row == 0:  # the bar that joins the arms
                ax.plot([WIDTH / 2, WIDTH / 2, middle, middle], [above, bar, bar, y], color=RULE,
                        linewidth=1.0, zorder=1)
            _arrow(ax, (middle, bar if row == 0 else above), (middle, y))
            bottom = _box(ax, lines, left, y, room, lines_high=high, shade=row == 0)
        above, y = bottom, bottom - GAP
    return above


def _lines(texts, room) -> list[tuple[str, bool]]:
    """The texts of a box in lines that fit `room` inches, and which are bold."""
    out = []
    for i, text in enumerate(texts):
        hang = "     " if text.startswith("· ") else ""
        text = text.replace("(n = ", "(n\u00a0=\u00a0")  # kept together
        parts = fit(text, room - 2 * PAD - 0.2 * bool(hang), i == 0)
        out += [(f"{hang[2 * (k == 0):]}{part}", i == 0) for k, part in enumerate(parts)]
    return out


def _box(ax, lines, left, top, width, lines_high=0, shade=False) -> float:
    """Draw a box from its upper left corner; its lower edge."""
    height = max(len(lines), lines_high) * STEP + 2 * PAD
    name = f"{left:.2f} {top:.2f}"
    ax.add_patch(FancyBboxPatch(
        (left, top - height), width, height, boxstyle="round,pad=0,rounding_size=0.05",
        facecolor=SHADE if shade else "white", edgecolor=MUTED, linewidth=0.9, gid=f"box {name}",
        zorder=2))
    for i, (text, bold) in enumerate(lines):
        ax.text(left + PAD, top - PAD - (i + 0.5) * STEP, text, size=SIZE, va="center_baseline",
                weight="bold" if bold else "normal", gid=f"text {name}", zorder=3)
    return top - height


def _arrow(ax, start, end):
    ax.annotate("", end, start, zorder=1, arrowprops={
        "arrowstyle": "-|>", "color": RULE, "linewidth": 1.0, "shrinkA": 0, "shrinkB": 0})
