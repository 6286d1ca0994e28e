"""Risks standardised over baseline: R's glm with the sandwich, and what cannot be estimated."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtri

from mair.stats.risk import standardised_risks

ORACLE = json.loads((Path(__file__).parents[1] / "oracles" / "standardised.json").read_text())
Z = ndtri(0.975)


@pytest.mark.parametrize("r", ORACLE)
def test_r_gives_the_same(r):
    difference, ratio = standardised_risks(r["response"], r["arm"], r["baseline"])
    assert difference[:3] == pytest.approx(
        [r["difference"] + side * Z * r["se"] for side in (0, -1, 1)], rel=1e-6)
    assert np.log(ratio[:3]) == pytest.approx(
        [r["log_ratio"] + side * Z * r["se_log"] for side in (0, -1, 1)], rel=1e-6)
    assert difference.nnt == pytest.approx(1 / r["difference"], rel=1e-6)


def test_without_a_slope_it_is_the_risks_themselves():
    y, arm = np.repeat([1, 0, 1, 0], [12, 4, 6, 14]), np.repeat([1, 0], [16, 20])
    for baseline in (np.full(36, 50.0), np.r_[np.tile([40.0, 60.0], 18)]):
        difference, ratio = standardised_risks(y, arm, baseline)
        assert difference.estimate == pytest.approx(12 / 16 - 6 / 20)
        assert ratio.estimate == pytest.approx(2.5)
        se = np.sqrt(0.75 * 0.25 / 16 + 0.3 * 0.7 / 20)  # Wald's
        assert difference.high - difference.low == pytest.approx(2 * Z * se, rel=2e-3)


@pytest.mark.parametrize(("y", "message"), [
    ([0, 0, 0, 0, 1, 1, 0, 1], "an arm has no responder"),
    ([0, 0, 1, 1, 0, 0, 1, 1], "exactly who responds")])
def test_it_says_what_has_no_maximum(y, message):
    with pytest.raises(ValueError, match=message):
        standardised_risks(y, [0, 0, 0, 0, 1, 1, 1, 1], [1, 2, 3, 4, 1, 2, 3, 4])
