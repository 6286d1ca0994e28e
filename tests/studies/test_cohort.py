"""The synthetic cohort against every printed number that it is built to meet.

Everything is recomputed from the CSV with pandas alone, row by row of ``published.csv``; what
is not met is compared with a short list with reasons, so neither list can grow unseen.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact, mannwhitneyu

from mair.published import numbers

ROOT = Path(__file__).resolve().parents[2]
CSV = ROOT / "mair" / "data" / "mair_synthetic.csv"
VISITS = ["baseline", "post", "followup"]
SCORES = {"FIQ": "fiq", "CGI-S": "cgi_s", "PCS": "pcs", "HADS-A": "hads_a", "HADS-D": "hads_d",
          "EQ-VAS": "eq_vas", "AAQ-II": "aaq_ii", "FFMQ": "ffmq", "SCS": "scs"}
BLOOD = {"BDNF": "bdnf", "hs-CRP": "crp", "TNF-a": "tnf", "IL-6": "il6", "IL-10": "il10"}
SAMPLE = {"n", "mean", "sd", "percent", "median", "q1", "q3", "responders", "percent_change"}

NOT_MET = {("baseline", "employment: employed", "RT", "percent"): "5 of 19 is 26.3, printed 26.2",
           ("baseline", "employment: sick leave", "RT", "percent"): "8 of 19 is 42.1, printed 42.2",
           ("flow", "retained", "RT", "percent"): "15 of 19 is 78.947, printed 78.94",
           ("outcomes", "CGI-S", "MAIR", "sd"): "19 integers with sum 72 have SD 0.855 or 0.918",
           ("outcomes", "HADS-D", "MAIR", "sd"): "19 integers with sum 104 have SD 3.565 or 3.580"}
NOT_IN_A_COHORT = {"assessed", "enrolled", "excluded: declined", "excluded: not eligible"}


def load(path=CSV):
    """The CSV with its blanks as missing, but ``lost`` as text."""
    names = pd.read_csv(path, nrows=0).columns
    blank = {name: [""] for name in names if name != "lost"}
    return pd.read_csv(path, keep_default_na=False, na_values=blank)


def quartile(values, share):
    """SPSS's weighted average: the value at position share (n + 1)."""
    x = sorted(values)
    position = share * (len(x) + 1)
    k = int(position)
    return x[k - 1] + (position - k) * (x[min(k, len(x) - 1)] - x[k - 1])


def summary(x, statistic):
    """Mean, SD or size of a column."""
    return {"n": x.count, "mean": x.mean, "sd": x.std}[statistic]()


def share(hits, statistic):
    """Count or percent of yes among all."""
    return hits.sum() if statistic == "n" else 100 * hits.mean()


def flow(people, row):
    """A statistic of section 3.1 or 3.6."""
    name, _, level = row.variable.partition(": ")
    if name == "randomised":
        return len(people)
    if name == "retained":
        return share(people[f"fiq_{row.time}"].notna(), row.statistic)
    if name == "preference":
        return share(people["preference"] == level, row.statistic)
    return quartile(people[name], {"q1": 0.25, "median": 0.5, "q3": 0.75}[row.statistic])


def baseline(people, row):
    """A statistic of Table 2."""
    name, _, level = row.variable.partition(": ")
    if name in SCORES:
        return summary(people[f"{SCORES[name]}_baseline"], row.statistic)
    if row.statistic in ("mean", "sd"):
        return summary(people[name], row.statistic)
    hit = level or ("female" if name == "sex" else "yes")
    return share(people[name] == hit, row.statistic)


def described(people, row):
    """A statistic of Table 3 or 4, or the discussion's percent change."""
    if row.analysis == "biomarkers":
        seen = people[people["completed_post"] == "yes"]
        return summary(seen[f"{BLOOD[row.variable]}_{'pre' if row.time == 'baseline' else 'post'}"],
                       row.statistic)
    seen = people[[f"{SCORES[row.variable]}_{visit}" for visit in VISITS]].dropna()
    seen.columns = VISITS
    if row.statistic == "percent_change":
        return 100 * (seen[row.time].mean() / seen["baseline"].mean() - 1)
    return summary(seen[row.time], row.statistic)


def responders(people, row):
    """A count or percent of section 3.5."""
    pair = people[["fiq_baseline", "fiq_post"]].dropna()
    cut = int(row.variable.split(">=")[1].rstrip("%")) / 100
    hits = (pair["fiq_baseline"] - pair["fiq_post"]) / pair["fiq_baseline"] >= cut - 1e-9
    if row.statistic == "n":
        return len(hits)
    return hits.sum() if row.statistic == "responders" else 100 * hits.mean()


RECOMPUTE = {"flow": flow, "baseline": baseline, "outcomes": described, "biomarkers": described,
             "nnt": responders}


def targets():
    """Rows of the published numbers that are sample statistics of the two arms."""
    rows = numbers.read()
    keep = rows["analysis"].isin(RECOMPUTE) & rows["statistic"].isin(SAMPLE)
    keep &= rows["arm"].isin(["RT", "MAIR", "overall"])
    return rows[keep & ~rows["variable"].isin(NOT_IN_A_COHORT)]


TARGETS = targets()


def unmet(frame, variable=None):
    """Keys of the targets (of one variable) that a cohort does not print, with its values."""
    rows = TARGETS
    if variable is not None:
        rows = rows[rows["variable"].str.split(": ").str[0] == variable]
    found = {}
    for row in rows.itertuples(index=False):
        people = frame if row.arm == "overall" else frame[frame["arm"] == row.arm]
        value = RECOMPUTE[row.analysis](people, row)
        places = len(row.printed.partition(".")[2])
        # half up, a value on the half told from its binary neighbours
        if abs(value - float(row.printed)) > 0.5 * 10.0**-places + 1e-9:
            found[row.analysis, row.variable, row.arm, row.statistic] = value
    return found


