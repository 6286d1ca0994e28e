"""Sample size and power against R's power.t.test (oracles/power.R) and the paper."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mair.stats.power import achieved_power, inflate, sample_size

ROWS = json.loads((Path(__file__).parents[1] / "oracles" / "power.json").read_text("utf-8"))["rows"]


@pytest.mark.parametrize("row", ROWS, ids=range(len(ROWS)))
def test_agrees_with_r(row):
    wanted = {"alpha": row["alpha"], "power": row["power"]}
    assert sample_size(row["d"], method="normal", **wanted) == math.ceil(row["n_normal"])
    assert sample_size(row["d"], method="t", **wanted) == math.ceil(row["n_t"])
    for method in ("t", "normal"):
        power = achieved_power(row["d"], row["at"], alpha=row["alpha"], method=method)
        assert power == pytest.approx(row[f"power_{method}"], rel=1e-9)


def test_the_paper():
    for difference, normal, t in ((14.2, 18, 19), (0.2 * 70.8, 19, 20)):
        assert sample_size(difference / 15.2, method="normal") == normal
        assert sample_size(difference / 15.2, method="t") == t
    assert inflate(18, 0.15) == 44
    assert inflate(18, 0.15, rule="multiplied") == pytest.approx(41.4)


@given(st.floats(0.05, 3), st.sampled_from([0.01, 0.05]), st.sampled_from([0.5, 0.8, 0.95]))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_t_sample_size_is_the_smallest_that_reaches_the_power(d, alpha, power):
    n = sample_size(-d, alpha=alpha, power=power, method="t")
    assert achieved_power(d, n, alpha=alpha) >= power
    assert n == 2 or achieved_power(d, n - 1, alpha=alpha) < power
    assert n >= sample_size(d, alpha=alpha, power=power, method="normal")


@pytest.mark.parametrize("method", ["t", "normal"])
def test_power_without_an_effect_is_alpha(method):
    assert achieved_power(0, 12, alpha=0.03, method=method) == pytest.approx(0.03)
    for d in (3, 8, 50, 1e4):  # the noncentral t's lower tail is nan there
        assert achieved_power(d, 40, method=method) == 1.0


def test_inflation_does_not_round_up_a_whole_number():
    assert [inflate(n, 0.15) for n in (17, 34, 51)] == [40, 80, 120]
    # In floating point 9 / 0.45 is 20.000000000000004.
    assert [inflate(9, 0.55), inflate(21, 0.3)] == [40, 60]
    assert inflate(18, 0) == 36


def test_a_difference_too_small_is_refused():
    for d in (0, math.nan, 1e-6):
        with pytest.raises(ValueError, match="hundred million"):
            sample_size(d)
