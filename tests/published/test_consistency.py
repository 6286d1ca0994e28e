"""The paper against itself: what the checks find, and that they are general."""

import ast
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mair.published import consistency as wing
from mair.published import numbers
from mair.published.consistency import claims_beside, consistency, findings, worst
from mair.published.consistency.claims import COLUMNS as CLAIMS
from mair.published.consistency.contrasts import possible_ratios, two_sided
from mair.published.consistency.implications import readings
from mair.published.rounding import rule_of, values
from mair.results import KEYS
from mair.stats import mixed, smallsample, tests

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = numbers.read()
SECTIONS = yaml.safe_load((ROOT / "params" / "mair.yaml").read_text(encoding="utf-8"))
FRAME = consistency(PUBLISHED, SECTIONS, claims_beside(numbers.PATH))
FOUND = findings(FRAME, PUBLISHED, SECTIONS)
WORST = worst(FRAME, len(PUBLISHED))


def one(check, variable, arm="difference", time="", statistic="p", frame=FRAME):
    rows = frame[(frame["check"] == check) & (frame["variable"] == variable)
                 & (frame["arm"] == arm) & (frame["time"] == time)
                 & (frame["statistic"] == statistic)]
    assert len(rows) >= 1, (check, variable, arm, time, statistic)
    return rows.iloc[0]


def test_the_contracts_columns_and_verdicts():
    assert list(FRAME.columns[:10]) == wing.COLUMNS
    assert set(FRAME["verdict"]) <= set(wing.VERDICTS)
    named = FRAME[FRAME["verdict"] == "other convention"]
    assert named["convention"].ne("").all()


def test_every_printed_number_has_a_row():
    places = {int(rows.split(" ")[0]) for rows in FRAME["rows"]}
    assert {place for place in places if place >= 0} == set(range(len(PUBLISHED)))
    said = {-place for place in places if place < 0}
    assert said <= set(range(1, len(claims_beside(numbers.PATH)) + 1))  # sentences, not numbers


FACTS = pd.read_csv(Path(__file__).with_name("facts.csv"), dtype=str, keep_default_na=False)


@pytest.mark.parametrize("fact", FACTS.to_dict("records"), ids=FACTS["check"] + FACTS["variable"])
def test_known_facts_of_the_paper(fact):
    row = one(*list(fact.values())[:5])
    assert (row["verdict"], row["convention"]) == (fact["verdict"], fact["convention"])


def test_statcheck_agrees():
    cases = pd.read_csv("tests/oracles/statcheck.csv", dtype=str, keep_default_na=False)
    assert len(cases) == 30
    for case in cases.to_dict("records"):
        df = np.inf if case["df2"] == "NA" else int(case["df2"])
        at = two_sided(float(case["test_value"]), df)
        assert at.low == pytest.approx(float(case["computed_p"]), rel=1e-9)
        printed = re.sub(r"^\.", "0.", case["reported_p"])
        printed = ("<" if case["p_comp"] == "<" else "") + printed
        fits = rule_of(two_sided(values(case["test_value"]), df), printed) == "half"
        assert fits == (case["error"] == "FALSE"), case["raw"]


def test_findings_are_ordered_and_rest_on_rows():
    assert [f.consequence for f in FOUND] == list(range(1, len(FOUND) + 1))
    assert len({f.headline for f in FOUND}) == len(FOUND)
    bad = set(FRAME.index[FRAME["verdict"] == "impossible"])
    assert bad <= {row for f in FOUND for row in f.rows}
    keys = set(PUBLISHED[KEYS].itertuples(index=False, name=None))
    for f in FOUND:
        assert f.rows and set(f.rows) <= set(FRAME.index) and set(f.keys) <= keys
        text = f"{f.headline} {f.text}".lower()
        assert not re.search(r"fraud|fabricat|manipulat|misconduct|wrongly|0\.000\b|\{", text)


SAYS = pd.read_csv(Path(__file__).with_name("findings.csv"), dtype=str)


@pytest.mark.parametrize(("about", "says"), SAYS.to_numpy().tolist())
def test_each_finding_computes_what_it_says(about, says):
    text, = (f"{f.headline} {f.text}" for f in FOUND if about in f.headline)
    assert says in text


