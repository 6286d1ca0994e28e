"""Former name of `mair.report.figure`; leaves with the last caller."""

from types import SimpleNamespace

from mair.report.consort import consort, flow_counts
from mair.report.figure import STRIP, render
from mair.report.forest import forest, smd_plot
from mair.report.plots import (
    before_after,
    before_after_grid,
    residual_plots,
    responder_curve,
    trajectories,
    trajectory_grid,
)
from mair.report.show import Show
from mair.report.style import arm_styles, subplots
from mair.report.table import MARK

__all__ = [
    "MARK", "STRIP", "arm_styles", "before_after", "before_after_grid", "consort", "flow_counts",
    "forest", "render", "residual_plots", "responder_curve", "show", "smd_plot", "subplots",
    "trajectories", "trajectory_grid",
]  # fmt: skip


def show(fig, name, alt, out=None, synthetic=False):
    """Display and write a figure."""
    Show(SimpleNamespace(synthetic=synthetic), out)(fig, name, alt)
