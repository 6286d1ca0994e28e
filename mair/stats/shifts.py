"""How far imputed values could be off: constants added to them, and where the result tips.

A ``pooled`` here is a function of two shifts, of the treatment and of the control arm's imputed
values at a visit (signed, outcome's units, arrays that broadcast), to the pooled analysis:
`surface` makes one.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

from mair.stats.effects import Interval
from mair.stats.pooling import rubin


class Tipping(NamedTuple):
    """Where a result tips.

    Attributes
    ----------
    state : str
        "tips"; "contains 0 already" (delta is 0); "none within the scale"; "nobody imputed"
        (nobody of the shifted arms is missing at that visit); "not estimable".
    delta : float
        Smallest shift, in the outcome's units along ``direction``, at which the pooled interval
        contains 0; nan where there is none.
    imputed : int
        Values imputed in the shifted arms at that visit, over all imputations.
    beyond : int
        How many of them lie outside the scale at ``delta``, or at its limit where nothing tips.
        Nothing is clipped.
    """

    state: str
    delta: float
    imputed: int
    beyond: int


def shifted(imputed, arm, visit, treatment=0.0, control=0.0):
    """Completed values with a constant added to what was imputed at one visit.

    Parameters
    ----------
    imputed : Imputed
    arm : array (n,)
    visit : int
    treatment, control : float
        Added to the imputed values of either arm, signed, outcome's units.

    Returns
    -------
    ndarray (m, n, T)
        At 0 and 0 the imputations as they are.
    """
    out = imputed.values.copy()
    gone = imputed.missing[:, visit]
    out[:, gone, visit] += np.where(np.asarray(arm)[gone] == 1, treatment, control)
    return out


def surface(imputed, arm, visit, analyse):
    """The pooled analysis as a function of what is added to either arm's imputed values.

    Parameters
    ----------
    imputed : Imputed
        Under mar, as a rule; the same imputations serve every shift.
    arm : array (n,)
    visit : int
        Whose imputed values are shifted; other visits stay.
    analyse : callable
        Of `pooling.group_by_time`: its parts are quadratic in the shifts, so six evaluations
        give them all.

    Returns
    -------
    callable
        ``pooled(treatment, control)`` to `pooling.Pooled`, of the shifts' shape.
    """
    step = float(imputed.values[..., visit].std()) or 1.0
    corners = [analyse.parts(shifted(imputed, arm, visit, step * a, step * b))
               for a, b in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1), (1, 1))]
    df, polynomials = corners[0][0], []
    for start, up, down, more, less, both in zip(*(corner[1:] for corner in corners), strict=True):
        a, c = (up - down) / 2, (more - less) / 2
        aa, cc = (up + down) / 2 - start, (more + less) / 2 - start
        polynomials.append(np.stack([start, a, c, aa, cc, both - start - a - c - aa - cc], 1))

    def pooled(treatment, control=0.0):
        a, c = np.broadcast_arrays(np.asarray(treatment) / step, np.asarray(control) / step)
        powers = np.stack([np.ones(a.shape), a, c, a * a, c * c, a * c])
        return rubin(*analyse.joined(df, *(np.tensordot(one, powers, 1) for one in polynomials)))

    return pooled


def tipping_point(pooled, imputed, arm, visit, *, scale, better="lower", confidence=0.95,
                  limit=None, direction=(1, 0)):
    """Smallest delta >= 0 that brings 0 into the pooled interval.

    Parameters
    ----------
    pooled : callable
        See the module.
    imputed, arm, visit
        As for `surface`.
    scale : tuple of float or None
        Lowest and highest possible value; None where the outcome has no bounds.
    better : {"lower", "higher"}
        Which end of the scale is good.
    confidence : float
    limit : float, optional
        Largest delta looked at; by default the width of the scale.
    direction : (int, int)
        Deltas by which the treatment and the control arm become worse; -1 for better.

    Returns
    -------
    Tipping

    Notes
    -----
    An estimate linear in the outcome is linear in delta, and its zero ends the search; any other
    is searched to ``limit``. The first of 16 equal steps whose interval contains 0 is refined.
    """
    if limit is None and scale is None:
        raise ValueError("an outcome without a scale needs a limit for delta")
    limit = float(scale[1] - scale[0] if limit is None else limit)
    steps = _worse(better) * np.asarray(direction, float)
    step = np.where(np.asarray(arm) == 1, *steps)
    people = imputed.missing[:, visit] & (step != 0)
    drawn = imputed.values[:, people, visit]

    def margin(delta):
        found = pooled(*(delta * steps))
        return float(np.abs(found.estimate) - stdtrit(found.df, (1 + confidence) / 2) * found.se)

    start, delta, at = margin(0.0), np.nan, 0.0
    if np.isnan(start):
        state = "not estimable"
    elif start <= 0:
        state, delta = "contains 0 already", 0.0
    elif not people.any():
        state = "nobody imputed"
    else:
        ends = pooled(0.0, 0.0).estimate, pooled(*(limit * steps)).estimate
        delta = _first_root(margin, limit, *map(float, ends))
        state, at = ("none within the scale", limit) if np.isnan(delta) else ("tips", delta)
    low, high = scale or (-np.inf, np.inf)
    moved = drawn + at * step[people]
    return Tipping(state, delta, drawn.size, int(((moved < low) | (moved > high)).sum()))


def _worse(better):
    if better not in ("lower", "higher"):
        raise ValueError(f"better is {better!r}; expected lower or higher")
    return 1.0 if better == "lower" else -1.0


def _first_root(margin, limit, start, end):
    """Where margin first falls to 0 (nan: nowhere), its side on which it is 0 or less."""
    zero = limit * start / (start - end) if start * end < 0 else limit
    top = zero if margin(zero) <= 0 else limit
    for low, high in pairwise(np.linspace(0.0, top, 17)):
        if margin(high) <= 0:
            delta = brentq(margin, low, high, xtol=1e-10 * top, rtol=1e-14)
            while margin(delta) > 0:
                delta += 1e-10 * top
            return float(delta)
    return np.nan


def delta_grid(pooled, treatment, control, *, better="lower", confidence=0.95):
    """Pooled estimate and interval for every pair of deltas; `Interval` of arrays (a, b).

    ``treatment`` (a,) and ``control`` (b,) are shifts of either arm's imputed values, outcome's
    units, counted in the unfavourable direction; ``pooled`` as the module says.
    """
    sign = _worse(better)
    found = pooled(sign * np.asarray(treatment, float)[:, None],
                   sign * np.asarray(control, float)[None])
    return Interval(found.estimate, *found.interval(confidence))
