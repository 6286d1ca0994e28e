"""Effect sizes against R (oracles/effects.R), simulation, published examples and the paper."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mair.stats import effects

ORACLES = Path(__file__).parents[1] / "oracles"
R = json.loads((ORACLES / "effects.json").read_text("utf-8"))
SIMULATED = json.loads((ORACLES / "effects_simulation.json").read_text("utf-8"))
few = settings(max_examples=60, deadline=None, derandomize=True)
level_counts = st.lists(st.integers(1, 12), min_size=3, max_size=3)
score = st.integers(-500, 500).map(lambda v: v / 10)
arm = st.lists(st.tuples(score, score), min_size=3, max_size=12)


def check(ours, r, limits):
    assert (ours.estimate, ours.low, ours.high) == pytest.approx((r, *limits), rel=1e-11)


# --- standardised mean differences -------------------------------------------------------


@pytest.mark.parametrize("case", R["continuous"], ids=range(len(R["continuous"])))
def test_smd_continuous_agrees_with_r(case):
    check(effects.smd_continuous(case["x"], case["y"]), case["d"], case["limits"])


@pytest.mark.parametrize("case", R["binary"], ids=range(len(R["binary"])))
def test_smd_binary_agrees_with_r(case):
    x1, n1, x2, n2 = case["counts"]
    check(effects.smd_binary((x1, n1), (x2, n2)), case["d"], case["limits"])


@pytest.mark.parametrize("case", R["levels"], ids=range(len(R["levels"])))
def test_smd_levels_agrees_with_r(case):
    check(effects.smd_levels(case["treatment"], case["control"]), case["d"], case["limits"])


def test_published_smds():
    # R tableone, vignette "smd": race in the right heart catheterisation data, 0.036.
    race = effects.smd_levels([585, 213, 2753], [335, 142, 1707])
    assert f"{race.estimate:.3f}" == "0.036"


@given(level_counts, level_counts)
@few
def test_smd_of_levels_is_a_distance(a, b):
    ours = effects.smd_levels(a, b)
    assert ours.estimate == pytest.approx(effects.smd_levels(b, a).estimate, abs=1e-7)
    assert ours.estimate == pytest.approx(
        effects.smd_levels([*a[::-1], 0], [*b[::-1], 0]).estimate, abs=1e-7)
    two = effects.smd_levels(a[:2], b[:2])
    plain = effects.smd_binary((a[0], a[0] + a[1]), (b[0], b[0] + b[1]))
    assert two.estimate == pytest.approx(abs(plain.estimate), abs=1e-12)
    # Taking levels apart can only widen the distance of a level from the rest.
    merged = effects.smd_binary((a[0], sum(a)), (b[0], sum(b)))
    assert ours.estimate >= abs(merged.estimate) - 1e-9


@given(arm, arm)
@few
def test_swapped_arms_flip_smd(a, b):
    x, y = [p[0] for p in a], [p[0] for p in b]
    assume(np.ptp(x) + np.ptp(y) > 0)
    ours, swapped = effects.smd_continuous(x, y), effects.smd_continuous(y, x)
    assert (ours.estimate, ours.low) == pytest.approx((-swapped.estimate, -swapped.high))
    scaled = effects.smd_continuous(3 * np.array(x) + 7, 3 * np.array(y) + 7)
    assert scaled.estimate == pytest.approx(ours.estimate, abs=1e-9)


@pytest.mark.parametrize(("result", "reason"), [
    (effects.smd_continuous([0.1] * 3, [0.1] * 4), "constant"),
    (effects.smd_continuous([0.1] * 3, [0.2] * 4), "constant"),
    (effects.smd_continuous([1.0], [2, 3]), "too few"),
    (effects.smd_binary((22, 22), (19, 19)), "constant"),
    (effects.smd_binary((22, 22), (0, 19)), "constant"),
    (effects.smd_binary((0, 0), (3, 19)), "empty"),
    (effects.smd_levels([22, 0, 0], [19, 0, 0]), "constant"),
    (effects.smd_levels([5, 6, 0], [0, 0, 9]), "share too few"),
    (effects.smd_levels([5, 6], [0, 0]), "empty"),
    (effects.smd_levels([0, 0], [0, 0]), "empty"),
])
def test_smd_not_estimable(result, reason):
    assert all(math.isnan(v) for v in (result.estimate, result.low, result.high))
    assert reason in result.reason


@pytest.mark.parametrize("row", SIMULATED["chance"])
def test_smd_by_chance_agrees_with_simulation(row):
    ours = effects.chance_smd(row["n_treatment"], row["n_control"])
    assert ours.expected == pytest.approx(row["expected"], abs=4 * row["expected_se"])
    assert ours.bound == pytest.approx(row["bound"], rel=0.01)


def test_smd_by_chance_by_formula_and_too_few():
    # Equal arms: Student's t with n1 + n2 - 2 df, whose E|t| at 4 df is 1.
    assert effects.chance_smd(3, 3).expected == pytest.approx(math.sqrt(2 / 3))
    assert effects.chance_smd(3, 3).bound == pytest.approx(2.776445 * math.sqrt(2 / 3), rel=1e-6)
    assert math.isnan(effects.chance_smd(1, 5).expected)


def test_smd_of_levels_by_chance():
    # Three levels: the root of a chi-square with 2 df, mean sqrt(pi / 2), 95 % point sqrt(5.991).
    ours = effects.chance_smd(22, 19, levels=3)
    assert ours.bound == pytest.approx(math.sqrt(5.991465 * (1 / 19 + 1 / 22)), rel=1e-6)
    assert (f"{ours.bound:.2f}", f"{effects.chance_smd(22, 19).bound:.2f}") == ("0.77", "0.63")
    assert ours.expected == pytest.approx(math.sqrt(math.pi / 2 * (1 / 19 + 1 / 22)))
    arms = np.random.default_rng(1).multinomial(400, [0.2, 0.3, 0.5], (4000, 2))
    found = [effects.smd_levels(a, b) for a, b in arms]
    bound = np.quantile([one.estimate for one in found], 0.95)
    assert bound == pytest.approx(effects.chance_smd(400, 400, 3).bound, rel=0.03)
    assert min(one.low for one in found) == 0  # a distance ends there
    assert 0.94 < np.mean([one.low == 0 for one in found]) < 0.96  # covered as often as said


# --- d_ppc2 ------------------------------------------------------------------------------


def pairs(case, arm):
    return np.transpose([case[f"{arm}_pre"], case[f"{arm}_post"]])


@pytest.mark.parametrize("case", R["prepost"], ids=range(len(R["prepost"])))
def test_d_ppc2_agrees_with_r(case):
    arms = [pairs(case, arm) for arm in ("treatment", "control")]
    ours = effects.d_ppc2(*arms)
    check(ours, case["d"], case["limits"])
    assert (ours.change, ours.sd, ours.variance) == pytest.approx(
        (case["change"], case["sd"], case["variance"]), rel=1e-10)
    check(effects.d_ppc2(*arms, corrected=False), case["uncorrected"], case["uncorrected_limits"])


def test_one_formula_for_many_data_sets_and_for_moments():
    rng = np.random.default_rng(3)
    batch = [rng.normal(50, 9, (4, n, 2)) for n in (7, 5)]
    found = effects.d_ppc2(*batch)
    moments = [(a.shape[1], a[..., 0].mean(1), a[..., 0].std(1, ddof=1), a[..., 1].mean(1))
               for a in batch]
    summed = effects.d_ppc2_of(*moments)
    for i in range(4):
        one = effects.d_ppc2(*(a[i] for a in batch))
        assert [v[i] if np.ndim(v) else v for v in found] == pytest.approx(list(one), rel=1e-12)
        assert summed.estimate[i] == pytest.approx(one.estimate, rel=1e-12)


# Carlson and Schmidt's five studies as Morris (2008) uses them, and the paper's own. Morris was not
# at hand: data as in metafor's documentation (metafor-project.org/doku.php/analyses:morris2008),
# which states that its own values, these to two digits, are those of Morris's Table 5.
PUBLISHED = pd.read_csv(ORACLES / "effects_published.csv", dtype={"d_ppc2": str})


@pytest.mark.parametrize("row", PUBLISHED.to_dict("records"), ids=PUBLISHED["source"])
def test_d_ppc2_as_published(row):
    numbers = [v for k, v in row.items() if k not in ("d_ppc2", "source")]
    ours = effects.d_ppc2_of(numbers[:4], numbers[4:])
    assert f"{ours.estimate:.2f}" == row["d_ppc2"]
    assert math.isnan(ours.low) and math.isnan(ours.variance)  # no correlation was printed


@pytest.mark.parametrize("row", SIMULATED["d_ppc2"])
def test_morris_variance_agrees_with_simulation(row):
    # Eq. 25 at the true d and correlation, through an arm whose d is exactly delta.
    n1, n2 = row["n_treatment"], row["n_control"]
    factor = 1 - 3 / (4 * (n1 + n2 - 2) - 1)
    ours = effects.d_ppc2_of((n1, 0, 1, row["delta"] / factor), (n2, 0, 1, 0), rho=row["rho"])
    assert ours.estimate == pytest.approx(row["delta"], abs=1e-12)
    assert row["mean"] == pytest.approx(
        row["delta"], abs=4 * math.sqrt(row["variance"] / row["draws"]))
    assert ours.variance == pytest.approx(row["variance"], abs=3 * row["variance_se"])
    assert 0.945 < row["coverage"] < 0.955


@given(arm, arm)
@few
def test_swapped_arms_flip_d_ppc2(a, b):
    a, b = np.array(a), np.array(b)
    assume(np.ptp(a[:, 0]) + np.ptp(b[:, 0]) > 0)
    ours, swapped = effects.d_ppc2(a, b), effects.d_ppc2(b, a)
    assert ours.estimate == pytest.approx(-swapped.estimate)
    assert ours.low == pytest.approx(-swapped.high, nan_ok=True)
    # Both scales mirrored: a questionnaire scored the other way round.
    turned = effects.d_ppc2(100 - a, 100 - b)
    assert turned.estimate == pytest.approx(-ours.estimate, abs=1e-9)
    raw = effects.d_ppc2(a, b, corrected=False)
    assert ours.estimate == pytest.approx(raw.estimate * ours.factor)


def test_d_ppc2_not_estimable():
    def d(*columns):
        return effects.d_ppc2(np.transpose(columns[:2]), np.transpose(columns[2:]))

    assert math.isnan(d([0.1] * 3, [1, 2, 3], [0.1] * 3, [3, 2, 4]).estimate)
    assert math.isnan(d([1], [2], [1, 2], [2, 3]).estimate)
    flat = d([1, 2, 4], [5, 5, 5], [1, 3, 2], [4, 4, 4])
    assert flat.estimate == pytest.approx(flat.factor * flat.change / flat.sd)
    assert math.isnan(flat.low)  # no correlation with a constant
    assert d([1, 2, 4], [2, 3, 5], [1, 3, 2], [1, 3, 2]).variance > 0  # a correlation of 1
    assert math.isnan(d([1, 2], [2, 3], [1, 3], [3, 1]).variance)  # df 2


# --- the rest ----------------------------------------------------------------------------


def test_pooled_sd_and_b_over_sd():
    x, y = [1.0, 4, 6, 9], [2.0, 2, 5]
    by_hand = math.sqrt((np.var(x) * 4 + np.var(y) * 3) / 5)
    assert effects.pooled_sd(4, np.std(x, ddof=1), 3, np.std(y, ddof=1)) == pytest.approx(by_hand)
    assert effects.b_over_sd(-26.38, -40.87, -11.89, 20) == (-1.319, -2.0435, -0.5945, "")
    assert math.isnan(effects.b_over_sd(1, 0, 2, 0).estimate)
    assert math.isnan(effects.b_over_sd(1, 0, 2, math.nan).low)


@pytest.mark.parametrize("case", R["geometric"], ids=range(len(R["geometric"])))
def test_geometric_agrees_with_r(case):
    ours = effects.geometric([*case["x"], math.nan])
    assert (ours.mean, ours.cv) == pytest.approx((case["mean"], case["cv"]), rel=1e-11)
    assert ours.n == len(case["x"])


def test_geometric_edges():
    assert math.isnan(effects.geometric([]).mean)
    single = effects.geometric([4.0])
    assert single.mean == pytest.approx(4) and math.isnan(single.cv)
    assert effects.geometric([2.0, 2.0]).cv == 0
    with pytest.raises(ValueError, match="above 0"):
        effects.geometric([1.0, 0.0])


def test_ratio_of_geometric_means():
    ratio = effects.ratio_of_geometric_means(math.log(2), 0, math.log(8))
    assert (ratio.estimate, ratio.low, ratio.high) == pytest.approx((2, 1, 8))
    wide = effects.ratio_of_geometric_means(math.log(2), -1e4, 1e4)
    assert wide.estimate == pytest.approx(2) and wide.low == 0 and math.isnan(wide.high)


# --- BCa intervals against R's boot (oracles/bootstrap.R), and by property --------------


BOOT = json.loads((ORACLES / "bootstrap.json").read_text("utf-8"))
ROWS = np.array([[row["arm"], row["pre"], row["post"]] for row in BOOT["data"]])
ARMS = [ROWS[ROWS[:, 0] == a][:, 1:] for a in (1, 0)]
WIDTH = BOOT["many95"][1] - BOOT["many95"][0]


def run(arms, seed=1, **kwargs):
    return effects.bca_d_ppc2(*arms, rng=np.random.default_rng(seed), **kwargs)


def test_the_interval_agrees_with_boot():
    found = run(ARMS, draws=40_000)
    assert found.estimate == pytest.approx(BOOT["estimate"], rel=1e-12)
    assert (found.low, found.high) == pytest.approx(BOOT["many95"], abs=0.02 * WIDTH)


def test_it_is_neither_the_percentile_interval_nor_another_coverage():
    rng = np.random.default_rng(1)
    drawn = [arm[rng.integers(0, len(arm), (40_000, len(arm)))] for arm in ARMS]
    plain = np.quantile(effects.d_ppc2(*drawn).estimate, [0.025, 0.975])
    found = run(ARMS, draws=40_000)
    off = [np.abs(np.subtract(limits, BOOT["many95"])).max() for limits in (plain, found[1:3])]
    assert off[0] > 3 * off[1]
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
