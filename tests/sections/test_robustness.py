"""The grid of the primary contrast, imputation at trial level, and ranges over cohorts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from trials import tiny

from mair.results import Lookup, records
from mair.sections import analysis as estimates
from mair.sections import imputed as missing
from mair.sections import robustness
from mair.stats.covariance import STRUCTURES
from mair.stats.smallsample import INFERENCES
from mair.trial import load

METHOD = "random-intercept/z"


@pytest.fixture(scope="module")
def trial():
    return load("params/mair.yaml", draws=1000)


@pytest.fixture(scope="module")
def rows(trial):
    return robustness.rows(trial)


def test_the_declared_row_is_the_outcomes_row(trial, rows):
    value = Lookup(rows)
    one = estimates.analyse(trial, "FIQ").contrasts["post"]
    key = ("robustness", "FIQ", "difference", "post", METHOD)
    assert (value(*key, statistic="b"), value(*key, statistic="p")) == (one.estimate, one.p)


def test_every_choice_is_there_once(rows):
    assert not rows.duplicated(["arm", "time", "method", "statistic"]).any()
    methods = set(rows["method"])
    assert {f"{prefix}{covariance}/{inference}" for prefix in ("", "clda:")
            for covariance in STRUCTURES for inference in INFERENCES} <= methods
    assert {"ancova/z", "random-intercept/z/ml", robustness.REFERENCE,
            "random-intercept/kenward-roger/mi-j2r", "tipping-point",
            "d_ppc2/bca"} <= methods


def test_the_same_seed_gives_the_same_rows(rows):
    again = load("params/mair.yaml", draws=1000)
    pd.testing.assert_frame_equal(rows, robustness.rows(again))


def test_imputed_values_do_not_depend_on_names_or_row_order(trial, tmp_path):
    found, arm, _, people = missing.impute_variable(trial, "FIQ", "mi-mar")
    assert found.values.shape == (missing.imputations(trial), 41, 3) and arm.sum() == 22
    frame = pd.read_csv("mair/data/mair_synthetic.csv", dtype=str, keep_default_na=False)
    names = {old: f"p{900 - i}" for i, old in enumerate(frame["id"])}
    frame = frame.assign(id=frame["id"].map(names)).sample(frac=1, random_state=4)
    frame.rename(columns={"fiq_post": "x1"}).to_csv(tmp_path / "x.csv", index=False)
    text = Path("params/mair.yaml").read_text(encoding="utf-8")
    text = text.replace("../mair/data/mair_synthetic.csv", "x.csv").replace("fiq_post", "x1")
    text = text.replace("published: ../", f"published: {Path().resolve()}/")
    (tmp_path / "x.yaml").write_text(text.replace("FIQ", "Impact"), encoding="utf-8")
    other = load(tmp_path / "x.yaml", draws=1000)
    again, _, _, theirs = missing.impute_variable(other, "Impact", "mi-mar")
    assert list(theirs) != [names[str(p)] for p in people]
    place = [list(theirs).index(names[str(p)]) for p in people]
    assert again.values[:, place] == pytest.approx(found.values, rel=1e-9)


def test_delta_zero_is_missing_at_random(trial):
    mar = estimates.analyse(trial, "FIQ", inference="kenward-roger", missing="mi-mar")

    def shifted(treatment):
        return missing.shifted(trial, "FIQ", "post", treatment, 0)

    assert shifted(0) == mar.contrasts["post"]
    tip = missing.tipping(trial, "FIQ", "post", (1, 0))
    assert tip.delta > 0
    assert shifted(tip.delta).high == pytest.approx(0, abs=1e-6)
    assert shifted(tip.delta - 1).high < 0


def test_it_goes_where_it_hurts():
    """At follow-up RT better by 40 alone: as a referee computed it, from 200 imputations."""
    trial = load("params/mair.yaml")
    grid = robustness.delta_grid(trial, "followup").set_index(["treatment", "control"])
    alone = grid.loc[(0.0, -40.0)]
    assert alone.tolist() == pytest.approx([-16.0, -33.7, 1.8], abs=0.05)
    rows = Lookup(robustness.rows(trial, quick=True))
    key = ("robustness", "FIQ", "difference", "followup")
    method = "random-intercept/kenward-roger/mi-mar/delta=0/control=-40"
    assert rows(*key, method, statistic="b") == pytest.approx(alone["b"])
    tips = [rows(*key, method, statistic="delta") for method in robustness.TIPPING]
    assert tips[2] < tips[1] < 40 < tips[0]  # both arms off; RT better alone; MAIR worse alone
    # the grid goes beyond where the answer tips, along both arms
    assert grid.index.get_level_values("treatment").max() > tips[0]
    assert -grid.index.get_level_values("control").min() > tips[1]


def test_jump_to_reference_pulls_towards_the_control_arm(trial):
    found = {rule: estimates.analyse(trial, "FIQ", missing=rule).contrasts["post"].estimate
             for rule in missing.RULES}
    assert abs(found["mi-j2r"]) < abs(found["mi-mar"])


def test_therapy_groups_over_a_range_of_sizes(trial, rows):
    """19 and 22 people: groups of 5, 8, 10 and 15 are 8, 5, 4 and 2 of them."""
    value, key = Lookup(rows), ("robustness", "FIQ", "difference", "post")
    one = estimates.analyse(trial, "FIQ").contrasts["post"]
    found = {size: value(*key, f"{METHOD}/groups of {size}", statistic="groups")
             for size in robustness.group_sizes(trial)}
    assert found == {5: 8, 8: 5, 10: 4, 15: 2}
    ten = f"{METHOD}/groups of 10"
    assert value(*key, f"{ten}/rho=0.05", statistic="se") == pytest.approx(
        one.se * np.sqrt(1 + 9 * 0.05))
    assert value(*key, f"{ten}/rho=0", statistic="ci_high") == pytest.approx(
        one.estimate + 4.302653 * one.se)  # t on 2 df
    assert value(*key, ten, statistic="rho_reaching_zero") == 0
    assert 0 < value(*key, f"{METHOD}/groups of 5", statistic="rho_reaching_zero") < 1


def test_what_coincides_counts_once(rows):
    frame = pd.DataFrame({"b": [1, 1 + 1e-11, 2, -2], "se": [3, 3, 3, 4.0]})
    assert robustness.distinct(frame["b"]) == 3
    assert robustness.distinct([1, 1, 1], [2, 3, 3 + 1e-12]) == 2
    grid = [one for one in records(rows, time="post") if hasattr(one, "p")
            and "delta" not in one.method and one.arm == "difference"]
    assert robustness.distinct([one.b for one in grid]) < len(grid) / 2


@pytest.mark.parametrize("analysis", [
    {"inference": "kenward-roger", "covariance": "unstructured"}, {"estimator": "ancova"}])
def test_leaving_one_out_is_the_data_without_them(analysis):
    trial, name = larger(analysis={"draws": 1000, "group_size": None} | analysis), "Pain"
    lines = larger_data().splitlines()
    b = [estimates.analyse(tiny.trial("\n".join(lines[:i] + lines[i + 1:]), flow=None,
                                      analysis=analysis), name).contrasts["after"].estimate
         for i in range(1, len(lines))]
    one, = records(robustness.rows(trial), time="after", method=(
        estimates.analyse(trial, name).method + "/leave-one-out"))
    assert (one.n, one.refits, one.changed) == (24, 24, 0)
    assert (one.b_low, one.b_high) == pytest.approx((min(b), max(b)))


def test_one_person_can_carry_the_answer():
    """In T everybody falls by 4 and t1a by 40, in C by 2 and 6: without t1a zero is within."""
    data = larger_data().splitlines()
    for i, line in enumerate(data[1:], start=1):
        cells = line.split(",")
        fall = (40 if cells[0] == "t1a" else 4) if cells[1] == "T" else (2, 6)[i % 2]
        cells[6:8] = [str(int(cells[5]) - fall + i % 3 - 1)] * 2
        data[i] = ",".join(cells).replace("-", "")
    rows = robustness.rows(tiny.trial("\n".join(data), flow=None))
    one, = (one for one in records(rows, time="after") if one.method.endswith("leave-one-out"))
    assert one.refits == 24 and one.b_low < -3 < -0.5 < one.b_high < 0.5


def test_a_dose_is_a_line_within_an_arm():
    trial = larger(flow={"sessions": "sessions"})
    change = trial.scores("Pain")["after"] - trial.scores("Pain")["before"]
    for one in records(robustness.rows(trial), method=robustness.DOSE, time="after"):
        own = trial.arm == one.arm
        x, y = trial.series("sessions")[own].astype(float), change[own]
        assert one.b == pytest.approx(np.cov(x, y)[0, 1] / x.var())
        assert (one.n, one.df) == (12, 10) and one.ci_low <= one.b <= one.ci_high


def test_a_trial_with_one_visit_after_baseline(tmp_path):
    frame = pd.read_csv("mair/data/mair_synthetic.csv")
    frame.to_csv(tmp_path / "x.csv", index=False)
    path = tmp_path / "x.yaml"
    path.write_text(
        "data: x.csv\nparticipant: id\narm: {column: arm, control: RT, treatment: MAIR}\n"
        "visits: [baseline, post]\noutcomes:\n  FIQ: {columns: [fiq_baseline, fiq_post], "
        "range: [0, 100]}\nanalysis: {draws: 500}\n")
    rows = robustness.rows(load(path))
    assert set(rows["time"]) == {"post"}
    value = Lookup(rows)
    key = ("robustness", "FIQ", "difference", "post")
    assert 0 < value(*key, robustness.REFERENCE, statistic="p") < 0.05
    assert value(*key, "random-intercept/kenward-roger/mi-mar", statistic="df") < 39


def test_every_estimator_gives_treatment_minus_control():
    """Nobody lost before `after`: there C stays as it was and T falls by 20."""
    rows = robustness.rows(tiny.trial())
    methods = [one for one in records(rows, time="after", arm="difference") if hasattr(one, "p")]
    names = {one.method for one in methods}
    assert {"random-intercept/z", "clda:unstructured/kenward-roger",
            "ancova/kenward-roger", robustness.REFERENCE} <= names
    exact = [one for one in methods if not one.method.startswith(("clda", "ancova", "unstr"))
             and "jackknife" not in one.method]
    assert len(exact) == 10
    assert [one.b for one in exact] == pytest.approx([-20] * 10)
    assert all(one.b < -15 for one in methods if one.b == one.b)
    assert {one.n for one in exact} == {8} and {one.n_rows for one in exact} == {23}


def test_all_allocations_of_eight_people_are_dealt():
    """No change in C, a fall in T: of 70 allocations the observed and its mirror are extreme."""
    one, = records(robustness.rows(tiny.trial()), method=robustness.REFERENCE, time="after")
    assert (one.allocations, one.exact) == (70, 1)
    assert one.p == pytest.approx(2 / 70)


def test_strata_restrict_the_allocations():
    """Four women and one man in C, two women and two men in T, dealt within sex."""
    trial = tiny.trial(allocation={"scheme": "blocks", "strata": "sex"})
    one, = records(robustness.rows(trial), method=robustness.REFERENCE, time="after")
    assert one.allocations == 10 * 3  # 3 of 5 women and 1 of 3 men to C


def larger_data(lost=2):
    """The tiny trial three times, 12 an arm: everybody of a copy by 3 points worse or better.

    c4 is lost to the last visit in each copy, t4 in ``lost`` of them.
    """
    head, *lines = tiny.DATA.splitlines()
    data = [head]
    for copy, shift in enumerate((0, 3, -4)):
        for line in lines:
            cells = line.split(",")
            cells[0] += "abc"[copy]
            cells[5:8] = [str(int(x) + shift) if x else "" for x in cells[5:8]]
            if cells[0].startswith("t4") and copy < lost:
                cells[7] = ""
            data.append(",".join(cells))
    return "\n".join(data)


def larger(lost=2, **changes):
    """A trial of `larger_data`."""
    changes = {"flow": None, "analysis": tiny.SPEC["analysis"] | {"draws": 1000}} | changes
    return tiny.trial(larger_data(lost), **changes)


@pytest.mark.parametrize(("better", "sign"), [("lower", 1), ("higher", -1)])
def test_worse_imputed_values_move_the_contrast_by_their_share(better, sign):
    """Of 12 in T two are imputed at the last visit: each point moves the mean by 2/12."""
    outcome = {**tiny.SPEC["outcomes"]["Pain"], "better": better}
    trial = larger(outcomes={"Pain": outcome})
    b = {one.method: one.b for one in records(robustness.rows(trial), time="later")
         if "/mi-mar" in one.method and hasattr(one, "p")}
    base = "random-intercept/kenward-roger/mi-mar"
    for delta in (10, 20, 50):
        assert b[f"{base}/delta={delta}"] - b[base] == pytest.approx(sign * delta * 2 / 12)
        assert b[f"{base}/delta=0/control=-{delta}"] - b[base] == pytest.approx(
            sign * delta * 3 / 12)
    grid = robustness.delta_grid(trial, "later")
    assert grid["b"].to_numpy() - b[base] == pytest.approx(
        sign * (grid["treatment"] * 2 / 12 - grid["control"] * 3 / 12).to_numpy())


def test_nothing_is_shifted_where_nothing_is_missing_or_no_scale_is_known():
    whole = tiny.trial(tiny.DATA.replace("50,50,,4", "50,50,50,4"))
    rows = robustness.rows(whole)
    assert not rows["method"].str.contains("mi-|tipping|delta|jackknife").any()
    assert robustness.delta_grid(whole, "later").empty
    endless = larger(outcomes={"Pain": {k: v for k, v in tiny.SPEC["outcomes"]["Pain"].items()
                                        if k != "range"}})
    assert robustness.deltas(endless) == [] and len(robustness.delta_grid(endless, "later"))


def test_reference_based_imputation_leaves_the_control_arm_alone():
    """Lost from C alone, nobody jumps: the three rules agree."""
    found = {one.method.rpartition("/")[2]: one.b
             for one in records(robustness.rows(larger(lost=0)), time="later")
             if one.method.startswith("random-intercept/kenward-roger/mi-")
             and "delta" not in one.method}
    assert found["mi-j2r"] == pytest.approx(found["mi-cr"])
    assert found["mi-mar"] == pytest.approx(found["mi-j2r"], abs=0.5)


def test_the_bootstrap_is_of_the_d_of_those_described():
    """Seven people, pooled baseline SD sqrt(80): d = -20 / sqrt(80) times 1 - 3/19."""
    one, = records(robustness.rows(tiny.trial()), method="d_ppc2/bca", time="after")
    assert (one.n, one.d) == (7, pytest.approx(-20 / np.sqrt(80) * 16 / 19))
    assert one.ci_low < one.d < one.ci_high
