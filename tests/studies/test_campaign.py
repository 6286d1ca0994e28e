"""The fault campaign, a small seeded part of it, and the committed whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mair.published import numbers
from mair.published.consistency import claims_beside, consistency
from mair.studies import campaign
from mair.studies.campaign_trials import show, trial

ROOT = Path(__file__).resolve().parents[2]


def test_a_part_of_the_committed_campaign_again():
    published = numbers.read()
    sections = yaml.safe_load((ROOT / "params" / "mair.yaml").read_text(encoding="utf-8"))
    kind = published["statistic"].map(campaign.KINDS)
    places = np.flatnonzero(kind.isin(["z", "quartile", "scale"]))
    found = campaign.faults(published, sections, claims_beside(numbers.PATH), places, processes=1)
    table = campaign.summary(found, pd.DataFrame({"verdict": []}), 0, 0)
    own = table[table["kind"] != "all"].set_index(["part", "change", "role", "kind"])
    committed = pd.read_csv(campaign.PATH).set_index(["part", "change", "role", "kind"])
    assert set(found["kind"]) == {"z", "quartile", "scale"} and len(own) >= 6
    pd.testing.assert_frame_equal(own, committed.loc[own.index])


def test_the_same_changes_on_two_processes():
    published, sections = trial(np.random.default_rng(1))
    places = np.random.default_rng(campaign.SEED).choice(len(published), 24, replace=False)
    one, two = (campaign.faults(published, sections, places=sorted(places.tolist()), processes=n)
                for n in (1, 2))
    pd.testing.assert_frame_equal(one, two)
    assert len(one) == 24 * 4
    part = one[(one["role"] == "checkable") & (one["change"] == "ten percent")]
    assert len(part) >= 6 and part["caught"].mean() > 0.85


def test_correct_trials_raise_no_alarm():
    false, judged = campaign.alarms(6, processes=1)
    assert false.empty and judged > 1000


def test_a_wrong_trial_does():
    published, sections = trial(np.random.default_rng(1))
    at = published.index[(published["statistic"] == "b")][0]
    published.loc[at, "printed"] = campaign.changed(published.loc[at, "printed"], "ten percent",
                                                    True)
    assert "impossible" in set(consistency(published, sections)["verdict"])


def test_invented_papers_keep_the_contracts_form():
    published, _ = trial(np.random.default_rng(3))
    assert not numbers.problems(published)


@pytest.mark.parametrize(("value", "digits", "text"),
                         [(-0.004, 2, "0.00"), (2.675, 2, "2.68"), (-1.5, 0, "-2")])
def test_printing(value, digits, text):
    assert show(value, digits) == text
