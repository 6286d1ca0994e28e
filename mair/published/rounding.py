"""Rounding: the values that print as a number, and what computations from them can give.

The one place that knows what "prints so" means. A printed number stands for a closed
interval, so half up and half even need no telling apart at the half itself.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

SLACK = 1e-9  # relative: a value on the half, computed in binary, must not fail by its last bit
RULES = ("half", "rounded twice", "truncated")


@dataclass(frozen=True, slots=True)
class Interval:
    """A closed interval; plain numbers count as points in its arithmetic.

    Examples
    --------
    >>> Interval(1, 2) - Interval(0, 3), Interval(-1, 2) * 2
    (Interval(low=-2.0, high=2.0), Interval(low=-2.0, high=4.0))
    """

    low: float
    high: float

    def __add__(self, other) -> Interval:
        return image(operator.add, self, other)

    def __sub__(self, other) -> Interval:
        return image(operator.sub, self, other)

    def __mul__(self, other) -> Interval:
        return image(operator.mul, self, other)

    def size(self) -> Interval:
        """Absolute values."""
        ends = sorted((abs(self.low), abs(self.high)))
        return Interval(0.0 if self.low <= 0 <= self.high else ends[0], ends[1])

    def within(self, other) -> Interval | None:
        """What both hold; None where that is nothing."""
        both = Interval(max(self.low, other.low), min(self.high, other.high))
        return both if both.low <= both.high else None

    def meets(self, other) -> bool:
        """Whether a value is in both, up to `SLACK`."""
        other = interval(other)
        slack = SLACK * max(1.0, *(abs(v) for v in (self.low, other.high) if math.isfinite(v)))
        return self.low <= other.high + slack and other.low <= self.high + slack


def interval(x) -> Interval:
    """An interval as it is, a number as a point."""
    return x if isinstance(x, Interval) else Interval(float(x), float(x))


def corners(*box, points: int = 2) -> list[np.ndarray]:
    """The corners of a box of intervals (or numbers), an array an argument that broadcast.

    ``points`` above 2 makes it a grid of so many values an argument, corners included.
    """
    box = [interval(b) for b in box]
    axes = [np.array([b.low, b.high]) if points == 2 else np.linspace(b.low, b.high, points)
            for b in box]
    return np.meshgrid(*axes, indexing="ij", sparse=True)


def span(found) -> Interval:
    """From the smallest to the largest of an array."""
    return Interval(float(np.min(found)), float(np.max(found)))


def image(f, *box, points: int = 2) -> Interval:
    """Range of a function of arrays over a box: `span` of its values at `corners`.

    Exact at the corners where ``f`` is monotone in each argument; finer grids serve smooth
    functions over boxes as small as rounding makes them.
    """
    return span(f(*corners(*box, points=points)))


def decimals(printed: str) -> int:
    """Digits after the point of a printed number.

    Examples
    --------
    >>> decimals("-26.38"), decimals("<0.001"), decimals("36")
    (2, 3, 0)
    """
    return len(printed.partition(".")[2])


@lru_cache(maxsize=50_000)
def values(printed: str, rule: str = "half") -> Interval:
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
    >>> values("2.5"), values("-2.5", "rounded twice")
    (Interval(low=2.45, high=2.55), Interval(low=-2.545, high=-2.445))
    >>> values("<0.05")
    Interval(low=-inf, high=0.05)
    """
    value, digits = float(printed.lstrip("<>")), decimals(printed)
    if printed[0] in "<>":
        return Interval(-math.inf, value) if printed[0] == "<" else Interval(value, math.inf)
    cut = 1 - 1e-5  # the next digit itself is not cut off
    inner, outer = {"half": (0.5, 0.5), "rounded twice": (0.55, 0.45), "truncated": (0, cut)}[rule]
    below, above = (outer, inner) if printed.startswith("-") else (inner, outer)
    if value == 0:
        below = above = outer
    unit, dust = 10.0**-digits, digits + (8 if rule == "truncated" else 4)
    return Interval(round(value - below * unit, dust), round(value + above * unit, dust))


def rule_of(computed, printed: str) -> str:
    """The first of `RULES` under which a computed value prints so; empty if none.

    Parameters
    ----------
    computed : Interval or float
    printed : str
        An inequality is met ("half") where a value fulfils it.
    """
    computed = interval(computed)
    if printed[0] in "<>":
        bound = float(printed[1:])
        holds = computed.low < bound if printed[0] == "<" else computed.high > bound
        return "half" if holds else ""
    return next((rule for rule in RULES if computed.meets(values(printed, rule))), "")


def prints_so(value: float, printed: str) -> bool:
    """Whether a value is printed so: equal when rounded, or the inequality holds.

    Examples
    --------
    >>> prints_so(1.527, "2"), prints_so(0.0004, "<0.001"), prints_so(86.3636, "86.37")
    (True, True, False)
    """
    return bool(math.isfinite(value)) and rule_of(value, printed) == "half"
