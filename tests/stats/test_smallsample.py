"""Satterthwaite, Kenward-Roger and ANCOVA against R, SAS, exact theory and brute force."""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
import smallsample_oracle
from numpy.testing import assert_allclose
from scipy import stats
from smallsample_oracle import DATA, FULL, ORACLES, SETS, data, dense, design, first, second

from mair.stats.ancova import ancova
from mair.stats.covariance import STRUCTURES, fit
from mair.stats.smallsample import contrast, joint

R, CS, UN = STRUCTURES
satterthwaite = partial(contrast, inference="satterthwaite")
kenward_roger = partial(contrast, inference="kenward-roger")
satterthwaite_f = partial(joint, inference="satterthwaite")
kenward_roger_f = partial(joint, inference="kenward-roger")


@pytest.mark.parametrize("name", [*FULL, "fiq_clda", "beat_later"])
def test_inference_is_lmertests_pbkrtests_and_emmeanss(name):
    theirs, found = SETS[name]["mixed"]["reml"], fit(*data(name), R)
    oracle, L = theirs["contrasts"], np.array(theirs["contrasts"]["L"])
    plain, adjusted = satterthwaite(found, L), kenward_roger(found, L)
    assert_allclose(plain.estimate, oracle["estimate"], rtol=1e-6)
    assert_allclose(plain.se, oracle["se"], rtol=1e-6)
    assert_allclose(plain.df, oracle["satterthwaite_df"], rtol=1e-5)
    assert_allclose(adjusted.se, oracle["kr_se"], rtol=1e-6)
    assert_allclose(adjusted.df, oracle["kr_df"], rtol=1e-6)
    assert_allclose(adjusted.p, 2 * stats.t.sf(np.abs(adjusted.t), adjusted.df), rtol=1e-9)
    assert_allclose(adjusted.high - adjusted.estimate,
                    stats.t.ppf(0.975, adjusted.df) * adjusted.se, rtol=1e-9)
    for method, test, means in (("satterthwaite", satterthwaite_f, satterthwaite),
                                ("kr", kenward_roger_f, kenward_roger)):
        oracle, mine = theirs["joint"][method], test(found, np.atleast_2d(theirs["joint"]["L"]))
        assert_allclose([mine.f, mine.df2, mine.p], [oracle[x] for x in ("f", "df2", "p")],
                        rtol=1e-5)
        assert_allclose(mine.scaling, oracle.get("scaling", 1.0), rtol=1e-6)
        if name in FULL:
            oracle = theirs["emm"][method]
            mine = means(found, np.array(oracle["L"]))
            assert_allclose([mine.estimate, mine.se], [oracle["mean"], oracle["se"]], rtol=1e-6)
            assert_allclose(mine.df, oracle["df"], rtol=1e-5)


@pytest.mark.parametrize("name", [*FULL, "fiq_clda", "beat_later"])
def test_maximum_likelihood(name):
    oracle = SETS[name]["mixed"]["ml"]
    found = fit(*data(name), R, reml=False)
    found_df = satterthwaite(found, np.eye(len(found.beta))).df
    assert_allclose(found_df, oracle["satterthwaite_df"], rtol=1e-5)
    with pytest.raises(ValueError, match="REML"):
        kenward_roger(found, np.eye(len(found.beta)))


def test_beat_the_blues_as_published():
    later = kenward_roger(fit(*data("beat_later"), R), np.eye(11)[2])
    assert_allclose([later.estimate, later.se, later.df], [-3.0324, 1.8850, 129.88], rtol=4e-5)


@pytest.mark.parametrize("name", ["zero", "negative"])
def test_zero_variance(name):
    found = fit(*data(name), R)
    assert found.boundary
    L = np.eye(len(found.beta))
    assert_allclose(satterthwaite(found, L).df, found.rows.n_rows[0] - len(L))
    assert_allclose(satterthwaite_f(found, L[-2:]).df2, found.rows.n_rows[0] - len(L))
    assert (kenward_roger(found, L).df < found.rows.n_rows[0] - len(L)).any()
    beside = kenward_roger(fit(*data(name), CS), L)  # what the report puts next to it
    assert np.isfinite(beside.df).all() and (beside.se[-2:] > found.se[-2:]).all()


