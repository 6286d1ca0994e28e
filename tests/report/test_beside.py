"""Analyses side by side: by hand against the trial file, and several runs on a page."""

import pytest
from scipy.stats import norm

from mair.report import beside
from mair.sections import measures, nnt
from mair.trial import load

PARAMS = "params/mair.yaml"
NARROWER = round(100 * (1 - norm.ppf(0.95) / norm.ppf(0.975)))  # 90 instead of 95 %, under z


@pytest.fixture
def shown(monkeypatch) -> list:
    """What is displayed, as its text for those without a browser."""
    found = []
    for where in ("IPython.display.display", "IPython.core.display_functions.display"):
        monkeypatch.setattr(where, lambda what, **_: found.append(
            what["text/plain"] if isinstance(what, dict) else what.data))
    return found


def test_a_narrower_interval_is_said_to_be_one(shown):
    trial = load(PARAMS, confidence=0.9)
    beside.compare(trial, measures.rows, "outcomes", only="FIQ")
    table, figure = shown
    assert "Contrasts beside each other" in table and "CGI-S" not in table
    lines = [line for line in table.splitlines() if line.strip().startswith("FIQ, ")]
    assert len(lines) == 2 and all(f"0.00; interval {NARROWER}% narrower" in line
                                   for line in lines)
    assert figure.startswith("Difference in change over the baseline SD") and "−1.43" in figure


def test_a_rule_for_the_unseen_changes_the_estimate(shown):
    declared, trial = load(PARAMS), load(PARAMS, responder_missing="nonresponder")
    beside.compare(trial, nnt.rows)
    own = [beside.contrasts(nnt.rows(one), one.analysis.model_dump())
           for one in (declared, trial)]
    seen, everybody = (frame["b"].iloc[0] for frame in own)
    assert seen == pytest.approx(100 * (16 / 19 - 3 / 16))  # of those seen, and of all randomised
    assert everybody == pytest.approx(100 * (16 / 22 - 3 / 19))
    assert "as declared: those seen, Wald." in shown[0] and "unseen not improved, Wald" in shown[0]
    assert "−8.52" in shown[0] and [*own[0]["method"].unique()] == ["completers/wald"]


def test_without_a_change_there_is_a_line_and_nothing_is_computed(shown):
    beside.compare(load(PARAMS), None)
    assert len(shown) == 1 and "nothing to compare" in shown[0]


def test_a_page_escapes_and_an_equal_one_is_not_written_again(tmp_path):
    part = {"title": "<b>", "rows": [["a<", "1"]], "links": [("x/index.html", "<x>")],
            "head": ["&", "n"]}
    beside.write(tmp_path / "index.html", "T<", [part])
    before = (tmp_path / "index.html").stat().st_mtime_ns
    text = (tmp_path / "index.html").read_text()
    assert "<h2>&lt;b&gt;</h2>" in text and '<a href="x/index.html">&lt;x&gt;</a>' in text
    beside.write(tmp_path / "index.html", "T<", [part])
    assert (tmp_path / "index.html").stat().st_mtime_ns == before
