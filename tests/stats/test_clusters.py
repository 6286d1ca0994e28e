"""Contrasts of arms treated in groups, worked out by hand."""

import numpy as np
import pytest
from scipy import stats

from mair.stats.clusters import in_groups

RHO = (0.0, 0.05, 0.1)


def test_four_groups_have_two_degrees_of_freedom():
    """-26.38 with a standard error of 7.39: t at 2 df is 4.3027, so 31.8 either side."""
    found = in_groups(-26.38, 7.39, (19, 22), 10, RHO)
    assert (found.groups, found.df, found.reaching_zero) == (4, 2, 0.0)
    assert found.se == pytest.approx(7.39 * np.sqrt([1, 1.45, 1.9]))
    assert (found.low[0], found.high[0]) == pytest.approx((-58.1768, 5.4168), abs=1e-3)


def test_the_correlation_reaching_zero_is_where_a_limit_is_zero():
    found = in_groups(3.0, 0.5, (100, 100), 10, RHO)
    assert (found.groups, found.df) == (20, 18)
    t = stats.t.ppf(0.975, 18)
    assert found.reaching_zero == pytest.approx(((3 / (0.5 * t)) ** 2 - 1) / 9)
    again = in_groups(3.0, 0.5, (100, 100), 10, [found.reaching_zero])
    assert again.low[0] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("members", "estimate", "reaching"), [
    (10, 30.0, np.nan),  # not even at 1
    (1, 3.0, np.nan),  # people on their own: nothing to correlate
    (1, 0.5, 0.0), (60, 3.0, np.nan)])  # a group an arm: no degrees of freedom
def test_no_correlation_above_one(members, estimate, reaching):
    found = in_groups(estimate, 0.5, (60, 60), members, RHO)
    assert found.reaching_zero == pytest.approx(reaching, nan_ok=True)
    assert (found.df == 0) == bool(np.isnan(found.low).all())


def test_the_interval_covers_a_difference_of_group_means():
    """At rho 0.1 in groups of 8, four an arm: the true variance inflated, t on 6 df."""
    rng = np.random.default_rng(11)
    k, m, rho, trials = 4, 8, 0.1, 20_000
    means = rng.normal(0, np.sqrt(rho + (1 - rho) / m), (trials, 2, k))
    se = means.std(axis=2, ddof=1) / np.sqrt(k)
    se = np.sqrt((se ** 2).sum(axis=1) / (1 + (m - 1) * rho))  # as without correlation
    held = [in_groups(b, s, (k * m, k * m), m, [rho]) for b, s in zip(
        means[:500, 0].mean(1) - means[:500, 1].mean(1), se[:500], strict=True)]
    cover = np.mean([one.low[0] <= 0 <= one.high[0] for one in held])
    assert abs(cover - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 500)
