"""How far imputed values could be off: constants added to them, and where the result tips."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import stdtrit

from mair.stats.pooling import Pooled, rubin

CORNERS = np.array([[0, 0], [1, 0], [-1, 0], [0, 1], [0, -1], [1, 1]])


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


class Surface:
    """The pooled analysis as a function of what is added to either arm's imputed values.

    Called with shifts of the treatment and of the control arm's, outcome's units, counted towards
    the bad end, arrays that broadcast: `pooling.Pooled` of their shape.

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
    better : {"lower", "higher"}
        Which end of the scale is good.
    """

    def __init__(self, imputed, arm, visit, analyse, better="lower"):
        gone = imputed.missing[:, visit]
        self.drawn, self.treated = imputed.values[:, gone, visit], np.asarray(arm)[gone] == 1
        self.sign, self.joined = 1.0 if better == "lower" else -1.0, analyse.joined
        self.step = self.sign * (float(imputed.values[..., visit].std()) or 1.0)
        (self.df, *_), *_ = corners = [
            analyse.parts(shifted(imputed, arm, visit, *(self.step * corner)))
            for corner in CORNERS]
        self.quadratic = [np.linalg.solve(_powers(*CORNERS.T).T, one)
                          for one in zip(*(parts[1:] for parts in corners), strict=True)]

    def __call__(self, treatment, control=0.0) -> Pooled:
        shifts = np.broadcast_arrays(treatment, control)
        powers = _powers(*(self.sign * one / self.step for one in shifts))
        return rubin(*self.joined(self.df, *(np.tensordot(one, powers, (0, 0))
                                             for one in self.quadratic)))

    def tipping_point(self, limit, *, scale=None, direction=(1, 0), confidence=0.95) -> Tipping:
        """Smallest delta of 0 to ``limit`` that brings 0 into the pooled interval.

        Parameters
        ----------
        limit : float
            Largest delta looked at.
        scale : tuple of float, optional
            Lowest and highest possible value.
        direction : (int, int)
            Deltas by which the treatment and the control arm become worse; -1 for better.
        confidence : float

        Notes
        -----
        An estimate linear in the outcome is linear in delta, and its zero ends the search; any
        other is searched to ``limit``. The first of 16 equal steps whose interval contains 0 is
        refined.
        """
        direction, low, high = np.asarray(direction, float), *(scale or (-np.inf, np.inf))
        worse = np.where(self.treated, *direction)
        drawn = self.drawn[:, worse != 0]

        def margin(delta):
            found = self(*(delta * direction))
            half = stdtrit(found.df, (1 + confidence) / 2) * found.se
            return float(np.abs(found.estimate) - half)

        start, delta, at = margin(0.0), np.nan, 0.0
        if np.isnan(start):
            state = "not estimable"
        elif start <= 0:
            state, delta = "contains 0 already", 0.0
        elif not drawn.size:
            state = "nobody imputed"
        else:
            ends = (float(self(*(one * direction)).estimate) for one in (0.0, limit))
            delta = _first_root(margin, limit, *ends)
            state, at = ("none within the scale", limit) if np.isnan(delta) else ("tips", delta)
        moved = drawn + self.sign * at * worse[worse != 0]
        return Tipping(state, delta, drawn.size, int(((moved < low) | (moved > high)).sum()))


def _powers(a, c):
    return np.stack([np.ones(a.shape), a, c, a * a, c * c, a * c])


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
