"""How far imputed values could be off: constants added to them, and where the result tips.

``analyse`` is an analysis of completed outcomes, as `mair.stats.pooling` has them.
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
        (the treatment arm has nobody missing at that visit); "not estimable".
    delta : float
        Smallest shift, in the outcome's units and taken in the unfavourable direction, at which
        the pooled interval contains 0; nan where there is none.
    imputed : int
        Values imputed in the treatment arm at that visit, over all imputations.
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


def tipping_point(imputed, arm, visit, analyse, *, scale, better="lower", confidence=0.95,
                  limit=None):
    """Smallest delta >= 0 that brings 0 into the pooled interval.

    Parameters
    ----------
    imputed : Imputed
        Under mar, as a rule; the same imputations serve every delta.
    arm : array (n,)
    visit : int
        Whose imputed values in the treatment arm are shifted; other visits stay.
    analyse : callable
        Of completed outcomes, see the module.
    scale : tuple of float or None
        Lowest and highest possible value; None where the outcome has no bounds.
    better : {"lower", "higher"}
        Which end of the scale is good: the shift goes to the other.
    confidence : float
    limit : float, optional
        Largest delta looked at; by default the width of the scale.

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
    sign = _worse(better)
    limit = float(scale[1] - scale[0] if limit is None else limit)
    people = imputed.missing[:, visit] & (np.asarray(arm) == 1)
    drawn = imputed.values[:, people, visit]

    def pooled(delta):
        return rubin(*analyse(shifted(imputed, arm, visit, sign * delta)))

    def margin(delta):
        found = pooled(delta)
        return float(np.abs(found.estimate) - stdtrit(found.df, (1 + confidence) / 2) * found.se)

    start, delta, at = margin(0.0), np.nan, 0.0
    if np.isnan(start):
        state = "not estimable"
    elif start <= 0:
        state, delta = "contains 0 already", 0.0
    elif not people.any():
        state = "nobody imputed"
    else:
        ends = pooled(0.0).estimate, pooled(limit).estimate
        delta = _first_root(margin, limit, *map(float, ends))
        state, at = ("none within the scale", limit) if np.isnan(delta) else ("tips", delta)
    low, high = scale or (-np.inf, np.inf)
    moved = drawn + sign * at
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


def delta_grid(imputed, arm, visit, analyse, treatment, control, *, better="lower",
               confidence=0.95):
    """Pooled estimate and interval for every pair of deltas; `Interval` of arrays (a, b).

    ``treatment`` (a,) and ``control`` (b,) are shifts of either arm's imputed values at
    ``visit``, outcome's units, counted in the unfavourable direction; the rest is as for
    `tipping_point`.
    """
    sign = _worse(better)
    found = [[rubin(*analyse(shifted(imputed, arm, visit, sign * a, sign * b))) for b in control]
             for a in treatment]
    return Interval(*np.moveaxis([[(one.estimate, *one.interval(confidence)) for one in row]
                                  for row in found], 2, 0))
