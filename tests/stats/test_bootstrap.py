"""BCa intervals against R's boot (oracles/bootstrap.R), and by property."""

import json
from pathlib import Path

import numpy as np
import pytest

from mair.stats import bootstrap as bo
from mair.stats import effects

R = json.loads((Path(__file__).parents[1] / "oracles" / "bootstrap.json").read_text("utf-8"))
ROWS = np.array([[row["arm"], row["pre"], row["post"]] for row in R["data"]])
ARMS = [ROWS[ROWS[:, 0] == a][:, 1:] for a in (1, 0)]


def run(samples, statistic=bo.d_ppc2, seed=1, **kwargs):
    return bo.bca(samples, statistic, rng=np.random.default_rng(seed), **kwargs)


@pytest.mark.parametrize(("key", "confidence"), [("few95", 0.95), ("few80", 0.8)])
def test_limits_agree_with_boot_on_its_replicates(key, confidence):
    found = bo.bca_limits(R["estimate"], R["replicates"], np.array(R["influence"]),
                          confidence=confidence)
    assert (found.low, found.high) == pytest.approx(R[key], rel=1e-9)


def test_acceleration_is_the_jackknifes():
    influence = np.array(R["influence"])
    found = run(ARMS)
    assert found.estimate == pytest.approx(R["estimate"], rel=1e-12)
    assert found.acceleration == pytest.approx(
        (influence**3).sum() / 6 / (influence**2).sum() ** 1.5, rel=1e-9)


def test_the_interval_agrees_with_boot():
    found = run(ARMS, draws=40_000)
    width = R["many95"][1] - R["many95"][0]
    assert (found.low, found.high) == pytest.approx(R["many95"], abs=0.02 * width)
    assert found.dropped == 0 and found.draws == 40_000


@pytest.mark.parametrize("corrected", [True, False])
def test_d_is_effects_d(corrected):
    rng = np.random.default_rng(3)
    batch = [rng.normal(50, 9, (4, n, 2)) for n in (7, 5)]
    found = bo.d_ppc2(*batch, corrected=corrected)
    for i in range(4):
        one = effects.d_ppc2(*batch[0][i].T, *batch[1][i].T, corrected=corrected)
        assert found[i] == pytest.approx(one.estimate, rel=1e-12)


def test_row_order_and_units():
    found = run(ARMS)
    mixed = run([a[np.random.default_rng(2).permutation(len(a))] for a in ARMS])
    scaled = run([7 * a + 100 for a in ARMS])
    for other in (mixed, scaled):
        assert (other.estimate, other.low, other.high) == pytest.approx(
            (found.estimate, found.low, found.high), rel=1e-10)


def test_arm_swap_mirrors():
    t, influence = np.array(R["replicates"]), np.array(R["influence"])
    found = bo.bca_limits(R["estimate"], t, influence)
    mirror = bo.bca_limits(-R["estimate"], -t, -influence)
    assert (-mirror.high, -mirror.low) == pytest.approx((found.low, found.high), rel=1e-10)
    swapped, ours = run(ARMS[::-1]), run(ARMS)
    assert swapped.estimate == pytest.approx(-ours.estimate)
    assert swapped.acceleration == pytest.approx(-ours.acceleration)
    assert (-swapped.high, -swapped.low) == pytest.approx(
        (ours.low, ours.high), abs=0.06 * (ours.high - ours.low))


def test_people_are_resampled_within_their_arm():
    ones, zeros = np.ones((6, 1)), np.zeros((9, 1))
    ones[0], zeros[0] = 1.5, 0.5  # a mixed resample would leave these ranges

    def statistic(a, b):
        assert a.shape[1] in (5, 6) and b.shape[1] in (8, 9)
        assert a.min() >= 1 and b.max() <= 0.5
        return a.mean((1, 2)) - b.mean((1, 2))

    found = run([ones, zeros], statistic, draws=500)
    assert found.low <= found.estimate <= found.high


def test_what_has_no_interval_says_why():
    assert run([ARMS[0][:2], ARMS[1]]).reason == "too few people in an arm"
    flat = [np.c_[np.full(5, 40.0), np.arange(5.0)], np.c_[np.full(5, 40.0), np.arange(5.0)]]
    assert run(flat).reason == "not estimable"
    same = [np.tile([50.0, 45.0], (5, 1)), np.c_[np.arange(5.0), np.arange(5.0) - 3]]
    constant = run(same, lambda a, b: np.full(len(a), 2.0))
    assert constant.reason == "no variation" and np.isnan(constant.low)
    few = [np.c_[[1.0, 1.0, 2.0], [3.0, 5.0, 4.0]], np.c_[[1.0, 1.0, 1.0], [2.0, 9.0, 4.0]]]
    assert run(few).reason == "not estimable with somebody left out"
    few = [np.r_[a, a + np.array([0, 1])] for a in few]
    found = run(few, draws=500)
    assert found.dropped > 0 and found.draws + found.dropped == 500
    assert np.isfinite([found.low, found.high]).all()
