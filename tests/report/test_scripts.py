"""The primary analysis elsewhere: what R made of ``check.R``, stored, and what both files hold.

The numbers of tests/oracles/check.csv are R's, by the script that each line's choices give.
"""

import re
import sys
from pathlib import Path

import pandas as pd
import pytest

from mair import results
from mair.report import scripts
from mair.trial import load

ORACLES = Path(__file__).parents[1] / "oracles"
sys.path.insert(0, str(ORACLES))
from check import TRIALS, choices  # noqa: E402

STORED = pd.read_csv(ORACLES / "check.csv", keep_default_na=False)
CASES = STORED[["trial", "choices"]].drop_duplicates().to_numpy()


@pytest.mark.parametrize(("trial", "how"), CASES)
def test_r_gives_the_numbers_that_stand_in_the_script(trial, how):
    ours = {(one["time"], one["statistic"]): float(one["value"]) for one in
            scripts.declared(load(TRIALS[trial], **choices(how)))["numbers"]}
    stored = STORED[(STORED["trial"] == trial) & (STORED["choices"] == how)]
    assert len(stored) >= 2 * len({time for time, _ in ours})
    for row in stored.itertuples():
        # with gaps the common correlation of estimating equations has other moments in geepack
        close = 1e-4 if trial == "free" else 3e-6
        least = close * ours[row.time, "se"] if row.statistic == "b" else 0
        assert ours[row.time, row.statistic] == pytest.approx(row.value, rel=close, abs=least)


def test_a_run_holds_both_with_its_own_numbers(built, built_real):
    rows = results.read(built / "results.csv")
    for name, mark in (("check.R", "# "), ("check.sps", "* ")):
        text = (built / "check" / name).read_text("utf-8")
        assert "SYNTHETIC" in text and "SYNTHETIC" not in (built_real / "check" / name).read_text()
        b = results.Lookup(rows)(
            "outcomes", "FIQ", "difference", "post", "random-intercept/z", statistic="b")
        assert float(re.search(r"time 2:? *b = (-?[\d.]+\d)", text)[1]) == pytest.approx(b, 1e-9)
        assert all(line.startswith(mark.strip()) for line in text.splitlines()[:5])
        assert str(Path.cwd()) not in text


def test_names_are_quoted_and_what_no_script_repeats_is_said(tmp_path):
    (tmp_path / "d.csv").write_text(
        "who,arm's,a \"b\",after\n" + "".join(
            f"p{i},{'it''s' if i % 2 else 'c'},{i},{i * i % 7 + i}\n" for i in range(12)))
    (tmp_path / "t.yaml").write_text("""
trial: "one\\nq() # two"
data: d.csv
participant: who
arm: {column: "arm's", control: c, treatment: its}
visits: [before, after]
outcomes: {Pain: {columns: ['a "b"', after]}}
analysis: {missing: mi-mar, draws: 1000}
""")
    texts = {name: text.decode() for name, text in
             scripts.scripts(load(tmp_path / "t.yaml")).items()}
    assert texts["check.R"].startswith("# one q() # two\n")
    assert 'columns <- list(c("a \\"b\\""), c("after"))' in texts["check.R"]
    assert "COMPUTE treated" not in texts["check.sps"] and "arm A64" in texts["check.sps"]
    for text in texts.values():
        assert "The trial declares imputation" in text and "Kenward and Roger's" in text


def test_items_are_scored_by_the_declared_key(tmp_path):
    (tmp_path / "d.csv").write_text("who,arm,a1,a2,b1,b2\n" + "".join(
        f"{i},{'ct'[i % 2]},{i % 5},{'' if i == 1 else 4 - i % 3},{i % 4},{i * i % 5}\n"
        for i in range(12)))
    (tmp_path / "t.yaml").write_text("""
data: d.csv
participant: who
arm: {column: arm, control: c, treatment: t}
visits: [before, after]
scales: {S: {items: [1, 2], range: [0, 4], reversed: [2], answered: 0.5}}
outcomes: {Pain: {scale: S, columns: ['a{item}', 'b{item}']}}
""")
    trial = load(tmp_path / "t.yaml")
    text = scripts.scripts(trial)["check.R"].decode()
    for line in ('columns <- list(c("a1", "a2"), c("b1", "b2"))', "low <- c(0.0, 0.0)",
                 "turned <- c(0, 1) == 1", "max(1, 0.5 * nrow(m))"):
        assert line in text, line
    assert "y1, before: from a1, a2." in scripts.scripts(trial)["check.sps"].decode()


def test_yes_and_no_has_its_counts_and_what_the_missing_count_as():
    texts = {rule: scripts.scripts(load(TRIALS["few"], responder_missing=rule))
             for rule in ("completers", "worst-case")}
    r, spss = (texts["completers"][name].decode() for name in ("check.R", "check.sps"))
    for text in (r, spss):
        assert "C: 1 of 3 have the good result" in text and "T: 3 of 4 have" in text
    assert "fisher.test" in r and "!= c(3, 1, 4, 3)" in r
    assert "IF (ANY(y1, 'yes')) good = 1." in spss and "CROSSTABS /TABLES=treated BY good" in spss
    assert "MISSING(good)" not in spss
    r, spss = (texts["worst-case"][name].decode() for name in ("check.R", "check.sps"))
    assert "C: 2 of 4 have" in r and "c(1, 0)[d$treated + 1]" in r
    assert "IF (MISSING(good) AND treated = 0) good = 1." in spss


@pytest.mark.parametrize(("trial", "family"), [("free", "BINOMIAL LINK=LOGIT"),
                                               ("counts", "POISSON LINK=LOG")])
def test_estimating_equations_say_whose_standard_error_is_ours(trial, family):
    r, spss = (text.decode() for text in scripts.scripts(load(TRIALS[trial])).values())
    assert "Needs the R package geepack" in r and "Mancl and DeRouen's" in r and "geeglm(" in r
    assert f"DISTRIBUTION={family}" in spss and "MIXED" not in spss and "robust_se = " in spss


def test_biomarkers_alone_give_the_first_of_them(tmp_path):
    (tmp_path / "t.yaml").write_text(
        f"extends: {Path('tests/trials/tiny.yaml').resolve()}\n"
        f"data: {Path('tests/trials/tiny.csv').resolve()}\noutcomes: null\n")
    r, spss = (text.decode() for text in scripts.scripts(load(tmp_path / "t.yaml")).values())
    assert "Model: CRP" in r and "d$y <- log(d$y)" in r and "COMPUTE y = LN(y)." in spss
