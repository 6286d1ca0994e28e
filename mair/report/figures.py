"""Figures: the plot functions under one name, and how a figure is shown and saved.

Plot functions take tidy data and an Axes (or make their own) and return it. Nothing is
estimated here: means, intervals and curves come in as numbers.

Examples
--------
>>> from mair.report import figures
>>> fig, ax = figures.subplots(height=3)
>>> figures.show(fig, "example", "An empty pair of axes.")  # doctest: +SKIP
"""

from __future__ import annotations

import base64
import io
import re
import sys
from html import escape
from pathlib import Path

from matplotlib.layout_engine import ConstrainedLayoutEngine

from mair.report.consort import consort, flow_counts
from mair.report.forest import forest, smd_plot
from mair.report.plots import (
    before_after,
    before_after_grid,
    residual_plots,
    responder_curve,
    trajectories,
    trajectory_grid,
)
from mair.report.style import VERMILION, arm_styles, styled, subplots

__all__ = [
    "arm_styles", "before_after", "before_after_grid", "consort", "flow_counts", "forest",
    "render", "residual_plots", "responder_curve", "show", "smd_plot", "subplots",
    "trajectories", "trajectory_grid",
]  # fmt: skip

MARK = "SYNTHETIC: simulated data, no real participants"
STRIP = 0.24  # inches above a figure, for the mark


def show(fig, name, alt, out=None, synthetic=False):
    """Display a figure with its text alternative and, where `out` is given, write it.

    Parameters
    ----------
    fig : matplotlib Figure or Axes
    name : str
        File stem, of letters, digits, ``_`` and ``-``: ``figures/<name>.svg`` and ``.png``.
    alt : str
        What the figure shows, for those who cannot see it. Required.
    out : path or None
        The run's output folder; None writes nothing.
    synthetic : bool
        Draw the SYNTHETIC mark above the figure.

    Raises
    ------
    ValueError
        An empty `alt`, or a name that is no file stem.
    """
    from IPython.display import display

    files = render(fig, name, alt, synthetic)
    if out is not None:
        folder = Path(out) / "figures"
        folder.mkdir(parents=True, exist_ok=True)
        for suffix, content in files.items():
            (folder / f"{name}.{suffix}").write_bytes(content)
    fig = getattr(fig, "figure", fig)
    display(
        {"text/html": _html(files["svg"], alt, fig.get_figwidth()), "text/plain": alt.strip()},
        raw=True,
    )
    if "matplotlib.pyplot" in sys.modules:  # a figure of pyplot's would be displayed once more
        sys.modules["matplotlib.pyplot"].close(fig)


@styled
def render(fig, name, alt, synthetic=False, formats=("svg", "png")) -> dict[str, bytes]:
    """The bytes of a figure's files, equal on every call: ``{"svg": …, "png": …}`` (300 dpi).

    Parameters and errors as in `show`.
    """
    fig = getattr(fig, "figure", fig)
    stem(name)
    if not str(alt or "").strip():
        raise ValueError(f"figure {name}: alt is empty; say in words what the figure shows")
    if synthetic:
        _mark(fig)
    _settle(fig)
    about = {"Title": name, "Description": " ".join(alt.split())}
    files = {}
    for suffix, metadata in (
        ("svg", {**about, "Date": None, "Creator": "mair"}),
        ("png", {**about, "Software": "mair"}),
    ):
        if suffix not in formats:
            continue
        buffer = io.BytesIO()
        fig.savefig(buffer, format=suffix, dpi=300 if suffix == "png" else 72, metadata=metadata)
        files[suffix] = buffer.getvalue()
    return files


def stem(name) -> str:
    """The name, if it can be a file stem and an HTML id.

    Raises
    ------
    ValueError
        Anything but letters, digits, ``_`` and ``-``, beginning with a letter.
    """
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", str(name)):
        raise ValueError(f"a name is letters, digits, _ and -, from a letter on, not {name!r}")
    return name


def _settle(fig):
    """Lay the figure out once and keep it so: each further layout would move it a little."""
    if isinstance(fig.get_layout_engine(), ConstrainedLayoutEngine):
        fig.draw_without_rendering()
        fig.set_layout_engine("none")


def _mark(fig):
    """Make the figure taller by a strip that holds the mark, once."""
    if any(text.get_gid() == "synthetic" for text in fig.texts):
        return
    width, height = fig.get_size_inches()
    share = height / (height + STRIP)
    engine = fig.get_layout_engine()
    if isinstance(engine, ConstrainedLayoutEngine):
        left, bottom, across, up = engine.get().get("rect", (0, 0, 1, 1))
        engine.set(rect=(left, bottom * share, across, up * share))
    else:
        for ax in fig.axes:
            box = ax.get_position(original=True)
            ax.set_position([box.x0, box.y0 * share, box.width, box.height * share])
    for text in fig.texts:
        text.set_y(text.get_position()[1] * share)
    fig.set_size_inches(width, height + STRIP)
    fig.text(
        1 - 0.08 / width, 1 - 0.06 / (height + STRIP), MARK, gid="synthetic", color=VERMILION,
        size=8, weight="bold", ha="right", va="top", in_layout=False,
    )  # fmt: skip


def _html(svg: bytes, alt: str, width: float) -> str:
    """A figure element that needs no other file and scrolls by itself on a narrow screen."""
    data = base64.b64encode(svg).decode("ascii")
    return (
        '<figure class="mair-figure" tabindex="0" style="margin:1em 0;overflow-x:auto">'
        f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(" ".join(alt.split()))}" '
        f'style="width:100%;min-width:34rem;max-width:{width * 96:.0f}px;height:auto"></figure>'
    )
