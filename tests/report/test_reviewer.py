"""What the audit comes to for a reviewer: classes, worksheet, letter."""

import io
import re
from dataclasses import replace

import docx
import pytest

from mair.published.consistency import engine
from mair.report import reviewer, words
from mair.report.summary import summary
from mair.run import paper
from mair.sections import audit
from mair.trial import load
from mair.trial.errors import ROOT

INTENT = re.compile(r"fraud|fabricat|falsif|misconduct|dishonest|invent|suspici|manipulat", re.I)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The paper entered from its tables, without data."""
    return paper.opened(ROOT / "params" / "mair_paper", tmp_path_factory.mktemp("paper"))


def text(content: bytes) -> list[str]:
    """The paragraphs of a Word file."""
    return [one.text for one in docx.Document(io.BytesIO(content)).paragraphs]


def test_three_classes_are_counted_and_the_first_screen_says_them(alone):
    holds = audit.judged(alone)["holds"].value_counts()
    said = summary(alone, None).result
    assert said == reviewer.sentence(alone)
    assert [int(n) for n in re.findall(r"\d+", said)] == [
        holds.sum(), *(holds[name] for name in reviewer.SAID["classes"])]
    assert f"{holds['cannot hold as printed']} cannot hold as printed" in said


def test_queries_are_those_that_cannot_hold_or_need_an_explanation(alone):
    asked, judged = reviewer.queries(alone), audit.judged(alone)
    bad = judged["verdict"].isin(["impossible", "other convention"])
    assert sorted(asked.data.index) == sorted(judged.index[bad])
    assert list(asked.groups.unique()) == ["Cannot hold as printed", "Needs an explanation"]
    assert (asked.display.iloc[:, :-1] != "").all(axis=None)
    pearson = asked.display.set_index("Number")["At random"]
    assert pearson["table 2: education, p"] == (
        "of 100 values from 0.00 to 0.99, 43 would have passed")
    shown = dict(zip(asked.display["Number"], asked.display["What would explain it"], strict=True))
    assert shown["table 2: HADS-A, p"] == "Welch's t"
    assert shown["table 3: PCS, MAIR, at 3 months, mean"] == "15 people"


def test_the_worksheet_has_every_question_and_every_finding(alone):
    sheet = reviewer.worksheet(alone)
    items = [item for part in reviewer.SAID["parts"] for item in part["items"]]
    assert list(sheet.display["Question"]) == [item["asks"] for item in items]
    said = dict(zip(sheet.display["Question"], sheet.display.to_dict("records"), strict=True))
    for item in items:
        assert said[item["asks"]]["Judgement"] == "to be judged"
        assert bool(said[item["asks"]]["What the numbers say"]) == ("checks" in item)
    percent = said["Are percentages those of their counts?"]
    assert percent["What the numbers say"] == "Of 57 checks, 2: cannot hold as printed"
    place = percent["Where in the paper"]
    assert "table 2: employment: employed, RT, % 26.2 (sheet 4-table-2, E17)" in place
    checked = audit.checks(alone)
    odd = set(checked.loc[checked["verdict"].isin(["impossible", "other convention"]), "check"])
    named = {name for item in items for name in item.get("checks", ()) if len(name) > 1}
    assert odd <= named <= {*{name for name, _ in engine.CHECKS}, *named}


def test_the_letter_asks_once_for_each_finding_and_speaks_of_no_intent(alone):
    paragraphs = text(reviewer.letter(alone))
    numbered = [one for one in paragraphs if re.match(r"\d+\. ", one)]
    checked = audit.checks(alone)
    bad = checked.index[checked["verdict"].isin(["impossible", "other convention"])]
    asked = [one for one in audit.found(alone) if not bad.intersection(list(one.rows)).empty]
    assert [int(one.split(".")[0]) for one in numbered] == list(range(1, len(asked) + 1))
    assert all("Printed: " in one and one.endswith("?") for one in numbered)
    assert "Dear authors," in paragraphs and "doi:10.3390/jcm9103246" in paragraphs[0]
    assert reviewer.letter(alone) == reviewer.letter(alone)
    everything = " ".join([*paragraphs, *reviewer.worksheet(alone).display.to_numpy().ravel(),
                           *reviewer.queries(alone).display.to_numpy().ravel()])
    assert not INTENT.search(everything)


def test_a_paper_whose_numbers_follow_is_asked_nothing(tmp_path):
    (tmp_path / "p.csv").write_text(
        "analysis,variable,arm,time,method,statistic,printed,source,note\n"
        "flow,randomised,C,,,n,20,table 1,\nbaseline,sex,C,,,n,5,table 1,\n"
        "baseline,sex,C,,,percent,25.0,table 1,\n")
    (tmp_path / "x.yaml").write_text(
        "published: p.csv\narm: {column: arm, control: C, treatment: T}\nvisits: [before, after]\n"
        "outcomes: {Pain: {range: [0, 10]}}\n")
    sound = load(tmp_path / "x.yaml")
    assert reviewer.queries(sound) is None
    assert any("have no question" in one for one in text(reviewer.letter(sound)))
    assert reviewer.sentence(sound) == ("Of 3 printed numbers 2 have nothing to be held against "
                                        "and 1 follows from the others")


def test_the_short_name_of_a_visit_inside_its_long_one_is_said_once(alone):
    trial = replace(alone, visit_labels={"post": "after post test (15 weeks)", "weeks": "at weeks"})
    said = words.plain(trial)
    for text in ("FIQ at post, mean", "FIQ after post test (15 weeks), mean"):
        assert said(text) == "FIQ after post test (15 weeks), mean"
