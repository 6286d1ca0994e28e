"""The simulation study: its batched estimators against the single ones, its trials, its table."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from mair.sections import study
from mair.stats import covariance, mixed, permute, saturated, simulated, smallsample
from mair.stats import power as formulas
from mair.studies import simulate
from mair.trial import load

CLOSE = 1e-6
STRUCTURES = {"random-intercept": saturated.random_intercept,
              "unstructured": saturated.unstructured}


@pytest.fixture(scope="module")
def plan():
    return simulate.plan(load("params/mair.yaml"))


@pytest.fixture(scope="module")
def committed():
    return study.read()


def _trials(k, rho, loss, count=12, sizes=(9, 13), seed=3):
    """Scores of unequal SDs (count, n, k), visits seen, arms."""
    rng = np.random.default_rng(seed)
    treated = np.repeat([0, 1], sizes)
    sds = np.ones((len(treated), 1)) * np.linspace(8, 14, k)
    y = simulated.scores(rng, count, sds, simulated.correlation(k, rho))
    return y, simulated.visits_seen(rng, y, 10.0, loss, "last score", treated), treated


def _long(y, seen, treated):
    """Rows, saturated design, participants and visits of one trial."""
    k = y.shape[1]
    who, when = np.nonzero(np.arange(k) < seen[:, None])
    X = np.zeros((len(who), 2 * k))
    X[np.arange(len(who)), treated[who] * k + when] = 1
    return y[who, when], X, who, when


# Batches against single fits


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize(("k", "rho", "loss"), [(3, 0.5, 0.0), (3, 0.5, 0.3), (3, 0.05, 0.2),
                                                (2, 0.4, 0.2), (4, 0.7, 0.25)])
def test_batched_inference_is_the_single_fits(structure, k, rho, loss):
    y, seen, treated = _trials(k, rho, loss)
    fits = STRUCTURES[structure](saturated.reduced(y, seen, treated))
    assert fits.converged.all()
    if rho < 0.1 and structure == "random-intercept":
        assert 0 < fits.boundary.sum() < len(y)  # both sides of the boundary are looked at
    for visit in {1, k - 1}:
        L = saturated.change(k, visit)
        for inference in smallsample.INFERENCES:
            found = smallsample.contrast(fits, L, inference)
            for i in range(len(y)):
                one = covariance.fit(*_long(y[i], seen[i], treated), structure)
                assert one.structure == structure
                single = smallsample.contrast(one, L, inference)
                for name in ("estimate", "se", "df", "p", "low", "high"):
                    assert getattr(found, name)[i] == pytest.approx(
                        getattr(single, name), rel=CLOSE, abs=1e-8)


def test_unstructured_converges_where_the_pairwise_start_is_not_positive_definite():
    y, seen, treated = _trials(3, 0.95, 0.5, count=60, sizes=(19, 22))
    fits = saturated.unstructured(saturated.reduced(y, seen, treated))
    for i in range(len(y)):
        one = covariance.fit(*_long(y[i], seen[i], treated), "unstructured")
        if one.structure == "unstructured":
            assert fits.theta[i] == pytest.approx(one.theta, rel=1e-6)
        else:
            assert not fits.converged[i]


@pytest.mark.parametrize(("rho", "loss"), [(0.5, 0.0), (0.5, 0.3), (0.0, 0.2)])
def test_batched_rerandomisation_is_the_single_test(rho, loss):
    y, seen, treated = _trials(3, rho, loss, count=8)
    rng = np.random.default_rng(11)
    arms = np.tile(treated, (len(y), 60, 1))
    arms[:, 1:] = rng.permuted(arms[:, 1:], axis=2)
    found = saturated.rerandomise(y, seen, arms)
    for i in range(len(y)):
        score, _, who, when = _long(y[i], seen[i], treated)
        visit = (when[:, None] == np.arange(3)).astype(float)
        fits = mixed.random_intercept_arms(score, visit, visit @ _CHANGE, who, arms[i])
        single = permute.rerandomise(fits.beta[:, 4:], fits.se[:, 4:], False)
        assert found[i] == pytest.approx(single.p, abs=1e-12)


_CHANGE = np.array([[1.0, 0, 0], [1, 1, 0], [1, 0, 1]])  # arm, arm x visit 1, arm x visit 2


# The trials


def test_scores_have_the_moments_asked_for():
    rng = np.random.default_rng(5)
    sds = np.array([[2.0, 3.0, 1.0]])
    for matrix, skewed in ((simulated.correlation(3, 0.6, True), False),
                           (simulated.correlation(3, 0.5), True)):
        y = simulated.scores(rng, 200_000, sds, matrix, skewed)[:, 0]
        assert y.mean(0) == pytest.approx(np.zeros(3), abs=0.03)
        assert y.std(0) == pytest.approx(sds[0], rel=0.01)
        assert np.corrcoef(y.T) == pytest.approx(matrix, abs=0.01)
        # a sum of an independent normal and an exponential of half the variance: 2 x 0.5^1.5
        assert stats.skew(y, axis=0) == pytest.approx(np.full(3, 2 * 0.5**1.5 * skewed), abs=0.05)
    assert simulated.correlation(3, 0.6, True)[0, 2] == pytest.approx(0.36)


def _drawn(plan, *cell, seed=6):
    design = plan.design(simulate.Cell(*cell))
    return *design.draw(np.random.default_rng(seed), 4000), design.treated, design.shift


def test_dropout_is_monotone_of_the_share_asked_for_and_depends_on_the_last_score(plan):
    y, seen, _, shift = _drawn(plan, "exchangeable", "mar", "null")
    assert (shift == 0).all()
    assert (seen < 3).mean() == pytest.approx(plan.dropout, abs=0.005)
    assert y[..., 0][seen == 1].mean() > 5  # the worse leave
    left = (seen == 2)
    assert y[..., 1][left].mean() > y[..., 0][left].mean() > 0  # the score seen last counts
    y, seen, treated, _ = _drawn(plan, "falling", "differential", "null")
    lost = [(seen[:, treated == arm] < 3).mean() for arm in (0, 1)]
    assert lost == pytest.approx([4 / 3 * plan.dropout, 2 / 3 * plan.dropout], abs=0.01)
    y, seen = y[:, treated == 1], seen[:, treated == 1]
    assert y[..., 0][seen == 1].mean() < -5  # here the better leave
    assert (_drawn(plan, "FIQ", "none", "null")[1] == 3).all()


def test_sds_come_from_the_published_table_at_the_planned_size(plan):
    assert plan.sizes == (19, 22) and (plan.sd, plan.difference) == (15.2, 14.2)
    for name in ("FIQ", "HADS-A"):
        assert np.sqrt((plan.sds[name][:, 0] ** 2).mean()) == pytest.approx(plan.sd)
    assert plan.sds["FIQ"][0, 1] / plan.sds["FIQ"][1, 2] == pytest.approx(25.90 / 16.30)
    assert plan.sds["HADS-A"][1, 2] / plan.sds["HADS-A"][0, 0] == pytest.approx(1.54 / 6.06)
    y, _, treated, shift = _drawn(plan, "HADS-A", "none", "planned", seed=7)
    assert y[:, treated == 1].std((0, 1)) == pytest.approx(plan.sds["HADS-A"][1], rel=0.02)
    assert y[:, treated == 1].mean((0, 1)) == pytest.approx(shift, abs=0.3)
    assert shift.tolist() == [0, -14.2, -14.2]


# The study


def test_the_committed_study_is_whole(committed, plan):
    assert len(committed) == len(simulate.cells()) * 2 * len(study.METHODS) == 300
    assert not committed.duplicated(study.KEYS).any()
    assert (committed["simulations"] == simulate.BLOCK * simulate.BLOCKS).all()
    assert (committed["seed"] == simulate.SEED).all()
    rate = committed["type1"].fillna(committed["power"])
    assert committed["mc_se"].to_numpy() == pytest.approx(
        np.sqrt(rate * (1 - rate) / committed["simulations"]).to_numpy(), rel=1e-6)
    assert (committed["type1"].isna() == (committed["effect"] == "planned")).all()
    null = committed[committed["effect"] == "null"]  # there rejecting is not covering
    assert null["coverage"].to_numpy() == pytest.approx(1 - null["type1"].to_numpy(), abs=1e-4)
    assert set(committed["sd"]) == {plan.sd} and set(committed["difference"]) == {plan.difference}


@pytest.mark.parametrize(("mechanism", "dropout", "effect"), [
    ("exchangeable", "mar", "null"), ("HADS-A", "differential", "planned"),
    ("skewed", "none", "null")])
def test_its_first_blocks_are_repeated(committed, plan, mechanism, dropout, effect):
    at = simulate.cells().index((mechanism, dropout, effect))
    counts = simulate.block(plan, at, 0)
    rows = committed.set_index(study.KEYS).sort_index().loc[mechanism, dropout, effect]
    for i, method in enumerate(study.METHODS):
        for v, visit in enumerate(plan.visits[1:]):
            row = rows.loc[visit, method]
            assert [row["block_rejected"], row["block_covered"]] == [*counts[i, v, :2]]


def test_the_number_of_processes_changes_nothing(plan):
    alone, together = (simulate.run(plan, blocks=1, processes=p, which=[2, 3]) for p in (1, 2))
    pd.testing.assert_frame_equal(alone, together)
    assert len(alone) == 20 and (alone["simulations"] == simulate.BLOCK).all()
    # blocks have streams of their own
    assert (simulate.block(plan, 2, 0) != simulate.block(plan, 2, 1)).any()


# Power


@pytest.mark.parametrize(("df", "variance", "level", "published"), [
    (59, 15.0, 0.75, 17.23264), (99, 1.45, 0.90, 1.762447)])
def test_browne_limit(df, variance, level, published):
    """statpsych's documentation, ci.var.upper(.25, 15, 60) and (.10, 1.45, 100)."""
    assert formulas.upper_sd(variance**0.5, df, level) ** 2 == pytest.approx(published, rel=1e-6)