def test_several_numbers_are_few_facts():
    bad = FRAME.index[FRAME["verdict"] == "impossible"]
    numbers_ = WORST.index[WORST["verdict"] == "impossible"]
    assert sum(not set(bad).isdisjoint(f.rows) for f in FOUND) == 5 and len(numbers_) == 10
    sentences = {rows.split()[0] for rows in FRAME.loc[bad, "rows"] if rows.startswith("-")}
    assert len(sentences) == 1  # of larger effects; the d it is held against stand


def test_what_is_declared_is_an_input_and_no_more():
    given = PUBLISHED[WORST["given"] != ""]
    scale = given["statistic"].isin(["range_low", "range_high"])
    flow = given[given["analysis"] == "flow"]
    assert len(flow[~scale[flow.index]]) == 5  # assessed, two reasons, enrolled, another arm
    assert list(given.loc[given["analysis"] == "sample_size", "printed"]) == ["14.2"]


def test_without_a_trial_file_or_claims():
    frame = consistency(PUBLISHED)
    assert not set(frame["check"]) & {"grim", "grimmer", "fdr", "larger effect"}
    # the arms come in order of appearance, so signs and effect sizes stay the same
    alone, whole = (f[f["check"] == "effect size"].set_index(["variable", "time"])
                    for f in (frame, FRAME))
    same = [k for k in whole.index if k[0] != "PCS"]
    assert alone.loc[same, "verdict"].equals(whole.loc[same, "verdict"])
    assert findings(frame, PUBLISHED)


def test_a_paper_is_judged_in_seconds():
    start = time.process_time()
    consistency(PUBLISHED.assign(printed=PUBLISHED["printed"].replace("26.38", "26.39")), SECTIONS)
    assert time.process_time() - start < 3  # sums of scores are not enumerated on fine scales


def test_an_empty_and_a_tiny_paper():
    assert consistency(PUBLISHED.iloc[:0]).empty
    assert set(consistency(PUBLISHED.iloc[:3])["verdict"]) == {"not checkable"}
    assert findings(consistency(PUBLISHED.iloc[:3]), PUBLISHED.iloc[:3]) == []


def test_no_variable_of_this_paper_is_known_by_name():
    keys = {"assessed", "enrolled", "randomised", "retained", "sessions", "centres", "d"}
    names = {re.split(": | >=", v)[0] for v in PUBLISHED["variable"]} - keys
    names |= {"RT", "MAIR", "ABCT", "followup"}
    folder = ROOT / "mair" / "published"
    files = [*(folder / "consistency").glob("*.py"), folder / "rounding.py",
             folder / "granularity.py", ROOT / "mair" / "studies" / "campaign_trials.py",
             ROOT / "mair" / "studies" / "campaign.py"]
    for path in files:
        text = path.read_text(encoding="utf-8")
        for name in names:
            if name == "excluded":  # a key of the contract, as those above
                continue
            assert not re.search(rf"\b{re.escape(name)}\b", text), (path.name, name)


def rows_of(*records):
    """A paper of rows analysis, variable, arm, time, method, statistic, printed[, source]."""
    return pd.DataFrame([(*r[:7], r[7] if len(r) > 7 else "table", "") for r in records],
                        columns=numbers.COLUMNS)


def test_benjamini_hochberg_by_family():
    records = [("outcomes", f"y{k}", "difference", "post", "z", s, v) for k, p in
               enumerate(("0.010", "0.030", "0.200")) for s, v in (("b", "1.00"), ("p", p))]
    records += [("biomarkers", f"m{k}", "difference", "post", "z", s, "0.900" if s == "p" else
                 "1.00") for k in range(5) for s in ("b", "p")]
    claims = pd.DataFrame([("fdr", "outcomes", "*", "*", "maintained", "text", "")], columns=CLAIMS)
    frame = consistency(rows_of(*records), None, claims)
    kept, lost = (one("fdr", f"y{k}", "difference", "post", "p", frame) for k in (0, 1))
    assert kept["verdict"] == "other convention" and lost["convention"] == "one table"


