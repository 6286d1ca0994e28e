"""One look for every figure: fonts, colours, and how the arms are told apart.

Figures are made without pyplot: nothing is registered globally, nothing has to be closed, and
a notebook shows a figure once, through `mair.report.figures.show`.
"""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

WIDTH = 7.2  # inches, the text width of the report and of a page

# Okabe & Ito (2008), "Color universal design": told apart in every common colour blindness.
BLUE, VERMILION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, BLACK = "#E69F00", "#56B4E9", "#F0E442", "#000000"
INK, MUTED, RULE, SHADE = "#262626", "#595959", "#8C8C8C", "#F2F2F2"

RC = {
    "font.family": ["sans-serif"],
    "font.sans-serif": ["DejaVu Sans"],  # comes with matplotlib: the same glyphs everywhere
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": RULE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "grid.color": "#E0E0E0",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "savefig.bbox": None,
    "svg.fonttype": "path",  # no font need be installed where the figure is read
    "svg.hashsalt": "mair",  # ids inside an SVG are random without it
    "path.simplify": False,
}


@dataclass(frozen=True)
class ArmStyle:
    """How one arm is drawn: colour, marker and line style each tell it apart."""

    color: str
    marker: str
    line: str
    fill: bool

    def markers(self) -> dict:
        """Keywords of a matplotlib line for the arm's markers."""
        face = self.color if self.fill else "white"
        return {"marker": self.marker, "markerfacecolor": face, "markeredgecolor": self.color}


STYLES = (
    ArmStyle(BLUE, "o", "--", False),
    ArmStyle(VERMILION, "s", "-", True),
    ArmStyle(GREEN, "^", "-.", True),
    ArmStyle(PURPLE, "D", ":", True),
)


def styled(function):
    """Run a plot function under the common rc parameters, whatever the session's are."""

    @functools.wraps(function)
    def inner(*args, **kwargs):
        with mpl.rc_context():
            mpl.rcdefaults()
            mpl.rcParams.update(RC)
            return function(*args, **kwargs)

    return inner


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


def ordered(values, given=None) -> dict[str, str]:
    """Keys and the text that stands for them, in drawing order.

    Parameters
    ----------
    values : iterable
        The keys that occur in the data.
    given : None, sequence of keys, or dict of key -> text
        The order wanted; default, order of first appearance. Keys that do not occur are kept,
        so that one arm has one style in every figure of a trial.

    Raises
    ------
    ValueError
        The data hold a key that `given` does not name.
    """
    found = list(dict.fromkeys(values))
    if given is None:
        given = found
    labels = dict(given) if isinstance(given, Mapping) else {key: str(key) for key in given}
    unknown = [key for key in found if key not in labels]
    if unknown:
        raise ValueError(f"{unknown[0]!r} is in the data but not among {list(labels)}")
    return labels


def arm_styles(arms) -> dict[str, ArmStyle]:
    """The style of each arm, control first."""
    return {arm: STYLES[i % len(STYLES)] for i, arm in enumerate(arms)}


def wrap(text, width) -> str:
    """Break a label into lines of at most `width` characters; its own line breaks stay."""
    lines = str(text).split("\n")
    return "\n".join(
        textwrap.fill(line, width, break_long_words=len(line.split()) == 1) for line in lines
    )


def columns_of(frame, *names):
    """Refuse a frame that lacks a column a plot needs.

    Raises
    ------
    ValueError
        Naming the missing columns and those there are.
    """
    missing = [name for name in names if name not in frame.columns]
    if missing:
        raise ValueError(f"no column {', '.join(missing)} among {', '.join(frame.columns)}")


def axes_or_new(ax, **kwargs):
    """The axes given, or those of a new figure."""
    return subplots(**kwargs)[1] if ax is None else ax


def swatch(label, look: ArmStyle, **kwargs):
    """A legend entry of one arm; keywords of `matplotlib.lines.Line2D` replace its look."""
    keywords = {"color": look.color, "linestyle": look.line, **look.markers(), **kwargs}
    return Line2D([], [], label=wrap(label, 90), **keywords)
