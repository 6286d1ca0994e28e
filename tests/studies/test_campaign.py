"""The fault campaign, a small seeded part of it, and the committed whole."""

import numpy as np
import pandas as pd
import pytest

from mair.published import numbers
from mair.published.consistency import claims_beside, consistency
from mair.studies import campaign
from mair.studies.campaign_trials import SOUND, paper, show


def test_a_part_of_the_committed_campaign_again(mair):
    published = numbers.read()
    kind = published["statistic"].map(campaign.KINDS)
    places = np.flatnonzero(kind.isin(["quartile", "risk"]))
    found = campaign.faults(published, mair.sections, claims_beside(numbers.PATH), places, 1)
    table = campaign.summary(found)
    own = table[table["kind"] != "all"].set_index(["part", "change", "role", "kind"])
    committed = pd.read_csv(campaign.PATH).set_index(["part", "change", "role", "kind"])
    assert set(found["kind"]) == {"quartile", "risk"} and len(own) >= 4
    pd.testing.assert_frame_equal(own, committed.loc[own.index])


def test_a_part_of_the_real_trials_again_on_one_and_on_two_processes():
    """Counts are held by the whole; here two of five trials, a number in each nine."""
    published, sections = paper("laryngoscope", np.random.default_rng(1))
    places = range(0, len(published), 9)
    one, two = (campaign.faults(published, sections, places=places, processes=n) for n in (1, 2))
    pd.testing.assert_frame_equal(one, two)
    part = one[(one["role"] == "checkable") & (one["change"] == "ten percent")]
    assert len(part) >= 10 and part["caught"].mean() > 0.85


def test_the_committed_campaign():
    table = pd.read_csv(campaign.PATH).query("kind == 'all'").set_index(
        ["part", "change", "role"]).sort_index()
    shares = table["share"]
    assert shares["faults", "ten percent", "checkable"] >= 0.966
    assert shares["faults in real trials", "ten percent", "checkable"] >= 0.9
    assert table.loc["correct papers", "numbers"].eq(5 * campaign.PAPERS).all()
    assert table.loc[("correct papers", "impossible"), "caught"].eq(0).all()


def test_correct_papers_raise_no_alarm():
    false, judged = campaign.alarms(2, processes=1)
    assert false.empty and judged > 500


def test_a_wrong_paper_does():
    published, sections = paper("stem cells", np.random.default_rng(1))
    at = published.index[(published["statistic"] == "b")][0]
    published.loc[at, "printed"] = campaign.changed(published.loc[at, "printed"], "ten percent",
                                                    True)
    assert "impossible" in set(consistency(published, sections)["verdict"])


@pytest.mark.parametrize("name", SOUND["trials"])
def test_printed_trials_keep_the_contracts_form(name):
    published, _ = paper(name, np.random.default_rng(3))
    assert not numbers.problems(published)


@pytest.mark.parametrize(("value", "digits", "text"),
                         [(-0.004, 2, "0.00"), (2.675, 2, "2.68"), (-1.5, 0, "-2")])
def test_printing(value, digits, text):
    assert show(value, digits) == text
