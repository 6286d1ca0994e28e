"""Tables and figure frames of responders, robustness, power and the audit, on small trials."""

import pytest

from mair.report import curves, frames_appendix, tables_appendix
from mair.sections import power, study
from mair.trial import load


@pytest.fixture(scope="module")
def planned():
    trial = load("params/mair.yaml", draws=400)
    return trial, power.rows(trial)


def test_the_study_is_a_table_by_mechanism_dropout_visit_and_method(planned):
    committed = study.read().set_index(study.KEYS)
    for statistic, effect in (("type1", "null"), ("power", "planned"), ("coverage", "planned")):
        table = tables_appendix.simulation(*planned, statistic)
        assert [len(rows) for _, rows in table.blocks()] == [3] * 5
        shown = table.display.set_index(table.groups)
        for group, dropout, visit, method, key in (
            ("Compound symmetry", "No dropout", "post", "Kenward-Roger",
             ("exchangeable", "none", effect, "post", "random-intercept/kenward-roger")),
            ("SDs like HADS-A's", "Dropout by arm", "followup", "Re-randomisation",
             ("HADS-A", "differential", effect, "followup", "rerandomisation/random-intercept")),
        ):
            line = shown.loc[group].set_index("Dropout").loc[dropout]
            rate = f"{100 * committed.loc[key, statistic]:.1f}"
            mark = "*" if statistic == "type1" and method == "Kenward-Roger" else ""
            assert line[f"{visit}::{method}"] == rate + mark


def test_figures_draw_every_line_and_method(planned):
    trial, rows = planned
    frame = frames_appendix.power_curve(trial, rows)
    ax = curves.curves(frame, xlabel="n an arm", ylabel="Power (%)", markers=True)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "t formula, no dropout", "Mixed model, no dropout", "Mixed model, dropout 15%"]
    committed = study.read()
    errors = frames_appendix.type1_errors(committed, "post")
    ax = curves.rates(errors, xlabel="%", band=(4.7, 5.3), value=5)
    points = [line for line in ax.get_lines() if line.get_linestyle() == "None"]
    assert len(points) == len(study.METHODS) and all(len(p.get_xdata()) == 15 for p in points)
    assert max(points[0].get_xdata()) == pytest.approx(100 * committed.loc[
        (committed["visit"] == "post") & (committed["method"] == "random-intercept/z"),
        "type1"].max())
