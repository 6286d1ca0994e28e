"""Former name of `mair.report.people` and `mair.report.curves`; leaves with the last caller."""

from mair.report.curves import residual_plots, responder_curve
from mair.report.people import before_after as before_after_grid
from mair.report.people import trajectories as trajectory_grid

__all__ = ["before_after_grid", "residual_plots", "responder_curve", "trajectory_grid"]