@pytest.mark.parametrize("n, q", [(41, 2), (12, 1), (20, 3), (15, 5), (9, 3)])
def test_complete_data_unstructured_is_exact_theory(n, q):
    rng = np.random.default_rng(n + q)
    arm = rng.permutation(np.arange(n) % 3 > 0)
    scores = 50 + rng.normal(size=(n, q + 1)) @ (rng.normal(size=(q + 1, q + 1)) + np.eye(q + 1))
    who, when = np.repeat(np.arange(n), q + 1), np.tile(np.arange(q + 1), n)
    found = fit(scores.ravel(), design(when, arm[who]), who, when, UN)
    L = np.eye(len(found.beta))[-q:]
    change = scores[:, 1:] - scores[:, :1]
    pooled = stats.ttest_ind(change[arm], change[~arm])
    contrasts = kenward_roger(found, L)
    assert_allclose(contrasts.df, n - 2, rtol=1e-9)
    assert_allclose(contrasts.se, contrasts.estimate / pooled.statistic, rtol=1e-9)
    assert_allclose(contrasts.p, pooled.pvalue, rtol=1e-8)
    ci = stats.ttest_ind(change[arm], change[~arm]).confidence_interval()
    assert_allclose([contrasts.low, contrasts.high], ci, rtol=1e-8)
    m1, m0 = arm.sum(), (~arm).sum()
    cov = sum((len(c) - 1) * np.atleast_2d(np.cov(c.T)) for c in (change[arm], change[~arm]))
    shift = change[arm].mean(0) - change[~arm].mean(0)
    hotelling = m1 * m0 / n * shift @ np.linalg.solve(cov / (n - 2), shift)
    whole = kenward_roger_f(found, L)
    assert_allclose([whole.f, whole.df2],
                    [hotelling * (n - 1 - q) / ((n - 2) * q), n - 1 - q], rtol=1e-9)
    assert_allclose(whole.p, stats.f.sf(whole.f, q, n - 1 - q))


@pytest.mark.parametrize("structure, seed, by_arm", [
    (UN, 0, False), (UN, 3, False), (CS, 1, False), (CS, 2, False), (CS, 5, True), (UN, 6, True)])
def test_brute_force(structure, seed, by_arm):
    """Numerical derivatives of N x N matrices: Phi_A = Phi - sum W_ij d2 Phi / (di dj)."""
    sample = smallsample_oracle.simulated(
        seed, k=3, n=26, missing=0.25, correlation=0.6 if structure == CS else None)
    arms = sample[1][:, 1] > 0 if by_arm else None
    if by_arm:  # a covariate, so that the arms share a column
        covariate = np.random.default_rng(seed).normal(size=26)[sample[2]]
        sample = (sample[0] * (1 + arms), np.insert(sample[1], 4, covariate, 1), *sample[2:])
    found = fit(*sample, structure, arms=arms)
    assert (found.structure, found.by_arm) == (structure, by_arm)
    _, X, _, _ = sample
    V, criterion, phi = dense(*sample, arms)
    theta, h = found.theta, (0.01 if by_arm else 0.003) * np.linalg.eigvalsh(found.sigma).min()
    assert_allclose(criterion(theta), found.criterion, rtol=1e-10)
    assert_allclose(first(criterion, theta, h), 0, atol=1e-5 / h)
    gradient, slopes = first(phi, theta, h), first(V, theta, h)
    curvature = second(phi, theta, h)
    w = np.linalg.inv(V(theta))
    projection = w - w @ X @ phi(theta) @ X.T @ w
    moved = [projection @ g for g in slopes]
    expected = 2 * np.linalg.inv([[np.trace(a @ b) for b in moved] for a in moved])
    observed = 2 * np.linalg.inv(second(criterion, theta, h))
    L = np.eye(X.shape[1])[-2:]

    def df(covariance):
        v, g = np.diag(L @ phi(theta) @ L.T), np.einsum("mi,qij,mj->mq", L, gradient, L)
        return 2 * v ** 2 / np.einsum("mq,qr,mr->m", g, covariance, g)

    assert_allclose(satterthwaite(found, L).df, df(observed), rtol=2e-5)
    for information, covariance in (("expected", expected), ("observed", observed)):
        ours = kenward_roger(found, L, information=information)
        adjusted = phi(theta) - np.einsum("ij,ijxy->xy", covariance, curvature)
        assert_allclose(ours.df, df(covariance), rtol=2e-5)
        assert_allclose(ours.se, np.sqrt(np.diag(L @ adjusted @ L.T)), rtol=1e-6)
        f, df2, scaling = _kenward_roger_1997(L @ found.beta, L @ phi(theta) @ L.T,
                                              L @ adjusted @ L.T, L @ gradient @ L.T, covariance)
        joint = kenward_roger_f(found, L, information=information)
        assert_allclose([joint.f, joint.df2, joint.scaling], [f, df2, scaling], rtol=2e-5)


