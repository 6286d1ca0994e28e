"""A synthetic cohort of an invented paper, which is known by its printed numbers alone."""

from pathlib import Path

import pandas as pd
import pytest

from mair.published import numbers
from mair.published.compare import compare
from mair.sections import audit
from mair.sections.rows import rows
from mair.studies import cohort
from mair.trial import load

SHEETS = Path(__file__).with_name("tiny_paper")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return cohort.main(tmp_path_factory.mktemp("cohort"), paper=str(SHEETS))


def test_people_of_a_paper_print_it(made, capsys):
    trial, printed = load(made), numbers.read(made.with_name("published.csv"))
    compared = compare(printed, rows(trial), audit.checks(trial))
    met = compared[compared["verdict"] == "reproduced"]
    of = compared[compared["variable"].str.match("Pain|Mood|women|work|age|randomised")
                  & ~compared["statistic"].isin(["z", "change_sd", "change_se"])
                  & (compared["word"] != "an input")]
    assert len(of) == 48 and set(of.index) <= set(met.index)
    assert trial.synthetic and trial.n() == 40
    scores = trial.scores("Pain").stack().dropna()
    assert scores.between(0, 10).all() and (scores % 1 == 0).all()
    change = trial.scores("Mood")["after"] - trial.scores("Mood")["before"]
    found = change.groupby(trial.arm).agg(["std", "sem"])
    assert numbers.Number("1.80").met(found.loc["C", "std"])
    assert numbers.Number("0.50").met(found.loc["T", "sem"])


def test_the_same_seed_gives_the_same_people_and_another_does_not(made, tmp_path, capsys):
    again, other = (cohort.main(tmp_path / str(seed), paper=str(SHEETS), seed=seed)
                    for seed in (cohort.SEED, 1))
    first, *rest = ((one.with_name("cohort.csv")).read_bytes() for one in (made, again, other))
    assert first == rest[0] and first != rest[1]
    said = capsys.readouterr().out.splitlines()
    for line in ("Sleep C after: mean 4.4: no SD, or no n, is printed with it",
                 "Worry T before: no 20 values in steps of 1/1 have mean 5.53",
                 "Mood T after described: change_se 0.50: no row of a report gives it"):
        assert line in said
    assert len(pd.read_csv(made.with_name("cohort.csv"))) == 40
