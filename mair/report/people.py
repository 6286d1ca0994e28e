"""Plots of people: courses over visits, and before and after side by side.

Everything drawn is passed in; what is thin is a person, what is thick is a summary.
"""

import itertools

import numpy as np
from matplotlib.collections import LineCollection
from matplotlib.patheffects import withStroke
from matplotlib.ticker import LogLocator, NullLocator

from mair.report import fmt, style

TITLE = 26  # characters a line of a panel's title and of its axis label


@style.styled
def trajectories(people, means, outcomes, *, arms, visits, log=(), apart=False):
    """Each participant's course as a thin line, each arm's means with intervals on top.

    Parameters
    ----------
    people : DataFrame
        ``outcome, participant, arm, visit, value``, one row a measurement; missing values are
        left out and the line goes on to the next visit seen. With ``low``, ``high`` and
        ``people``, medians between quartiles, as of one participant, of so many.
    means : DataFrame
        ``outcome, arm, visit, mean, low, high``; nan limits draw no interval. The text beside
        the figure says which means they are.
    outcomes : dict of outcome -> label of its value axis
        Panels in this order; the key is the panel's title.
    arms : dict of arm -> label
        Control first. The same `arms` in every figure keeps colours, markers and line styles.
    visits : dict of visit -> label
    log : collection of str
        Outcomes with a logarithmic axis.
    apart : bool
        The arms side by side, each person's scores as points too.

    Returns
    -------
    Figure
    """
    columns, slanted, names = _grid(outcomes, visits, arms if apart else {"": ""})
    under = (max(map(style.inches, names)) * 0.7 + 0.2 if slanted
             else 0.13 * max(name.count("\n") + 2 for name in names))
    above = 0.15 * max(style.wrap(title, TITLE).count("\n") + 1 for title in outcomes)
    legend = 0.2 * (1 if style.side_by_side(arms) else len(arms)) + 0.15
    fig, axes = style.panels(outcomes, columns, rest=legend,
                             row=(1.8 if columns > 1 else 2.8) + under + above)
    for name, ax in axes.items():
        places, seen = _panel(ax, people[people["outcome"] == name],
                              means[means["outcome"] == name], style.arm_styles(arms), visits,
                              apart, name in log)
        between = ", " if slanted else "\n"
        ax.set_xticks(places, [f"{where}{between}n = {count}" for where, count in
                               zip(names, seen, strict=True)])
        if slanted:
            for tick in ax.get_xticklabels():
                tick.set(rotation=40, ha="right", rotation_mode="anchor", va="center")
        ax.set(ylabel=style.wrap(outcomes[name], TITLE), title=style.wrap(name, TITLE))
    style.arm_legend(fig, arms)
    return fig


@style.styled
def primary(people, means, label, *, arms, visits):
    """The primary outcome: one panel an arm, people grey and counted, means with their numbers.

    Parameters
    ----------
    people, means : DataFrame
        As of `trajectories`, of one outcome.
    label : str
        Of the value axis: unit or range, and which end is good.
    arms : dict of arm -> label
    visits : dict of visit -> label

    Returns
    -------
    Figure
    """
    fig, axes = style.subplots(1, len(arms), width=2.6 * len(arms), height=2.9, sharey=True,
                               squeeze=False)
    for ax, (arm, look) in zip(axes[0], style.arm_styles(arms).items(), strict=True):
        places, seen = _panel(ax, people[people["arm"] == arm], means, {arm: look}, visits,
                              thin=style.RULE)
        for one in means[means["arm"] == arm].dropna(subset=["mean"]).itertuples():
            style.note(ax, fmt.number(one.mean, 1), (list(visits).index(one.visit), one.mean),
                       (7, 5), color=look.color, size=None, weight="bold", zorder=6,
                       annotation_clip=None,
                       path_effects=[withStroke(linewidth=2.5, foreground="white")])
        ax.set_xticks(places, [
            style.wrap(f"{name}\nn = {count}", 12 if len(visits) < 4 else 8)
            for name, count in zip(visits.values(), seen, strict=True)])
        ax.set_title(style.wrap(arms[arm], 24), color=look.color)
    axes[0][0].set_ylabel(style.wrap(label, 36))
    return fig


