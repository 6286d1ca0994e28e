"""Alpha and omega against R's psych (oracles/reliability.R)."""

import json
from pathlib import Path

import numpy as np
import pytest

from mair.stats import reliability

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "reliability.json").read_text())


@pytest.mark.parametrize("name", ORACLE["cases"])
def test_as_psych_has_them(name):
    case = ORACLE["cases"][name]
    items = np.array(case["x"], dtype=float)
    items = items[~np.isnan(items).any(axis=1)]
    assert len(items) == case["n"]
    found = reliability.alpha(items)
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (case["alpha"], case["low"], case["high"]), abs=1e-10)
    omega = reliability.omega(items, rng=np.random.default_rng(1))
    if case["omega"] is None:
        assert np.isnan(omega.estimate) and omega.reason
        return
    assert omega.estimate == pytest.approx(case["omega_exact"], abs=1e-7)
    assert omega.estimate == pytest.approx(case["omega"], abs=1e-6)
    # both by 2,000 resamples of their own: three standard errors of a percentile
    assert (omega.low, omega.high) == pytest.approx(case["boot"], abs=0.008)


@pytest.mark.parametrize("items", [np.ones((20, 4)), np.arange(8).reshape(2, 4),
                                   np.eye(20)[:, :1]])
def test_what_cannot_be_estimated_says_why(items):
    for found in (reliability.alpha(items),
                  reliability.omega(items, rng=np.random.default_rng(1))):
        assert np.isnan(found.estimate) and found.reason
