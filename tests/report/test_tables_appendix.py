"""Tables and figure frames of responders, robustness, power, audit and reconstruction, cell by
cell: rows by hand, or of a tiny trial that tests/sections works out by hand."""

from pathlib import Path

import pandas as pd
import pytest
import yaml
from trials import tiny
from trials.cells import agrees, blocks

from mair.published import provenance
from mair.report import curves, frames_appendix, tables_appendix
from mair.results import Rows
from mair.sections import nnt, planning, power, study
from mair.trial import load

EXPECTED = blocks(__file__)
GIVEN = yaml.safe_load(Path(__file__).with_name("tables_appendix.yaml").read_text("utf-8"))


def given(name: str, analysis: str) -> pd.DataFrame:
    """Rows by hand."""
    rows = Rows(analysis)
    for *keys, statistics in GIVEN[name]:
        rows.add(*keys, **statistics)
    return rows.frame()


@pytest.fixture(scope="module")
def trial():
    return tiny.trial(analysis=tiny.SPEC["analysis"] | {"draws": 200})


@pytest.fixture(autouse=True)
def half(monkeypatch):
    """Visits correlate at 0.5: a change varies as a score."""
    half = planning.Correlation(0.5, 0.3, 0.7, "data")
    monkeypatch.setattr(planning, "correlation", lambda trial: half)


# Responders


def test_responders_by_rule_and_interval():
    trial = tiny.trial(analysis=tiny.SPEC["analysis"] | {"risk_interval": "wald"})
    table = tables_appendix.nnt(trial, nnt.rows(trial))
    agrees(table, EXPECTED["nnt"])
    assert table.blocks() == [("well", [*range(7)])]
    assert "T minus C" in table.notes[0]
    first = table.data.iloc[0]
    assert list(first[["C_responders", "C_n", "T_responders", "T_n"]]) == [1, 3, 3, 4]


def test_imputed_responders_stand_last_and_need_not_be_whole(trial):
    agrees(tables_appendix.nnt(trial, given("imputed", "nnt")), EXPECTED["nnt imputed"])


# Robustness


@pytest.fixture(scope="module")
def choices():
    return given("choices", "robustness")


def test_the_contrast_under_every_choice(trial, choices):
    table = tables_appendix.robustness(trial, choices)
    agrees(table, EXPECTED["robustness"])
    assert table.blocks() == [("Pain, after", [0]), ("Pain, a year later", [1])]


def test_ranges_over_cohorts_stand_beside_their_choice(trial, choices, monkeypatch):
    ends = {"after": (-21.0, -19.5), "later": (-5.0, -4.0)}
    monkeypatch.setattr(provenance, "kinds", lambda trial, rows: {
        ("robustness", "Pain", "difference", visit, "random-intercept/kenward-roger", "b"):
        provenance.Origin("invented", *own) for visit, own in ends.items()})
    table = tables_appendix.robustness(trial, choices)
    assert list(table.display["B over cohorts"]) == [
        "−21.00 to −19.50", "−5.00 to −4.00"]


def test_the_forest_of_choices_leaves_out_what_is_shifted(trial, choices):
    method = "random-intercept/kenward-roger"
    frame = frames_appendix.choices(trial, choices, "after", method)
    assert frame.to_dict("records") == [{
        "method": method, "estimate": -20.0, "se": 2.5, "low": -26.0, "high": -14.0,
        "made": ["Change from baseline", "Random intercept", "Kenward-Roger",
                 "Observed scores only"], "primary": True, "invented": False}]
    assert list(frames_appendix.choices(trial, choices, "later")["estimate"]) == [-5.0]


def test_what_a_method_chose(trial):
    rows = Rows("robustness")
    for k, method in enumerate(("clda:unstructured/z", "ancova/kenward-roger",
                                "random-intercept,by-arm/satterthwaite", "random-intercept/z/ml",
                                "rerandomisation/random-intercept",
                                "conditional-mean/jackknife/mi-j2r")):
        rows.add("Pain", "difference", "after", method, b=-k, se=1, ci_low=-9, ci_high=9, p=0.5)
    made = frames_appendix.choices(trial, rows.frame(), "after")["made"]
    assert ["; ".join(one) for one in made][::-1] == [
        "Common mean at baseline; Unstructured; Normal (z); Observed scores only",
        "Analysis of covariance; Kenward-Roger; Observed scores only",
        "Change from baseline; Random intercept; … apart in each arm; Satterthwaite; "
        "Observed scores only",
        "Change from baseline; Random intercept; … by maximum likelihood; Normal (z); "
        "Observed scores only",
        "Change from baseline; Random intercept; Re-randomisation; Observed scores only",
        "Completed means; Jackknife; Jump to reference"]


