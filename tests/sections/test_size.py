"""Whether an inference holds at a trial's own size: what is held of a trial, rates, their rows."""

import functools

import numpy as np
import pytest
from trials import tiny

from mair.report import curves, frames_appendix, tables_appendix
from mair.results import records
from mair.sections import analysis, size
from mair.studies import size as study
from mair.trial import load


def test_what_is_held_is_the_trials_own():
    """T is whole, too small for a free matrix: the mean variance and covariance of its people."""
    trial = tiny.trial()
    held = size.setting(trial)
    assert held.arm.tolist() == [int(arm == "T") for arm in trial.arm] and len(held.X) == 23
    declared = analysis.fit(trial, "Pain", "random-intercept").sigma
    assert (held.sigma["declared"] == declared).all() and held.alpha == pytest.approx(0.05)
    own = np.cov(trial.scores("Pain")[trial.arm == "T"].to_numpy(float).T)
    between = (own.sum() - np.trace(own)) / 6
    assert held.sigma["by-arm"][1] == pytest.approx(
        np.where(np.eye(3), np.trace(own) / 3, between))
    assert held.offered == ("random-intercept", "unstructured", "compound-symmetry,by-arm")
    assert len(held.methods) == 3 * 3 + 1
    nobody = "".join(f"{','.join([*line.split(',')[:6], *['', ''], *line.split(',')[8:]])}\n"
                     if line.startswith("t") else f"{line}\n" for line in tiny.DATA.splitlines())
    assert size.of(tiny.trial(nobody)).empty


def test_streams_share_the_trials_out_and_do_not_depend_on_processes():
    assert size.blocks(600, 120) == [(0, 250, 50), (1, 250, 50), (2, 100, 20)]
    trial = load("params/mair.yaml", draws=500)
    alone, together = (study.rows(trial, 300, 30, processes) for processes in (1, 2))
    assert alone.equals(together)
    of = {(one.variable, one.time, one.method): one for one in records(alone)}
    assert {one.simulations for one in of.values()} == {30, 300}
    for one in of.values():
        assert one.type1 + one.coverage == pytest.approx(1) and one.failed == 0
        assert one.type1_low <= one.type1 <= one.type1_high
    again = size.of(trial)
    assert len(again) and set(again["method"]) == {m for _, _, m in of} - {size.REDRAWN}


def test_rates_are_a_table_and_a_figure():
    trial = tiny.trial()
    held = size.setting(trial)
    counts = np.tile([10, 190, 0], (len(held.methods), 2, 1))
    counts[-1] = [2, 38, 0]
    rows = size.rates(held, {"declared": counts}, 200, 40)
    table = tables_appendix.size(trial, rows)
    assert table.headers == ["Scores drawn with", "Inference", "Size, after", "Coverage, after",
                             "Size, a year later", "Coverage, a year later"]
    assert table.cells()[0][1:4] == ["random intercept, z", "5.0 (2.4 to 9.0)",
                                     "95.0 (91.0 to 97.6)"]
    assert len(table.cells()) == 10 and table.cells()[-1][2] == "5.0 (0.6 to 16.9)"
    assert "200 simulated" in table.notes[0] and "(40 for re-rand" in table.notes[0]
    frame = frames_appendix.sizes(trial, rows)
    assert set(frame["rate"]) == {5.0} and len(frame) == 2 * 4
    drawn = curves.rates(frame, xlabel="%", band=(4, 6), value=5)
    assert len([x for x in drawn.axes[0].get_lines() if x.get_linestyle() == "None"]) == 4
    assert tables_appendix.size(trial, rows.iloc[:0]) is None


def test_the_command_writes_table_and_figure(monkeypatch, tmp_path, capsys):
    few = functools.partial(study.rows, trials=60, drawn=10)
    monkeypatch.setattr(study, "rows", few)
    study.main("params/mair.yaml", str(tmp_path / "out"))
    written = {path.name for path in (tmp_path / "out").rglob("*.*")}
    assert written == {"manifest.json", "size.csv", "size.docx", "size.svg", "size.png"}
    assert "60 simulated trials of FIQ" in capsys.readouterr().out