def _kenward_roger_1997(estimate, plain, adjusted, gradient, covariance):
    """The paper's section 3, by loops, from the contrasts' own covariance and its derivatives."""
    m, q = len(estimate), len(gradient)
    u = [np.linalg.solve(plain, g) for g in gradient]
    pairs = [(i, j) for i in range(q) for j in range(q)]
    a1 = sum(covariance[i, j] * np.trace(u[i]) * np.trace(u[j]) for i, j in pairs)
    a2 = sum(covariance[i, j] * np.trace(u[i] @ u[j]) for i, j in pairs)
    b = (a1 + 6 * a2) / (2 * m)
    g = ((m + 1) * a1 - (m + 4) * a2) / ((m + 2) * a2)
    below = 3 * m + 2 * (1 - g)
    c1, c2, c3 = g / below, (m - g) / below, (m + 2 - g) / below
    mean = 1 / (1 - a2 / m)
    variance = 2 / m * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    rho = variance / (2 * mean ** 2)
    df2 = 4 + (m + 2) / (m * rho - 1)
    scaling = df2 / (mean * (df2 - 2))
    return scaling * estimate @ np.linalg.solve(adjusted, estimate) / m, df2, scaling


# mmrm (openpharma/mmrm, Apache-2.0; artificial data) at commit
# ec290b2695b25057b31bc98e27c39d3f498cd0d6: data/fev_data.rda, and SAS PROC MIXED's output for
# FEV1 = ARMCD, ddfm=kr and kr(linear) alike, in design/ddfm_covtype/kr_us.csv, kr_us.txt and
# kr_cs.csv, kr_cs.txt; Satterthwaite with ARMCD and SEX in design/SAS/sas_coef_ci_reml_un.txt
FEV = pd.read_csv(ORACLES / "smallsample_fev.csv")
SAS_UN = [108.39, 45.4113, -2.6971, -47.0103, 40.1721, 0.7771, -13.0998, 24.6058, 18.7346, 152.36]


def fev(structure, *columns):
    X = np.column_stack([np.ones(len(FEV)), *(FEV[c] for c in columns)])
    return fit(FEV.fev1, X, FEV.id, FEV.visit, structure)


def test_sas_compound_symmetry():
    ours = kenward_roger(fev(CS, "arm"), [0, 1], information="observed")
    assert_allclose(ours.estimate, 4.19663617897035, rtol=1e-7)
    assert_allclose(ours.se, 0.7964696053595, rtol=1e-6)
    assert_allclose(ours.df, 177.038485931223, rtol=1e-6)
    assert_allclose([ours.low, ours.high], [2.62483985242729, 5.7684325055134], rtol=1e-6)


def test_sas_unstructured():
    found = fev(UN, "arm")
    assert_allclose(found.criterion, 3667.96276376, atol=1e-4)
    ours = kenward_roger(found, [0, 1], information="observed")
    assert_allclose([ours.estimate, ours.se, ours.df],
                    [3.81972492174648, 0.66124382270307, 160.733266403768], rtol=3e-4)
    # SAS stopped short of the optimum; at its own (printed) parameters the agreement is closer
    there = replace(found, theta=np.array(SAS_UN))
    there = kenward_roger(there, [0, 1], information="observed")
    assert_allclose([there.se, there.df], [0.66124382270307, 160.733266403768], rtol=2e-5)
    # Kenward and Roger's expected information is another number
    paper = kenward_roger(found, [0, 1])
    assert_allclose([paper.se, paper.df], [0.653623, 170.9168], rtol=1e-5)


def test_sas_satterthwaite():
    ours = satterthwaite(fev(UN, "arm", "sex"), np.eye(3))
    assert_allclose(ours.estimate, [41.0762, 3.8265, -0.1404], rtol=3e-5, atol=5e-5)
    assert_allclose(ours.se, [0.5504, 0.6421, 0.6434], atol=6e-5)
    assert list(np.round(ours.df)) == [156, 161, 161]


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("name", ["fiq", "dropout", "negative"])
def test_rows_units_and_arms(name, structure):
    y, X, who, when = data(name)
    L = np.eye(X.shape[1])[-2:]
    d = DATA[DATA.set == name]
    order = np.random.default_rng(2).permutation(len(y))
    base = fit(y, X, who, when, structure)
    names = np.array(["v1", "v2", "v3", "v4"])[when - 1]  # and any labels, in any order
    shuffled = fit(y[order], X[order], np.char.add("p", who.astype(str))[order], names[order],
                   structure)
    others = {(1, 1): shuffled,
              (1e-4, 1): fit(1e-4 * y - 3, X, who, when, structure),
              (1, -1): fit(y, design(d.visit, 1 - d.arm, [d.x]), who, when, structure)}
    for (unit, sign), other in others.items():
        assert_allclose(other.sigma / unit**2, base.sigma, rtol=1e-7, atol=1e-9)
        for method in (satterthwaite, kenward_roger):
            a, b = method(base, L), method(other, L)
            assert_allclose(b.estimate, sign * unit * a.estimate, rtol=1e-6)
            assert_allclose([b.se / unit, b.df, b.p], [a.se, a.df, a.p], rtol=1e-6)
            assert_allclose(b.low, unit * (a.low if sign == 1 else -a.high), rtol=1e-6)
        for method in (satterthwaite_f, kenward_roger_f):
            a, b = method(base, L), method(other, L)
            assert_allclose([b.f, b.df2, b.p], [a.f, a.df2, a.p], rtol=1e-6)