def test_either_arm_shifted(monkeypatch, trial):
    grid = pd.DataFrame([(own, other, -20 + own / 4 - other / 2)
                         for own in (0, 10, 20) for other in (-30, 0, 30)],
                        columns=["treatment", "control", "b"], dtype=float)
    grid = grid.assign(ci_low=grid["b"] - 1, ci_high=grid["b"] + 2)
    monkeypatch.setattr(tables_appendix.choices, "delta_grid", lambda *_: grid)
    table = tables_appendix.delta_grid(trial, "later")
    assert table.name == "delta_grid_2" and "a year later" in table.title
    assert table.headers == ["Imputed values", "T as imputed", "T worse by 10", "T worse by 20"]
    assert [line[0] for line in table.cells()] == [
        "C better by 30", "C as imputed", "C worse by 30"]
    assert table.cells()[1][3] == "−15.0 (−16.0 to −13.0)"  # T by 20, C by 0
    assert table.cells()[0][1] == "−5.0 (−6.0 to −3.0)"
    monkeypatch.setattr(tables_appendix.choices, "delta_grid", lambda *_: grid.iloc[:0])
    assert tables_appendix.delta_grid(trial, "later") is None


# Power


@pytest.fixture(scope="module")
def simulated():
    """d = 1: the t formula asks for 17 an arm, so 12 to 26 are simulated."""
    rows = Rows("power")
    for dropout in (0, 0.2):
        for n in (12, 14, 17, 20, 22, 26):
            for visit, less in (("after", 0), ("later", 0.05)):
                rows.add(f"{n} an arm, dropout {dropout:g}", "difference", visit, power.METHOD,
                         power=n / 50 - dropout / 10 - less, mc_se=0.004, simulations=200)
    rows.add("Pain, next trial", "overall", "", "planned/change", n_low=12, n_high=24)
    for method, sd, n in (("planned", 10, 17), ("planned/change", 10, 17), ("observed", 2.5820, 3),
                          ("browne/0.8", 3.6, 4)):
        rows.add("Pain, next trial", "overall", "", method, sd=sd, d=10 / sd, n=n,
                 n_with_dropout=2 * n + 8)
    return rows.frame()


def test_power_by_size_and_dropout(trial, simulated):
    table = tables_appendix.power_by_size(trial, simulated)
    agrees(table, EXPECTED["power_by_size"])
    assert table.spanners == {"No dropout": ["No dropout::after", "No dropout::a year later"],
                              "Dropout 20%": ["Dropout 20%::after", "Dropout 20%::a year later"]}


def test_the_power_curve_is_of_the_last_visit_in_percent(trial, simulated):
    frame = frames_appendix.power_curve(trial, simulated)
    ends = frame[frame["x"] == 26].set_index("line")
    assert ends["y"].to_dict() == pytest.approx({
        "t formula, no dropout": 94.2, "Mixed model, no dropout": 47,
        "Mixed model, dropout 20%": 45}, abs=0.05)
    assert ends["se"].to_dict() == pytest.approx({
        "t formula, no dropout": 0, "Mixed model, no dropout": 0.4,
        "Mixed model, dropout 20%": 0.4})
    assert [len(part) for _, part in frame.groupby("line")] == [6, 6, 6]


def test_the_next_trial(trial, simulated):
    """SDs of change 2.58 on 6 df (see tests/sections); the limit at 95 % has no rows here."""
    agrees(tables_appendix.next_trial(trial, simulated), EXPECTED["next_trial"])
    frame = frames_appendix.next_trial(trial)
    assert list(dict.fromkeys(frame["line"])) == [
        "planned SD, 10.0", "change that the planned SD makes, 10.0",
        "this trial's SD of change, 2.6", "its upper 80% limit, 3.6",
        "its upper 95% limit, 4.9"]
    planned = frame[frame["method"] == "planned"].set_index("x")["y"]
    assert planned[10.0] == 17 and planned.index.min() == 6 and planned.is_monotonic_decreasing


