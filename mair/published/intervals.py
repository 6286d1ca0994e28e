"""Printed numbers as closed intervals, and arithmetic on them.

A printed number stands for every value that prints so. Intervals are closed, so half up
and half even need no telling apart at the half itself. Functions that are monotone in each
argument are evaluated at the corners of the box of their arguments (`corners`); others on a
grid that includes the corners (`dense`), which the caller states.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from mair.published.numbers import Number

SLACK = 1e-9  # relative: a value on the half, computed in binary, must not fail by its last bit
RULES = ("half", "rounded twice", "truncated")


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval; plain numbers count as points in its arithmetic.

    Examples
    --------
    >>> Interval(1, 2) - Interval(0, 3), Interval(-1, 2) * 2
    (Interval(low=-2, high=2), Interval(low=-2.0, high=4.0))
    """

    low: float
    high: float

    def __add__(self, other) -> Interval:
        other = interval(other)
        return Interval(self.low + other.low, self.high + other.high)

    def __neg__(self) -> Interval:
        return Interval(-self.high, -self.low)

    def __sub__(self, other) -> Interval:
        return self + -interval(other)

    def __mul__(self, other) -> Interval:
        return corners(lambda a, b: a * b, self, interval(other))

    def __truediv__(self, other) -> Interval:
        other = interval(other)
        if other.low <= 0 <= other.high:
            return Interval(-math.inf, math.inf)
        return corners(lambda a, b: a / b, self, other)

    __radd__ = __add__
    __rmul__ = __mul__

    def size(self) -> Interval:
        """Absolute values."""
        ends = sorted((abs(self.low), abs(self.high)))
        return Interval(0.0 if self.low <= 0 <= self.high else ends[0], ends[1])

    def squared(self) -> Interval:
        """Squares, of one and the same value."""
        size = self.size()
        return Interval(size.low**2, size.high**2)

    def root(self) -> Interval:
        """Square roots; negative values count as 0."""
        return Interval(math.sqrt(max(0.0, self.low)), math.sqrt(max(0.0, self.high)))

    def meets(self, other: Interval) -> bool:
        """Whether a value is in both, up to `SLACK`."""
        slack = SLACK * max(1.0, *(abs(v) for v in (self.low, other.high) if math.isfinite(v)))
        return self.low <= other.high + slack and other.low <= self.high + slack

    def both(self, other: Interval) -> Interval:
        """The intersection; the first interval where they do not meet."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else self


def interval(x) -> Interval:
    """An interval as it is, a number as a point."""
    return x if isinstance(x, Interval) else Interval(float(x), float(x))


def spread(printed: str, rule: str = "half") -> Interval:
    """The values that print so.

    Parameters
    ----------
    printed : str
        ``[<>]?-?digits[.digits]``; an inequality gives a half-line.
    rule : {"half", "rounded twice", "truncated"}
        ``half``: half up or half even. ``rounded twice``: first to one more digit, half up
        both times, which shifts the values by 0.05 units towards 0. ``truncated``: digits
        cut off, towards 0.

    Examples
    --------
    >>> spread("2.5"), spread("-2.5", "rounded twice")
    (Interval(low=2.45, high=2.55), Interval(low=-2.545, high=-2.445))
    >>> spread("<0.05")
    Interval(low=-inf, high=0.05)
    """
    number = Number(printed)
    value, unit = number.value, 10.0**-number.decimals
    if number.relation:
        return Interval(-math.inf, value) if number.relation == "<" else Interval(value, math.inf)
    if rule == "truncated":
        reach = unit * (1 - 1e-6)  # the next digit itself is not cut off
        negative = printed.startswith("-")
        return Interval(
            value - reach if negative or value == 0 else value, value if negative else value + reach
        )
    near, far = {"half": (0.5, 0.5), "rounded twice": (0.55, 0.45)}[rule]
    below, above = (far, near) if value < 0 else (near, far)
    digits = number.decimals + 4  # free of binary dust, so that printed limits read well
    return Interval(round(value - below * unit, digits), round(value + above * unit, digits))


def rule_of(computed: Interval, printed: str) -> str:
    """The first of `RULES` under which a value of ``computed`` prints so; empty if none."""
    if Number(printed).relation:
        return "half" if _holds(computed, printed) else ""
    return next((rule for rule in RULES if computed.meets(spread(printed, rule))), "")


def _holds(computed: Interval, printed: str) -> bool:
    bound = Number(printed).value
    return computed.low < bound if printed[0] == "<" else computed.high > bound


def corners(f, *box) -> Interval:
    """Range of a function monotone in each argument: its values at the corners of the box."""
    values = [f(*point) for point in itertools.product(*((b.low, b.high) for b in box))]
    return Interval(min(values), max(values))


def dense(f, *box, points: int = 5) -> Interval:
    """Range of a function on a grid of ``points`` an argument, corners included.

    For smooth functions over boxes as small as rounding makes them.
    """
    axes = [
        [b.low + (b.high - b.low) * k / (points - 1) for k in range(points)]
        if b.high > b.low
        else [b.low]
        for b in box
    ]
    values = [f(*point) for point in itertools.product(*axes)]
    return Interval(min(values), max(values))