def test_joint_test_of_one_row_is_the_t_test():
    found = fit(*data("hads_a"), UN)
    L = np.eye(len(found.beta))[-1]
    for one, test in ((satterthwaite, satterthwaite_f), (kenward_roger, kenward_roger_f)):
        t, f = one(found, L), test(found, L)
        assert_allclose([f.f, f.df2, f.p], [t.t ** 2, t.df, t.p])
        assert np.shape(t.estimate) == () and one(found, L[None]).df.shape == (1,)


def test_joint_test_does_not_depend_on_the_contrasts_chosen():
    found = fit(*data("beat"), UN)
    L = np.eye(len(found.beta))[-4:]
    mixing = np.random.default_rng(0).normal(size=(4, 4))
    for test in (satterthwaite_f, kenward_roger_f):
        assert_allclose(test(found, mixing @ L).f, test(found, L).f, rtol=1e-9)
    assert_allclose(kenward_roger_f(found, mixing @ L).df2, kenward_roger_f(found, L).df2)


def test_confidence_widens_the_interval():
    found = fit(*data("fiq"), R)
    narrow, wide = (kenward_roger(found, np.eye(7)[6], confidence=c) for c in (0.8, 0.99))
    assert narrow.low > wide.low and narrow.high < wide.high and narrow.p == wide.p


def test_what_cannot_be_tested():
    found = fit(*data("fiq"), UN)
    L = np.eye(7)[[5, 5]]
    for test in (satterthwaite_f, kenward_roger_f):
        with pytest.raises(ValueError, match="linearly dependent"):
            test(found, L)
    _, X, who, when = data("fiq")
    failed = fit(X @ np.arange(7.0), X, who, when, UN)
    assert not failed.converged
    for method in (satterthwaite, kenward_roger):
        assert np.isnan(method(failed, np.eye(7)).p).all()
    for test in (satterthwaite_f, kenward_roger_f):
        assert np.isnan(test(failed, np.eye(7)[-2:]).p)


def test_ancova_is_lms():
    d = DATA[DATA.set == "fiq"].pivot(index=["id", "arm", "x"], columns="visit", values="y")
    wide = d.reset_index()
    for visit, oracle in zip((2, 3), SETS["ancova"], strict=True):
        found = ancova(wide[visit], wide[1], wide.arm, wide.x)
        ours = found.contrast
        assert_allclose(ours, [oracle[name] for name in ours._fields], rtol=1e-9)
        assert found.n == wide[visit].notna().sum() and ours.df == found.n - 4
        assert found.dropped == []
        far = ancova(wide[visit] + 1e8, wide[1] + 1e8, wide.arm, 1e-10 * wide.x).contrast
        assert_allclose(far[:2], ours[:2], rtol=1e-6)
        swapped = ancova(wide[visit], wide[1], 1 - wide.arm, wide[["x"]]).contrast
        assert_allclose([swapped.estimate, swapped.low], [-ours.estimate, -ours.high])


def test_ancova_leaves_out_dependent_columns_as_lm_does():
    rng = np.random.default_rng(1)
    baseline, x, arm = rng.normal(50, 9, 20), rng.normal(size=20), np.tile([0, 1], 10)
    y = baseline - 5 * arm + rng.normal(size=20)
    plain = ancova(y, baseline, arm, x)
    doubled = ancova(y, baseline, arm, np.c_[np.full(20, 0.1), x, 2 * x - baseline + 3])
    assert doubled.dropped == [3, 5] and doubled.contrast.df == plain.contrast.df == 16
    assert_allclose(doubled.contrast, plain.contrast, rtol=1e-9)


def test_ancova_refuses():
    y, arm = np.arange(6.0), np.array([0, 1, 0, 1, 0, 1])
    with pytest.raises(ValueError, match="3 people"):
        ancova(np.where(y > 2, np.nan, y), y, arm)
    with pytest.raises(ValueError, match="nobody"):
        ancova(y + np.nan, y, arm)
    with pytest.raises(ValueError, match="cannot estimate"):
        ancova(y ** 2, y, np.ones(6))
    with pytest.raises(ValueError, match="determine"):
        ancova(y + 3, y, arm)

