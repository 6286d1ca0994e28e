"""Printed numbers as intervals."""

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import numpy as np
import pytest

from mair.published.rounding import Interval, image, interval, rule_of, values

RNG = np.random.default_rng(7)
VALUES = [*(round(float(v), 5) for v in RNG.uniform(-30, 30, 400)),
          0.125, -0.125, 2.5, 0.0449, 78.9474]


def printed(value, digits, rule):
    return str(Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), rounding=rule))


@pytest.mark.parametrize("rule", [ROUND_HALF_UP, ROUND_HALF_EVEN])
def test_a_rounded_value_lies_in_the_interval_of_its_print(rule):
    for value in VALUES:
        for digits in (0, 1, 2):
            text = printed(value, digits, rule)
            assert values(text).meets(interval(value)), (value, text)
            assert rule_of(interval(value), text) == "half"


def test_a_truncated_value_lies_in_the_interval_for_truncation():
    for value in VALUES:
        assert values(printed(value, 1, ROUND_DOWN), "truncated").meets(interval(value))


def test_a_value_rounded_twice_lies_in_the_interval_for_that():
    for value in VALUES:
        once = Decimal(repr(value)).quantize(Decimal("0.01"), rounding=ROUND_HALF_UP)
        text = str(once.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP))
        assert values(text, "rounded twice").meets(interval(value)), (value, text)


def test_arithmetic_holds_every_result():
    for _ in range(200):
        ends = RNG.normal(0, 5, (2, 2))
        ends.sort(axis=1)
        a, b = (Interval(*e) for e in ends)
        x, y = (RNG.uniform(*e) for e in ends)
        for box, value in ((a + b, x + y), (a - b, x - y), (a * b, x * y), (a.size(), abs(x)),
                           (a * 2, 2 * x), (image(lambda u, v: u - 3 * v, a, b), x - 3 * y)):
            assert box.low - 1e-9 <= value <= box.high + 1e-9


def test_corners_and_grid():
    box = Interval(0, 2), Interval(1, 3)
    assert image(lambda a, b: a - b, *box) == Interval(-3, 1)
    # corners alone would say 1 to 1
    assert image(lambda a: (a - 1) ** 2, box[0], points=5) == Interval(0, 1)