def test_the_ratio_of_standard_errors_is_that_of_a_random_intercept():
    rng = np.random.default_rng(5)
    for counts in (((19, 16, 15), (22, 19, 19)), ((30, 22, 25), (28, 28, 20))):
        rows = [(i, a, k) for a, (n, *seen) in enumerate(counts) for i in range(n)
                for k in range(3) if k == 0 or i < seen[k - 1]]
        people = np.array([100 * a + i for i, a, _ in rows])
        X = np.zeros((len(rows), 6))
        for row, (_, a, k) in zip(X, rows, strict=True):
            row[k], row[3 + k] = 1, a
        effect = dict(zip(np.unique(people), rng.normal(0, 1.2, len(rows)), strict=False))
        y = np.array([effect[p] for p in people]) + rng.normal(0, 1, len(rows))
        fit = mixed.random_intercept(y, X, people)
        se = smallsample.contrast(fit, np.array([[0, 0, 0, -1, 1, 0], [0, 0, 0, -1, 0, 1]])).se
        found = possible_ratios(counts, 0, 0, 0)
        assert found.low - 1e-3 <= se[0] / se[1] <= found.high + 1e-3


def of_counts(p, *levels, note=""):
    """The p of a variable with counts (control, treatment) by level, of 30 people each arm."""
    paper = rows_of(*(("flow", "randomised", a, "", "", "n", "30") for a in "AB"),
                    *(("baseline", f"eye: {k}", a, "", "", "n", str(n)) for k, row in
                      enumerate(levels) for a, n in zip("AB", row, strict=True)),
                    ("baseline", "eye", "difference", "", "pearson", "p", p))
    paper["note"] = note
    return one("count test", "eye", frame=consistency(paper))


def test_the_finer_classes_named_do_print_so():
    text = one("count test", "education")["computation"]
    a, b = (ast.literal_eval(pair) for pair in re.findall(r"\(\d+, \d+\)", text))
    assert f"{tests.pearson([*zip(a, b, strict=True), (8, 8), (7, 7)]).p:.2f}" == "0.66"


def test_finer_classes_excuse_no_p_of_two_levels_nor_a_p_of_nothing():
    three, rng = ((5, 10), (15, 8), (10, 12)), np.random.default_rng(7)
    tried = [of_counts(f"{p:.2f}", *three) for p in rng.random(80)]  # not the package's p
    excused = [row for row in tried if row["convention"] == "finer classes than shown"]
    share = int(re.search(r"prints (\d+)% of 10000 p", excused[0]["computation"])[1]) / 100
    assert abs(len(excused) / 80 - share) < 3 * np.sqrt(share * (1 - share) / 80)
    for levels in (((15, 15), (15, 15)), three):
        assert of_counts("0.000", *levels)["verdict"] == "impossible"
    assert of_counts("0.39", (13, 12), (17, 18))["verdict"] == "impossible"
    assert of_counts("0.39", (13, 12), (17, 18), note="levels merged")["verdict"] == (
        "other convention")


def test_people_who_must_carry_a_gap():
    """Shares 3/19 and 3/22 of the people, SE of the whole 1.8929 (BDNF), by hand."""
    (change, far), (before, further) = readings(1.49, 1.8929, 7.06, [16, 19], [3, 3])
    assert change == pytest.approx(1.49 / (3 / 19 + 3 / 22))
    sd = 1.8929 / np.sqrt(1 / 16 + 1 / 19)
    spread = np.sqrt((3 / 19) ** 2 * (1 / 3 + 1 / 16) + (3 / 22) ** 2 * (1 / 3 + 1 / 19))
    assert far == pytest.approx(1.49 / (spread * sd))
    r = 1 - sd**2 / (2 * 7.06**2)
    assert before == pytest.approx(change / (1 - r))
    assert further == pytest.approx(1.49 / (spread * (1 - r) * 7.06))


def test_dropouts_that_cannot_be():
    paper = PUBLISHED.copy()
    at = paper.index[(paper["variable"] == "CGI-S") & (paper["arm"] == "MAIR")
                     & (paper["analysis"] == "baseline") & (paper["statistic"] == "mean")]
    paper.loc[at, "printed"] = "5.59"  # three people left out cannot make up for it
    frame = consistency(paper, SECTIONS)
    row = one("dropouts", "CGI-S", "MAIR", "baseline", "mean", frame)
    assert row["verdict"] == "impossible" and row["computed_low"] > 7