def test_browne_limit_keeps_its_promise():
    """The limit lies above the true SD in the share of pilots that its level says."""
    sds = np.sqrt(np.random.default_rng(8).chisquare(33, 20_000) / 33)
    above = np.mean([formulas.upper_sd(sd, 33, 0.8) > 1 for sd in sds])
    assert above == pytest.approx(0.8, abs=0.01)


@pytest.mark.parametrize("k", [2, 3])
def test_simulated_power_is_the_noncentral_t_of_complete_data(k):
    """Compound symmetry, complete: an exact t test on (k - 1)(2 n - 2) df."""
    n, d, draws = 12, 1.0, 6000
    (found,) = simulated.simulated_power(n, k, d=d, rho=0.5, draws=draws,
                                         rng=np.random.default_rng(9))
    df, ncp = (k - 1) * (2 * n - 2), d * np.sqrt(n / 2)
    t = stats.t.ppf(0.975, df)
    exact = stats.nct.sf(t, df, ncp) + stats.nct.cdf(-t, df, ncp)
    assert found == pytest.approx(np.full(k - 1, exact), abs=4 * np.sqrt(0.25 / draws))


def test_dropout_costs_power():
    rng = np.random.default_rng(10)
    whole, lost = (simulated.simulated_power(18, 3, d=0.9, share=share, draws=4000, rng=rng)[0]
                   for share in (0.0, 0.4))
    assert (lost < whole - 0.03).all() and lost[1] < lost[0]
