"""One look for every figure: colours, sizes, and how the arms are told apart.

Fonts and lines stand in ``figures.mplstyle``, a style sheet of matplotlib's.

Figures are made without pyplot: nothing is registered globally, nothing has to be closed, and
a notebook shows a figure once, through `mair.report.show.Show`.
"""

import functools
import textwrap
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from matplotlib import style
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, get_font
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

WIDTH = 7.2  # inches, the text width of the report and of a page
FONT = "DejaVu Sans"  # comes with matplotlib: the same glyphs everywhere
SIZE = 8.5  # points, of labels

# Okabe & Ito (2008), "Color universal design": told apart in every common colour blindness.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
INK, MUTED, RULE, SHADE = "#262626", "#595959", "#8C8C8C", "#F2F2F2"

SHEET = Path(__file__).with_name("figures.mplstyle")


@dataclass(frozen=True)
class ArmStyle:
    """How one arm is drawn: colour, marker and line style each tell it apart."""

    color: str
    marker: str
    line: str
    face: str

    def markers(self) -> dict:
        """Keywords of a matplotlib line for the arm's markers."""
        return {"marker": self.marker, "markerfacecolor": self.face, "markeredgecolor": self.color}

    def points(self) -> dict:
        """Keywords of markers that no line joins."""
        return {"color": self.color, "linestyle": "none", **self.markers()}


# Of what is no arm: models, methods, scenarios.
COLORS = (INK, GREEN, PURPLE, RULE)
STYLES = (ArmStyle(BLUE, "o", "--", "white"), ArmStyle(VERMILION, "s", "-", VERMILION),
          ArmStyle(GREEN, "^", "-.", GREEN), ArmStyle(PURPLE, "D", ":", PURPLE))


# A decorator: a plot function runs under the common rc parameters, whatever the session's are.
styled = style.context(SHEET, after_reset=True)


@styled
def subplots(rows=1, columns=1, *, width=WIDTH, height=4.2, **kwargs):
    """A figure with constrained layout and its axes.

    Parameters
    ----------
    rows, columns : int
    width, height : float
        Inches.
    **kwargs
        Passed to `matplotlib.figure.Figure.subplots`.

    Returns
    -------
    (Figure, Axes or array of Axes)
    """
    fig = Figure(figsize=(width, height), layout="constrained")
    fig.get_layout_engine().set(w_pad=0.06, h_pad=0.06)
    return fig, fig.subplots(rows, columns, **kwargs)


def panels(names, columns, *, row, rest, **kwargs):
    """A figure of equal panels, and its axes by name.

    Parameters
    ----------
    names : sequence of str
    columns : int
        Most that stand beside each other.
    row, rest : float
        Inches of a row of panels, and of what stands around all of them.
    **kwargs
        As of `subplots`.

    Returns
    -------
    (Figure, dict of str to Axes)
    """
    across = min(columns, len(names))
    down = -(-len(names) // across)
    fig, axes = subplots(down, across, height=down * row + rest, squeeze=False, **kwargs)
    for spare in axes.flat[len(names):]:
        spare.remove()
    return fig, dict(zip(names, axes.flat, strict=False))


def numbered(axis, most, steps=(1, 2, 2.5, 5, 10)):
    """At most so many intervals between round numbers, written plainly."""
    axis.set_major_locator(MaxNLocator(most, steps=steps))
    axis.set_major_formatter("{x:g}")


def note(ax, text, place, offset, **look):
    """A small text `offset` points from a place; keywords of `matplotlib.axes.Axes.annotate`."""
    ax.annotate(text, place, offset, textcoords="offset points", **{
        "size": 8, "color": MUTED, "annotation_clip": False, **look})


def limits(frame, name="estimate"):
    """Estimates, and how far their limits ``low`` and ``high`` lie below and above them."""
    middle, low, high = (frame[key].astype(float) for key in (name, "low", "high"))
    return middle, [middle - low, high - middle]


def by_arm(frame, arms):
    """Rows of a frame by ``arm`` and the arm's look, the control arm first."""
    for arm, look in arm_styles(arms).items():
        yield frame[frame["arm"] == arm], look


def arm_styles(arms) -> dict[str, ArmStyle]:
    """The style of each arm, control first."""
    return {arm: STYLES[i % len(STYLES)] for i, arm in enumerate(arms)}


def arm_legend(figure, arms, **kwargs):
    """One legend a figure, below all axes; long names stand under each other.

    Parameters
    ----------
    figure : Figure
    arms : dict of arm -> label
        Control first.
    **kwargs
        Of `matplotlib.lines.Line2D`, in place of an arm's own look.
    """
    handles = [Line2D([], [], label=wrap(arms[arm], 90), **{
        "color": look.color, "linestyle": look.line, **look.markers(), **kwargs})
        for arm, look in arm_styles(arms).items()]
    figure.legend(handles=handles, loc="outside lower center", handlelength=3.2,
                  ncols=len(arms) if side_by_side(arms) else 1)


def parts(frame):
    """Rows of a frame by ``primary`` and, where it has it, ``invented``, which are hollow.

    Yields
    ------
    (DataFrame, bool, dict)
        The rows, whether they are primary, and keywords of their markers.
    """
    made = frame["invented"] if "invented" in frame else frame["primary"] & False
    for primary, hollow in product((False, True), repeat=2):
        part = frame[(frame["primary"] == primary) & (made == hollow)]
        if len(part):
            yield part, primary, {"markerfacecolor": "white"} if hollow else {}


def hollow_legend(figure, invented):
    """One entry below all axes, where marks are the generator's choice."""
    if any(invented):
        figure.legend(loc="outside lower right", handles=[Line2D(
            [], [], marker="s", color=INK, linestyle="none", markerfacecolor="white",
            label="hollow: not printed, differs between agreeing cohorts")])


def side_by_side(arms) -> bool:
    """Whether the arms' names stand beside each other in a legend."""
    return max(map(len, arms.values())) * len(arms) < 96


def wrap(text, width) -> str:
    """Break a label into lines of at most `width` characters; its own line breaks stay."""
    return "\n".join(textwrap.fill(line, width, break_long_words=len(line.split()) == 1)
                     for line in str(text).split("\n"))


@functools.cache
def inches(text, bold=False) -> float:
    """How wide a label is where it is widest, in inches."""
    font = get_font(findfont(FontProperties(family=FONT, weight="bold" if bold else "normal")))
    font.set_size(SIZE, 72)
    widest = 0
    for line in text.split("\n"):
        font.set_text(line)
        widest = max(widest, font.get_width_height()[0])
    return widest / 64 / 72  # from 64ths of a point


def fit(text, room, bold=False) -> list[str]:
    """Lines no wider than `room` inches; a word that alone is wider is cut."""
    for characters in range(max(1, int(room * 20)), 0, -1):
        lines = textwrap.wrap(text, characters, break_on_hyphens=False) or [""]
        if all(inches(line, bold) <= room for line in lines):
            break
    return lines