@pytest.fixture(scope="module")
def people():
    return load()


def test_every_target_is_met_but_those_that_contradict_themselves(people):
    assert set(unmet(people)) == set(NOT_MET)


def test_the_targets_are_all_there():
    counts = TARGETS[TARGETS["statistic"].isin(["mean", "sd"])].groupby("source").size()
    assert counts.to_dict() == {"section 3.2": 2, "table 2": 44, "table 3": 108, "table 4": 40}
    assert len(TARGETS) == 309


def pinned(frame):
    """Every numeric cell that a printed mean or SD covers, one drawn from each column."""
    rng = np.random.default_rng(1)
    blood = [f"{stem}_{t}" for stem in BLOOD.values() for t in ("pre", "post")]
    whole = ["age", "n_medications", *(f"{stem}_baseline" for stem in SCORES.values())]
    later = [f"{stem}_{t}" for stem in SCORES.values() for t in VISITS[1:]]
    for column in [*whole, *later, *blood]:
        rows = np.ones(len(frame), bool)
        if column in blood:
            rows = (frame["completed_post"] == "yes").to_numpy()
        elif column in later:
            stem = column.rpartition("_")[0]
            rows = frame[[f"{stem}_{t}" for t in VISITS]].notna().all(axis=1).to_numpy()
        yield column, int(rng.choice(np.flatnonzero(rows)))


def test_one_changed_number_is_noticed(people):
    names = {stem: name for name, stem in (SCORES | BLOOD).items()}
    for column, row in pinned(people):
        changed = people.astype({column: float})
        changed.loc[row, column] += 1.0
        variable = names.get(column.rpartition("_")[0], column)
        assert len(unmet(changed, variable)) > len(unmet(people, variable)), (column, row)


def test_one_changed_answer_is_noticed(people):
    printed = {"sex": "female", "preference": "indifferent", "employment": "unemployed"}
    printed |= {"education": "primary"}
    answers = ["stable_relationship", "residence_urban", "own_home"]
    answers += [c for c in people if c.startswith("med_")]
    for column in [*printed, *answers]:
        changed = people.copy()
        hits = np.flatnonzero(people[column] == printed.get(column, "yes"))
        changed.loc[hits[0], column] = "else"
        assert len(unmet(changed, column)) > len(unmet(people, column)), column


def test_people_and_who_is_missing(people):
    assert list(people["id"]) == [f"S{k:02d}" for k in range(1, 42)]
    assert people.groupby("arm").size().to_dict() == {"MAIR": 22, "RT": 19}
    seen = people.groupby("arm")[["fiq_baseline", "fiq_post", "fiq_followup"]].count()
    assert seen.loc["RT"].tolist() == [19, 16, 15]
    assert seen.loc["MAIR"].tolist() == [22, 19, 19]
    lost = (people["lost"] == "not in the text").groupby(people["arm"]).sum()
    assert lost.to_dict() == {"MAIR": 3, "RT": 4}
    assert set(people["lost"]) == {"", "not in the text"}
    assert (people["fiq_followup"].notna() == (people["lost"] == "")).all()
    assert (people["fiq_post"].notna() == (people["completed_post"] == "yes")).all()
    for stem in SCORES.values():
        gaps = people[f"{stem}_post"].isna() & people["fiq_post"].notna()
        assert gaps.groupby(people["arm"]).sum().to_dict() == {"MAIR": 4 if stem == "pcs" else 0,
                                                               "RT": 0}
        assert (people[f"{stem}_followup"].isna() == people["fiq_followup"].isna()).all()
    assert people[[c for c in people if c.endswith("_pre")]].notna().all(axis=None)
    blood = [f"{stem}_{t}" for stem in BLOOD.values() for t in ("pre", "post")]
    assert people[blood].notna().all(axis=None)


def test_values_stay_inside_their_scales(people):
    look = numbers.Lookup(numbers.read().query("source == 'table 2'"))
    for name, stem in SCORES.items():
        low, high = (look("outcomes", name, "overall", "", "declared", statistic=s).value
                     for s in ("range_low", "range_high"))
        scores = people[[f"{stem}_{visit}" for visit in VISITS]].stack().dropna()
        assert scores.between(low, high).all(), name
    for stem in BLOOD.values():
        assert (people[[f"{stem}_pre", f"{stem}_post"]] > 0).all(axis=None)
    assert people["age"].between(18, 65).all()
    assert people["sessions"].between(0, 8).all()
    assert people["credibility"].between(0, 10).all()
    for column in ("age", "sessions", "credibility", "n_medications"):
        assert people[column].dtype.kind == "i"


def test_medications_add_up(people):
    classes = [c for c in people if c.startswith("med_")]
    assert len(classes) == 7
    assert ((people[classes] == "yes").sum(axis=1) == people["n_medications"]).all()
    assert people["n_medications"].groupby(people["arm"]).sum().to_dict() == {"MAIR": 27, "RT": 16}


def test_sessions_and_retention_do_not_differ(people):
    arms = [people[people["arm"] == arm] for arm in ("RT", "MAIR")]
    sessions = [arm["sessions"] for arm in arms]
    assert mannwhitneyu(*sessions, method="asymptotic", use_continuity=False).pvalue > 0.05
    for visit in ("post", "followup"):
        table = [[s.notna().sum(), s.isna().sum()] for s in (a[f"fiq_{visit}"] for a in arms)]
        assert fisher_exact(table).pvalue > 0.05