@pytest.fixture(scope="module")
def studied():
    trial = load("params/mair.yaml", draws=200)
    return trial, power.rows(trial)


def test_the_study_is_a_table_by_mechanism_dropout_visit_and_method(studied):
    committed = study.read().set_index(study.KEYS)
    for statistic, effect in (("type1", "null"), ("power", "planned"), ("coverage", "planned")):
        table = tables_appendix.simulation(*studied, statistic)
        assert [len(rows) for _, rows in table.blocks()] == [6] * 5
        shown = table.display.set_index(table.groups)
        for group, dropout, visit, method, key in (
            ("Compound symmetry", "No dropout", "post", "Kenward-Roger",
             ("exchangeable", "none", effect, "post", "random-intercept/kenward-roger")),
            ("SDs like HADS-A's", "Dropout by arm", "followup", "Re-randomisation",
             ("HADS-A", "differential", effect, "followup", "rerandomisation/random-intercept"))):
            at = (dropout, studied[0].visit_labels[visit])
            line = shown.loc[group].set_index(["Dropout", "Visit"]).loc[at]
            rate = f"{100 * committed.loc[key, statistic]:.1f}"
            mark = "*" if statistic == "type1" and method == "Kenward-Roger" else ""
            assert line[method] == rate + mark


def test_a_rate_outside_its_limits_is_marked(studied, monkeypatch):
    trial, rows = studied
    judged = study.criteria(study.of(trial)).assign(passed=False)
    monkeypatch.setattr(study, "criteria", lambda *_: judged)
    table = tables_appendix.simulation(trial, rows, "type1")
    assert table.display["Kenward-Roger"].iloc[0].endswith("†")
    assert sum(cell.endswith("†") for line in table.cells() for cell in line) == 30


def test_the_study_is_not_shown_for_another_design(trial, simulated):
    assert tables_appendix.simulation(trial, simulated, "type1") is None


def test_type1_errors_are_the_studys_in_percent_both_visits(studied):
    committed = study.read()
    errors = frames_appendix.type1_errors(studied[0], committed)
    one = errors[(errors["panel"] == "Skewed residuals") & (errors["method"] == "Satterthwaite")
                 & (errors["scenario"] == "at 3 months, dropout on the last score")]
    key = ("skewed", "mar", "null", "followup", "random-intercept/satterthwaite")
    assert list(one["rate"]) == [100 * committed.set_index(study.KEYS).loc[key, "type1"]]
    fig = curves.rates(errors, xlabel="%", band=(4.7, 5.3), value=5)
    assert len(fig.axes) == 5
    for ax in fig.axes:
        points = [line for line in ax.get_lines() if line.get_linestyle() == "None"]
        assert len(points) == len(study.METHODS) and all(len(p.get_xdata()) == 6 for p in points)


# Audit and reconstruction


def test_checks_that_do_not_come_out_exactly_worst_first():
    checked = pd.DataFrame(GIVEN["checks"]).assign(
        variable="Pain", time="after", statistic="mean", source="table 2", computation="", rows="0")
    table = tables_appendix.consistency(checked)
    agrees(table, EXPECTED["consistency"])
    assert len(table.data) == 4


def test_small_sample_ranges(trial, monkeypatch):
    method = "random-intercept/kenward-roger"
    found = {("outcomes", "Pain", "difference", "later", m, s): (low, high, searched)
             for m, s, low, high, searched in (
                 (method, "p", 0.0101, 0.0104, 1), (method, "ci_low", -9.5, -9.25, 1),
                 (method, "ci_high", -0.5, -0.5, 1), ("unstructured/kenward-roger", "p", 0, 1, 0))}
    monkeypatch.setattr(provenance, "stored", lambda trial: found)
    agrees(tables_appendix.small_sample(trial), EXPECTED["small sample"])
    monkeypatch.setattr(provenance, "stored", lambda trial: {})
    assert tables_appendix.small_sample(trial) is None


def test_the_five_targets():
    agrees(tables_appendix.reconstruction(pd.DataFrame(GIVEN["targets"])),
           EXPECTED["reconstruction"])
