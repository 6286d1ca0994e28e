"""The grid of the primary contrast, imputation at trial level, and ranges over cohorts."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mair.results import Lookup
from mair.sections import analysis as estimates
from mair.sections import imputed as missing
from mair.sections import nnt, robustness
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
    assert (value(*key, statistic="b"), value(*key, statistic="p")) == (one.b, one.p)


def test_every_choice_is_there_once(rows):
    assert not rows.duplicated(["time", "method", "statistic"]).any()
    methods = set(rows["method"])
    for prefix in ("", "clda:"):
        for covariance in robustness.COVARIANCES:
            for inference in robustness.INFERENCES:
                assert f"{prefix}{covariance}/{inference}" in methods
    assert {"ancova:random-intercept/z", "random-intercept/z/ml", robustness.REFERENCE,
            "random-intercept/kenward-roger/mi-j2r", "tipping-point",
            "d_ppc2/bca"} <= methods  # fmt: skip


def test_the_same_seed_gives_the_same_rows(trial, rows):
    pd.testing.assert_frame_equal(rows, robustness.rows(trial))


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
    shifted, tip = missing.tipping_table(trial, "FIQ", "post", [0.0])
    mar = estimates.analyse(trial, "FIQ", inference="kenward-roger", missing="mi-mar")
    assert shifted.loc[0, "b"] == mar.contrasts["post"].b
    assert shifted.loc[0, "high"] == mar.contrasts["post"].high
    assert tip.delta > 0
    beyond, _ = missing.tipping_table(trial, "FIQ", "post", [tip.delta, tip.delta - 1])
    assert beyond.loc[0, "high"] == pytest.approx(0, abs=1e-6)
    assert beyond.loc[1, "high"] < 0


def test_jump_to_reference_pulls_towards_the_control_arm(trial):
    found = {rule: estimates.analyse(trial, "FIQ", missing=rule).contrasts["post"].b
             for rule in missing.RULES}  # fmt: skip
    assert abs(found["mi-j2r"]) < abs(found["mi-mar"])


def test_groups_widen_the_interval_up_to_zero(trial, rows):
    value = Lookup(rows)
    base = ("robustness", "FIQ", "difference", "post")
    one = estimates.analyse(trial, "FIQ").contrasts["post"]
    se = value(*base, f"{METHOD}/groups of 10/rho=0.05", statistic="se")
    assert se == pytest.approx(one.se * np.sqrt(1 + 9 * 0.05))
    rho = value(*base, f"{METHOD}/groups of 10", statistic="rho_reaching_zero")
    assert abs(one.b) == pytest.approx((one.high - one.low) / 2 * np.sqrt(1 + 9 * rho))


def test_imputed_responders_lie_between_the_extremes(trial):
    value = Lookup(nnt.rows(trial))
    for criterion in ("FIQ >=20%", "FIQ >=50%"):
        key = ("nnt", criterion, "difference", "post")
        worst, best, imputed = (value(*key, f"{rule}/wald", statistic="arr")
                                for rule in ("worst-case", "best-case", "mi-mar"))  # fmt: skip
        assert worst <= imputed <= best


def test_a_trial_with_one_visit_after_baseline(tmp_path):
    frame = pd.read_csv("mair/data/mair_synthetic.csv")
    frame.to_csv(tmp_path / "x.csv", index=False)
    path = tmp_path / "x.yaml"
    path.write_text(
        "data: x.csv\nparticipant: id\narm: {column: arm, control: RT, treatment: MAIR}\n"
        "visits: [baseline, post]\noutcomes:\n  FIQ: {columns: [fiq_baseline, fiq_post], "
        "range: [0, 100]}\nanalysis: {draws: 500}\n"
    )
    rows = robustness.rows(load(path))
    assert set(rows["time"]) == {"post"}
    value = Lookup(rows)
    key = ("robustness", "FIQ", "difference", "post")
    assert 0 < value(*key, robustness.REFERENCE, statistic="p") < 0.05
    assert value(*key, "random-intercept/kenward-roger/mi-mar", statistic="df") < 39
