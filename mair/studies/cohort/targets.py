"""What the printed numbers allow: integer sums of an arm at a visit, windows of an estimate."""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import ndtri

from mair.published import granularity
from mair.published.numbers import Lookup, Number

METHOD = "random-intercept/z"
Z = float(ndtri(0.975))
LONG = 64  # sums of squares kept of a long list, evenly spaced


@dataclass(frozen=True)
class Allowed:
    """Sums and sums of squares of ``n`` scores, in steps, that print as a mean and an SD.

    ``squares`` are given by sum. When no integers have the printed SD, the sum of squares whose SD
    comes closest is the only one of each sum.
    """

    n: int
    squares: dict[int, tuple[int, ...]]

    @cached_property
    def pairs(self) -> list[tuple[int, int]]:
        """Every (sum, sum of squares) to choose from."""
        return [(total, square) for total, own in self.squares.items() for square in own]

    def drawn(self, rng) -> tuple[int, int]:
        """A sum, and one of its sums of squares, at random."""
        total, own = list(self.squares.items())[int(rng.integers(len(self.squares)))]
        return total, own[int(rng.integers(len(own)))]


def allowed(look: Lookup, n: int, per: int, *key: str) -> Allowed:
    """The integers that a printed mean and SD leave room for.

    Parameters
    ----------
    look : Lookup
        The published numbers.
    n : int
        People.
    per : int
        Steps of the instrument in one unit.
    *key : str
        Section, variable, arm and visit, as `moments` takes them.

    Raises
    ------
    ValueError
        No sum gives the mean (the GRIM test).
    """
    return room(*moments(look, *key), n, per)


def room(mean: Number, sd: Number, n: int, per: float, low: float = 0.0) -> Allowed:
    """`allowed` of any mean and SD, in steps above ``low``."""
    sums = granularity.sums(mean.values, n, 1 / per, low)
    if not sums:
        raise ValueError(f"no {n} values in steps of 1/{per:g} have mean {mean.printed}")
    found = {total: granularity.squares(sd.values, total, n, 1 / per) for total in sums}
    nearest = ()
    if not any(found.values()):
        square = sums[0] ** 2 / n + (n - 1) * (sd.value * per) ** 2
        middle = 2 * round((square - sums[0] % 2) / 2) + sums[0] % 2  # of the sum's parity
        nearest = (min((middle - 2, middle, middle + 2),
                       key=lambda q: abs(sd_of(sums[0], q, n) - sd.value * per)),)
    return Allowed(n, {total: tuple(own[:: max(1, len(own) // LONG)]) or nearest
                       for total, own in found.items() if own or nearest})


def sd_of(total, squares, n: int):
    """SD (n - 1) from a sum and a sum of squares, numbers or arrays."""
    return np.sqrt((squares - total * total / n) / (n - 1))


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
        over = np.maximum(self.low - np.abs(z), np.abs(z) - self.high)
        worst = np.where(over > 0, 1 + over / 0.002, 0.9 * (over > -0.0002))
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
        """Middle and half width of what B and its limits allow for B."""
        around = (self.ci_low.value + self.ci_high.value) / 2
        low = max(self.b.value - self.b.half, around - self.ci_low.half)
        high = min(self.b.value + self.b.half, around + self.ci_low.half)
        return (low + high) / 2, (high - low) / 2

    @property
    def error(self) -> tuple[float, float]:
        """Middle and half width of the standard errors that limits and z allow."""
        ci = (self.ci_high.value - self.ci_low.value) / 2 / Z
        half = self.ci_low.half / Z
        b, z = abs(self.b.value), abs(self.z.value)
        low = max(ci - half, (b - self.b.half) / (z + self.z.half))
        high = min(ci + half, (b + self.b.half) / (z - self.z.half) if z > self.z.half else ci + 1)
        return (low + high) / 2, (high - low) / 2


def z_of_p(p: Number) -> tuple[float, float]:
    """|z| that prints as a two-sided p.

    Examples
    --------
    >>> z_of_p(Number("0.052"))
    (1.939011, 1.94729)
    """
    low, high = (min(1 - 1e-12, max(1e-12, v)) for v in (p.values.low, p.values.high))
    at_low, at_high = (round(-float(ndtri(v / 2)), 6) for v in (low, high))
    return (0.0 if p.relation == ">" else at_high), (math.inf if p.relation == "<" else at_low)


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
    """Printed mean and SD of an arm: of Table 2 (``baseline``), or of those described."""
    method = "" if section == "baseline" else "described"
    return tuple(look(section, name, arm, visit, method, statistic=s) for s in ("mean", "sd"))


def printed(look: Lookup, *key: str, statistic: str) -> Number | None:
    """A number that need not be printed."""
    return look(*key, statistic=statistic) if (*key, statistic) in look else None
