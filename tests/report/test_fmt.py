"""Numbers as text."""

import math

import pandas as pd
import pytest

from mair.report import fmt


@pytest.mark.parametrize(("value", "digits", "text"), [
    (-26.384, 2, "−26.38"),
    (0.0, 1, "0.0"),
    (-0.001, 2, "0.00"),
    (12, 0, "12"),
    (math.nan, 2, "–"),
    (None, 2, "–"),
    (pd.NA, 2, "–"),
    (-math.inf, 2, "−∞"),
])
def test_number(value, digits, text):
    assert fmt.number(value, digits) == text


@pytest.mark.parametrize(("p", "text"), [
    (0.0004, "<0.001"),
    (0.001, "0.001"),
    (0.0421, "0.042"),
    (0.9999, ">0.999"),
    (1.0, ">0.999"),
    (0, "<0.001"),
    (math.nan, "not estimable"),
])
def test_p_value(p, text):
    assert fmt.p_value(p) == text


def test_p_value_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match="between 0 and 1"):
        fmt.p_value(1.2)


def test_p_in_running_text():
    assert fmt.p(1e-6) == "p < 0.001"
    assert fmt.p(0.25) == "p = 0.250"
    assert fmt.p(None) == "p not estimable"


def test_estimate_and_interval():
    assert fmt.estimate(-26.38, -40.87, -11.89) == "−26.38 (−40.87 to −11.89)"
    assert fmt.estimate(1.5, None, 2, 1) == "1.5 (not estimable)"
    assert fmt.estimate(math.nan, 1, 2) == "not estimable"
    assert fmt.ci(-1, 2, 1) == "−1.0 to 2.0"
    assert fmt.ci(0.018, 0.022) == "0.018 to 0.022"
    assert fmt.ci(3, 3) == "3.00"


def test_mean_and_count():
    assert fmt.mean_sd(70.786, 11.361) == "70.79 (11.36)"
    assert fmt.mean_sd(3.0, None, 1) == "3.0 (–)"
    assert fmt.count(12, 63.158, of=19) == "12/19 (63.2%)"
    assert fmt.count(12.0) == "12"
    assert fmt.count(12, 63.158) == "12 (63.2%)"
    assert fmt.count(None) == "–"
