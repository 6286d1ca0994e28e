"""A draft of a trial file runs as it stands where the guesses are safe, and marks the rest."""

import csv
import re
from pathlib import Path

import pytest
import yaml
from trials.small import HERE, long_table, table

from mair.__main__ import main
from mair.trial import TrialError, draft, load
from mair.trial.errors import ROOT

SMALL = Path(__file__).with_name("draft.yaml").read_text("utf-8")
FILES = yaml.safe_load(Path(__file__).with_name("drafts.yaml").read_text("utf-8"))

pytestmark = pytest.mark.usefixtures("here")


def written(cells, name="small.csv") -> str:
    with open(name, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(cells)
    return name


def test_a_draft_line_by_line_and_never_over_another(capsys):
    data = written(table())
    assert main(["new", data, "--out", "my/draft.yaml"]) == 0
    assert capsys.readouterr().out == "my/draft.yaml\n"
    assert Path("my/draft.yaml").read_text("utf-8") == SMALL.replace("data: small.csv",
                                                                     'data: "../small.csv"')
    assert load("my/draft.yaml").n() == 6
    assert main(["new", data, "--out", "my/draft.yaml"]) == 2
    assert capsys.readouterr().err == (
        "my/draft.yaml: exists, expected a new name: nothing is overwritten\n")


@pytest.mark.parametrize(("data", "n", "visits", "outcomes"), [
    (ROOT / "mair" / "data" / "beat_the_blues.csv", 100, ("pre", "2m", "3m", "5m", "8m"), 1),
    (ROOT / "mair" / "data" / "mair_synthetic.csv", 41, ("baseline", "post", "followup"), 14),
    (HERE / "invented_a.csv", 30, ("w0", "w4", "w8", "w16"), 2),
    (HERE / "invented_b.sav", 36, ("before", "day 1", "day 7"), 2),
    ("long.csv", 6, ("baseline", "post", "followup"), 2)])
def test_drafts_of_other_files_run_as_they_stand(data, n, visits, outcomes):
    written(long_table(), "long.csv")
    trial = load(draft.main(data, "draft.yaml"))
    assert (trial.n(), trial.visits, len(trial.outcomes)) == (n, visits, outcomes)


@pytest.mark.parametrize("name", FILES)
def test_what_a_file_shows_is_guessed_and_what_it_does_not_is_a_marked_gap(name):
    case = FILES[name]
    Path("file.csv").write_text(case["csv"], encoding="utf-8")
    path = draft.main("file.csv", "draft.yaml")
    text = path.read_text("utf-8")
    assert [line for line in case.get("has", ()) if line not in text] == []
    assert [line for line in case.get("lacks", ()) if line in text] == []
    if "gap" in case:
        assert draft.GAP.strip() in text
        with pytest.raises(TrialError, match=re.escape(case["gap"])):
            load(path)
    else:
        trial = load(path)
        assert [trial.n(), [*trial.visits], [*trial.outcomes], trial.ignored] == case["loads"]


def test_a_result_seen_once_is_a_gap_that_names_the_candidates():
    path = draft.main(ROOT / "mair" / "data" / "indomethacin.csv", "draft.yaml")
    text = path.read_text("utf-8")
    assert 'responders: {column: pancreatitis, better: "yes"}  # <- to be filled in: which' in text
    assert "risk: {columns: [risk], better: lower, primary: true}  # <- to be filled in" in text
    assert "which is the result: age or risk? Where none is, take outcomes and visits away" in text
    assert "  - pancreatitis" not in text
