"""How a figure becomes files: its mark, its layout, the bytes of svg and png."""

import io
import re
from html import escape
from urllib.parse import quote

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG

from mair.report.style import INK, styled
from mair.report.table import MARK, stem

STRIP = 0.24  # inches above a figure, for the mark


@styled
def render(fig, name, alt, synthetic=False) -> dict[str, bytes]:
    """The bytes of a figure's files, equal on every call.

    Parameters
    ----------
    fig : matplotlib Figure or Axes
    name : str
        File stem, of letters, digits, ``_`` and ``-``.
    alt : str
        What the figure shows, for those who cannot see it; it stands in both files.
    synthetic : bool
        Draw the SYNTHETIC mark above the figure.

    Returns
    -------
    dict
        ``{"svg": …, "png": …}``, the second at 300 dots an inch.

    Raises
    ------
    ValueError
        An empty `alt`, or a name that is no file stem.
    """
    fig = getattr(fig, "figure", fig)
    stem(name)
    if not str(alt or "").strip():
        raise ValueError(f"figure {name}: alt is empty; say in words what the figure shows")
    settle(fig, synthetic)
    about = {"Title": name, "Description": " ".join(alt.split())}
    svg, png = io.BytesIO(), io.BytesIO()
    # Not savefig, which would draw everything once more to find the layout that is settled.
    fig.set_dpi(72)
    FigureCanvasSVG(fig).print_svg(svg, metadata={**about, "Date": None, "Creator": "mair"})
    fig.set_dpi(300)
    FigureCanvasAgg(fig).print_png(png, metadata={**about, "Software": "mair"},
                                   pil_kwargs={"compress_level": 3})
    return {"svg": svg.getvalue(), "png": png.getvalue()}


def settle(fig, synthetic=False):
    """Mark a figure and lay it out once: each further layout would move it a little."""
    engine = fig.get_layout_engine()
    if synthetic and fig.get_suptitle() != MARK:
        width, height = fig.get_size_inches()
        y = 1 - 0.06 / height  # a figure without a layout keeps room for the mark itself
        if engine is not None:
            y = None  # the layout finds it
            fig.set_figheight(height + STRIP)
        fig.suptitle(MARK, x=1 - 0.08 / width, y=y, ha="right", va="top", color=INK, size=8,
                     weight="bold", gid="synthetic")
    if engine is not None:
        engine.execute(fig)
        fig.set_layout_engine("none")


def html(fig, svg: bytes, alt: str, name: str, title="") -> str:
    """A figure element that needs no other file and scrolls by itself on a narrow screen."""
    width = 96 * getattr(fig, "figure", fig).get_figwidth()
    caption = f"<figcaption>{escape(title)}</figcaption>" if title else ""
    return (f'<figure class="tex2jax_ignore" id="figure-{name}" '
            'style="margin:1em 0;overflow-x:auto">'
            f"<img src='{data(svg)}' "
            f'alt="{escape(" ".join(alt.split()))}" '
            f'width="{width:.0f}">{caption}</figure>')


SHORTER = [(re.compile(long, re.DOTALL), short) for long, short in (
    (r"<metadata>.*?</metadata>|<!.*?>|<\?.*?\?>", ""), (r"\s+", " "),
    (r"([1-9]\d*\.\d)\d+", r"\1"), (r"(?<=\d)\.0(?!\d)", ""),  # to a tenth of a point
    (r'<g id="(?!synthetic)[^"]*"', "<g"), (r"DejaVuSans-Bold-", "b"), (r"DejaVuSans-", "g"),
    (r'href="(#\w+)" transform="translate\(([\d.-]+) 0\)"', r'href="\1" x="\2"'),
    (r"xlink:href", "href"), (r'(?<=[\d"]) ?([MLQCz]) ?(?=[\d"-])', r"\1"), ("> <", "><"))]


def data(svg: bytes) -> str:
    """A picture as an address between single quotes, without what a browser does not need.

    The names of groups, prologue and comments are left out; those of glyphs are shortened.
    """
    text = svg.decode("utf-8")
    for long, short in SHORTER:
        text = long.sub(short, text)
    return "data:image/svg+xml," + quote(text, safe=' <=:/;,"()!*@$+?{}[]|~.-_')