def _grid(labels, visits, groups):
    """Columns of panels, whether the names of visits stand aslant, and the names."""
    names = [style.wrap(name, 12) for name in visits.values()] * len(groups)
    wide = list(map(style.inches, names))
    pair = max(((a + b) / 2 for a, b in itertools.pairwise(wide)), default=0)

    def crowded(columns):
        return pair + 0.1 > (style.WIDTH / columns - 0.65) / len(names)

    columns = min(2 if crowded(3) else 3, len(labels))
    return columns, crowded(columns), names


def _panel(ax, people, means, looks, visits, apart=False, log=False, thin=None):
    """Draw one panel; the places of its visits, and how many people were seen at each."""
    _value_axis(ax, log)
    seen = people.get("people", people["value"].notna()).groupby(
        [people["arm"].map(lambda arm: arm * apart), people["visit"]]).sum()
    means, ticks, counts = means.dropna(subset=["mean"]), [], []
    for i, (arm, look) in enumerate(looks.items()):
        start = i * (len(visits) + 0.6) if apart else 0.0
        at = {visit: start + j for j, visit in enumerate(visits)}
        if apart or not i:
            ticks += at.values()
            counts += [seen.get((arm * apart, visit), 0) for visit in visits]
        own = _courses(ax, people[people["arm"] == arm], at, thin or look.color)
        middle, beside = means[means["arm"] == arm], 0.1 * (i - (len(looks) - 1) / 2)
        x = middle["visit"].map(at).astype(float)  # where no mean was estimated too
        if apart:  # the summary stands beside the participants' points, not over them
            ax.plot(own["x"], own["value"], markersize=3.2, alpha=0.6, zorder=2, **look.points())
            beside = 0.4 * ((x - start) / max(len(visits) - 1, 1) - 0.5)
            if i:
                ax.axvline(start - 0.8, color=style.RULE, linewidth=0.6, linestyle=":")
        _summary(ax, x + beside, middle, look)
    ax.set_xlim(min(ticks) - 0.4, max(ticks) + 0.4)
    return ticks, counts


def _courses(ax, people, at, color):
    """Each person's scores as a thin line over the places of visits; the people with their x."""
    people = people.dropna(subset=["value"])
    people = people.assign(x=people["visit"].map(at).astype(float)).sort_values("x")
    if "low" in people:
        ax.fill_between(people["x"], people["low"], people["high"], color=color, alpha=0.2,
                        linewidth=0, zorder=0)
        if len(at) == 1:  # a band of no width
            ax.vlines(people["x"], people["low"], people["high"], color=color, alpha=0.2,
                      linewidth=12, zorder=0)
    courses = [np.column_stack([one["x"], one["value"]])
               for _, one in people.groupby("participant", sort=False)]
    ax.add_collection(LineCollection(courses, colors=color, linewidths=0.6, alpha=0.38, zorder=1))
    return people


def _summary(ax, x, means, look):
    """Means with intervals and the line that joins them, above the participants."""
    middle, low, high = means["mean"], means["low"], means["high"]
    ax.plot(x, middle, color="white", linewidth=3.4, zorder=3)  # sets the line off the people
    ax.vlines(x, low, high, color="white", linewidth=3.8, zorder=3)
    ax.vlines(x, low, high, color=look.color, linewidth=1.7, zorder=4)
    ax.plot(x, middle, color=look.color, linestyle=look.line, linewidth=1.9, zorder=5,
            **look.markers())


def _value_axis(ax, log):
    """Plain numbers; on a log axis 1, 2, 5 and their tens."""
    style.numbered(ax.yaxis, 5)
    if log:
        ax.set_yscale("log")
        ax.yaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter("{x:g}")
    ax.grid(axis="y")
