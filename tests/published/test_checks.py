"""Each check on a sound and on a broken tiny paper; known examples from the literature."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mair.published import numbers
from mair.published.consistency import consistency

ORACLES = Path(__file__).parents[1] / "oracles"
SECTIONS = {"outcomes": {"Apgar": {"step": 1, "range": [0, 10]}}}


def table(name):
    return pd.read_csv(ORACLES / name, dtype=str, keep_default_na=False)


MORE = pd.read_csv(Path(__file__).with_name("tiny_papers.csv"), dtype=str, keep_default_na=False)
TINY = dict(list(pd.concat([table("tiny_papers.csv"), MORE]).fillna("").groupby(
    "case", sort=False)))


@pytest.mark.parametrize("case", TINY)
def test_a_sound_and_a_broken_paper(case):
    rows = TINY[case].assign(source="table", note="").reset_index(drop=True)
    at = rows.index[rows["check"] != ""][0]
    for printed, verdict in ((rows["printed"], "sound"),
                             (rows["broken"].where(rows["broken"] != "", rows["printed"]),
                              "verdict")):
        frame = consistency(rows.assign(printed=printed)[numbers.COLUMNS], SECTIONS)
        own = frame[(frame["check"] == rows["check"][at])
                    & (frame["rows"].str.split(" ").str[0] == str(at))]
        assert [rows[verdict][at]] == (own["verdict"].tolist() or ["none"]), (
            own["computation"].tolist())
        if verdict == "sound":
            assert not set(frame["verdict"]) & {"impossible", "other convention"}
        else:
            assert rows["convention"][at] in own["convention"].str.cat()


def test_what_passes_by_chance_is_what_any_test_named_prints():
    """Of the hundred p of two decimals, those that Student's or Welch's test prints somewhere in
    the rounding of the means and SDs; nothing where no range is known."""
    rows = baseline({"kind": "means", "n1": "20", "n2": "20", "variable": "age",
                     "first": "50.1/51.0", "second": "9.9/10.2", "third": "", "printed": "0.50"})
    found = consistency(rows, chance=True)
    p = found[found["statistic"] == "p"].iloc[0]
    passing = [k for k in range(100) if consistency(rows.assign(printed=rows["printed"].where(
        rows["statistic"] != "p", f"{k / 100:.2f}"))).iloc[p.name]["verdict"] != "impossible"]
    assert p["by_chance"] == (f"of 100 values from 0.00 to 0.99, {len(passing)} would have passed")
    assert 0 < len(passing) < 10 and (found["by_chance"][found.index != p.name] == "").all()
    assert not consistency(rows)["by_chance"].any()


ODD = ("0", "0.00", "-1.5", "1000000", "<0.001", ">0.05", "2", "100")


@pytest.mark.parametrize("case", TINY)
def test_no_number_however_odd_ends_the_audit(case):
    rng, paper = np.random.default_rng(11), TINY[case].assign(source="table", note="")
    for _ in range(4):
        rows = paper.sample(len(paper) - 1, random_state=rng).reset_index(drop=True)
        at = rng.choice(len(rows), 2)
        rows.loc[at, "printed"] = rng.choice(ODD, 2)
        frame = consistency(rows[numbers.COLUMNS], SECTIONS)
        assert set(frame["rows"].str.split(" ").str[0].astype(int)) == set(range(len(rows)))


def baseline(example):
    """A printed baseline row, as a paper of its own: counts by level, or means and SDs."""
    sizes = [("flow", "randomised", arm, "", "", "n", example[f"n{k}"])
             for k, arm in enumerate("AB", start=1)]
    names = {"counts": (": 1", ": 2", ": 3"), "means": ("", "", "")}[example["kind"]]
    what = {"counts": ("n", "n", "n"), "means": ("mean", "sd", "")}[example["kind"]]
    values = [("baseline", example["variable"] + name, arm, "", "", statistic, number)
              for name, statistic, place in zip(names, what, ("first", "second", "third"),
                                                strict=True) if example[place]
              for arm, number in zip("AB", example[place].split("/"), strict=True)]
    p = ("baseline", example["variable"], "difference", "", "", "p", example["printed"])
    return pd.DataFrame([(*row, "table 1", "") for row in (*sizes, *values, p)],
                        columns=numbers.COLUMNS)


@pytest.mark.parametrize("example", table("reappraised.csv").to_dict("records"),
                         ids=lambda row: f"{row['trial']} {row['variable']}")
def test_baseline_p_of_retracted_trials(example):
    """Numbers of the data in the R package reappraised 0.1.1 (Bolland MJ, et al.), whose authors
    recalculated the p: those that cannot hold, and four that can."""
    frame = consistency(baseline(example))
    row = frame[frame["statistic"] == "p"].iloc[0]
    if example["recalculated"] == "sound":
        assert row["verdict"] in ("exact", "within rounding")
    else:
        assert row["verdict"] == "impossible"
        least, most = (float(example["recalculated"].split(" to ")[k]) for k in (0, -1))
        # the p range printed there is of the middles of the printed moments and their ends
        assert row["computed_low"] - 0.0015 <= least and most <= row["computed_high"] + 0.0015
