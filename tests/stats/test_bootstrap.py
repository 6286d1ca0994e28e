"""BCa intervals against R's boot (oracles/bootstrap.R), and by property."""

import json
from pathlib import Path

import numpy as np
import pytest

from mair.stats import effects
from mair.stats.effects import bca_d_ppc2

R = json.loads((Path(__file__).parents[1] / "oracles" / "bootstrap.json").read_text("utf-8"))
ROWS = np.array([[row["arm"], row["pre"], row["post"]] for row in R["data"]])
ARMS = [ROWS[ROWS[:, 0] == a][:, 1:] for a in (1, 0)]
WIDTH = R["many95"][1] - R["many95"][0]


def run(arms, seed=1, **kwargs):
    return bca_d_ppc2(*arms, rng=np.random.default_rng(seed), **kwargs)


def test_the_interval_agrees_with_boot():
    found = run(ARMS, draws=40_000)
    assert found.estimate == pytest.approx(R["estimate"], rel=1e-12)
    assert (found.low, found.high) == pytest.approx(R["many95"], abs=0.02 * WIDTH)


def test_it_is_neither_the_percentile_interval_nor_another_coverage():
    rng = np.random.default_rng(1)
    drawn = [arm[rng.integers(0, len(arm), (40_000, len(arm)))] for arm in ARMS]
    plain = np.quantile(effects.d_ppc2(*drawn).estimate, [0.025, 0.975])
    found = run(ARMS, draws=40_000)
    assert np.abs(plain - R["many95"]).max() > 3 * np.abs(np.array(found[1:3]) - R["many95"]).max()
    narrow = run(ARMS, confidence=0.8)
    assert found.low < narrow.low < narrow.high < found.high


def test_row_order_and_units():
    found = run(ARMS)
    mixed = run([a[np.random.default_rng(2).permutation(len(a))] for a in ARMS])
    scaled = run([7 * a + 100 for a in ARMS])
    for other in (mixed, scaled):
        assert other[:3] == pytest.approx(found[:3], rel=1e-10)


def test_arm_swap_mirrors():
    swapped, ours = run(ARMS[::-1], draws=40_000), run(ARMS, draws=40_000)
    assert swapped.estimate == pytest.approx(-ours.estimate)
    assert (-swapped.high, -swapped.low) == pytest.approx((ours.low, ours.high), abs=0.03 * WIDTH)


def test_people_are_resampled_whole_and_within_their_arm():
    # Changes are the same for everyone in an arm: a mixed or broken pair would vary them.
    arms = [np.c_[np.arange(9.0), np.arange(9.0) - 3], np.c_[np.arange(8.0), np.arange(8.0) + 2]]
    rng = np.random.default_rng(1)
    sds = [effects.d_ppc2(*(a[rng.integers(0, len(a), (20_000, len(a)))] for a in arms),
                          corrected=False)]
    assert np.allclose(sds[0].change, -5)
    found = run(arms, draws=20_000)
    assert found.high < 0 and found.low < found.estimate < found.high


def test_what_has_no_interval_says_why():
    assert run([ARMS[0][:2], ARMS[1]]).reason == "too few people in an arm"
    flat = [np.c_[np.full(5, 40.0), np.arange(5.0)]] * 2
    assert run(flat).reason == "not estimable"
    few = [np.c_[[1.0, 1.0, 2.0], [3.0, 5.0, 4.0]], np.c_[[1.0, 1.0, 1.0], [2.0, 9.0, 4.0]]]
    found = run(few)  # without one of them the baseline is constant
    assert "left out" in found.reason and np.isnan([found.low, found.high]).all()
    few = [np.c_[[1.0, 2.0, 4.0], [3.0, 5.0, 4.0]], np.c_[[1.0, 3.0, 2.0], [2.0, 9.0, 4.0]]]
    found = run(few, draws=2000)  # one resample in 81 is constant, its d infinite
    assert found.low < found.estimate < found.high
