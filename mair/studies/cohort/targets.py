"""What the printed numbers allow: integer sums of a cell, windows of an estimate."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from mair.published.numbers import Lookup, Number

METHOD = "random-intercept/z"
Z = round(NormalDist().inv_cdf(0.975), 12)


@dataclass(frozen=True)
class Cell:
    """Sums and sums of squares, in steps, that print as a mean and an SD.

    ``squares`` is empty when no integers have the printed SD; ``nearest`` is then the sum of
    squares whose SD comes closest, else None.
    """

    n: int
    sums: tuple[int, ...]
    squares: dict[int, tuple[int, ...]]
    nearest: int | None = None

    def choices(self, total: int) -> tuple[int, ...]:
        """Sums of squares to choose from for one of ``sums``."""
        return self.squares[total] or (self.nearest,)


def cell(mean: Number, sd: Number, n: int, per: int = 1, most: int = 64) -> Cell:
    """The integers a printed mean and SD leave room for.

    An integer and its square have the same parity, hence so have a sum and the sum of squares;
    by that alone some printed SDs are impossible.

    Parameters
    ----------
    mean, sd : Number
    n : int
        People.
    per : int
        Steps of the instrument in one unit.
    most : int
        Of long lists this many, evenly spread.

    Raises
    ------
    ValueError
        No sum gives the mean (the GRIM test).
    """
    low, high = ((mean.value + s * mean.half) * n * per for s in (-1, 1))
    sums = tuple(range(math.ceil(low - 1e-6), math.floor(high + 1e-6) + 1))
    if not sums:
        raise ValueError(f"no {n} values in steps of 1/{per} have mean {mean.printed}")
    squares = {total: _squares(sd, n, per, total) for total in sums}
    nearest = None
    if not any(squares.values()):
        base = sums[0] * sums[0] / n + (n - 1) * (sd.value * per) ** 2
        first = 2 * round((base - sums[0] % 2) / 2) + sums[0] % 2
        near = (first - 2, first, first + 2)
        nearest = min(near, key=lambda q: abs(spread(sums[0], q, n) - sd.value * per))
    squares = {total: found[:: max(1, len(found) // most)] for total, found in squares.items()}
    return Cell(n, sums, {k: tuple(v) for k, v in squares.items()}, nearest)


def _squares(sd: Number, n: int, per: int, total: int) -> range:
    low, high = (total * total / n + (n - 1) * (max(0.0, sd.value + s * sd.half) * per) ** 2
                 for s in (-1, 1))
    first = math.ceil(low - 1e-6)
    return range(first + (first - total) % 2, math.floor(high + 1e-6) + 1, 2)


def spread(total: int, squares: int, n: int) -> float:
    """SD (n - 1) from a sum and a sum of squares."""
    return math.sqrt((squares - total * total / n) / (n - 1))


@dataclass(frozen=True)
class Window:
    """One printed row of a model: |z| between ``low`` and ``high`` is what its p allows."""

    b: Number
    ci_low: Number
    ci_high: Number
    z: Number
    low: float
    high: float

    def violation(self, b, se):
        """Largest distance from a printed number, in halves of its last digit (met: up to 1).

        Parameters
        ----------
        b, se : float or array
        """
        z = b / se
        worst = outside(np.abs(z), self.low, self.high)
        for printed, value in ((self.b, b), (self.ci_low, b - Z * se), (self.ci_high, b + Z * se),
                               (self.z, z)):
            worst = np.maximum(worst, np.abs(value - printed.value) / printed.half)
        return worst

    def aim(self, margin: float | None = None) -> tuple[float, float]:
        """B and standard error that print the row with the most room on a fine grid.

        With a margin: the largest standard error with at most this violation.
        """
        (b, b_half), (se, se_half) = self.middle, self.error
        grid = np.linspace(-1, 1, 161)
        bs, ses = b + b_half * grid[:, None], se + se_half * grid[None, :]
        found = np.round(self.violation(bs, ses), 6)
        if margin is None:
            i, j = np.unravel_index(np.argmin(found), found.shape)
        else:
            j = int(np.flatnonzero((found <= margin).any(axis=0))[-1])
            i = int(np.argmin(found[:, j]))
        return float(bs[i, 0]), float(ses[0, j])

    @property
    def middle(self) -> tuple[float, float]:
        """B in the middle of what B and its limits allow."""
        return middle(self.b, (self.ci_low.value + self.ci_high.value) / 2, self.ci_low.half)

    @property
    def error(self) -> tuple[float, float]:
        """Middle and half width of the standard errors that limits and z allow."""
        ci = (self.ci_high.value - self.ci_low.value) / 2 / Z
        half = self.ci_low.half / Z
        b, z = abs(self.b.value), abs(self.z.value)
        low = max(ci - half, (b - self.b.half) / (z + self.z.half))
        high = min(ci + half, (b + self.b.half) / (z - self.z.half) if z > self.z.half else ci + 1)
        return (low + high) / 2, (high - low) / 2


def middle(first: Number, second: float, half: float) -> tuple[float, float]:
    """Middle and half width of the overlap of two intervals."""
    low = max(first.value - first.half, second - half)
    high = min(first.value + first.half, second + half)
    return (low + high) / 2, (high - low) / 2


def outside(z, low: float, high: float):
    """Violation of an interval of |z|: 0 inside, from 1 upwards outside."""
    over = np.maximum(low - z, z - high)
    return np.where(over > 0, 1 + over / 0.002, 0.9 * (over > -0.0002))


def z_of_p(p: Number) -> tuple[float, float]:
    """|z| that prints as a two-sided p.

    Examples
    --------
    >>> z_of_p(Number("0.052"))
    (1.939011, 1.94729)
    """
    def z(value):
        return round(-NormalDist().inv_cdf(min(1 - 1e-12, max(1e-12, value)) / 2), 6)

    if p.relation:
        return (z(p.value), math.inf) if p.relation == "<" else (0.0, z(p.value))
    return z(p.value + p.half), z(p.value - p.half)


def window(look: Lookup, section: str, name: str, visit: str) -> Window:
    """The printed row of a Group x Time contrast."""
    row = {s: look(section, name, "difference", visit, METHOD, statistic=s)
           for s in ("b", "ci_low", "ci_high", "z", "p")}
    low, high = z_of_p(row.pop("p"))
    return Window(**row, low=low, high=high)


def slope_window(look: Lookup, section: str, name: str, covariate: str) -> tuple[float, float]:
    """|z| of the covariate's slope that its printed p allows."""
    return z_of_p(look(section, f"{name}: {covariate}", "overall", "", METHOD, statistic="p"))


def moments(look: Lookup, section: str, name: str, arm: str, visit: str = "") -> tuple:
    """Printed mean and SD of a cell: of Table 2 (``baseline``), or of those described."""
    method = "" if section == "baseline" else "described"
    return tuple(look(section, name, arm, visit, method, statistic=s) for s in ("mean", "sd"))
