"""Correlations between visits: what printed numbers imply beside what a cohort has."""

from __future__ import annotations

from mair.report.style import INK, RULE, arm_styles, styled, subplots
from mair.results import records


@styled
def correlation_bands(rows, *, arms):
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
    at = {name: i for i, name in enumerate(reversed(names))}
    _, ax = subplots(height=0.27 * len(names) + 1.4)
    implied, made = (records(rows, method=method) for method in ("implied", "pearson"))
    for one in implied:
        y = at[one.variable]
        ax.plot([one.band_low, one.band_high], [y, y], color=RULE, lw=7, alpha=0.35,
                solid_capstyle="butt", zorder=1)
        ax.plot([one.r, one.r], [y - 0.36, y + 0.36], color=INK, lw=1.6, zorder=3)
    looks = arm_styles(arms)
    for k, (arm, label) in enumerate(arms.items()):
        part = [one for one in made if one.arm == arm]
        ax.plot([one.r for one in part], [at[one.variable] + 0.15 * (2 * k - 1) for one in part],
                linestyle="none", markersize=4.5, label=label, zorder=4, color=looks[arm].color,
                **looks[arm].markers())
    ax.set_yticks(list(at.values()), list(at))
    ax.set(xlabel="correlation between two visits, within an arm", ylabel="",
           xlim=(-0.05, max(1.02, 0.05 + max(one.r for one in implied))))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return ax
