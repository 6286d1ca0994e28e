"""How a figure becomes files: its mark, its layout, the bytes of svg and png."""

from __future__ import annotations

import base64
import io
from html import escape

from matplotlib.layout_engine import ConstrainedLayoutEngine

from mair.report.style import VERMILION, styled
from mair.report.table import MARK, stem

STRIP = 0.24  # inches above a figure, for the mark


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


def html(fig, svg: bytes, alt: str) -> str:
    """A figure element that needs no other file and scrolls by itself on a narrow screen."""
    width = getattr(fig, "figure", fig).get_figwidth()
    data = base64.b64encode(svg).decode("ascii")
    return (
        '<figure class="mair-figure" tabindex="0" style="margin:1em 0;overflow-x:auto">'
        f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(" ".join(alt.split()))}" '
        f'style="width:100%;min-width:34rem;max-width:{width * 96:.0f}px;height:auto"></figure>'
    )
