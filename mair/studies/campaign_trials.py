"""Sound papers: real trials, printed correctly: the other side of the fault campaign.

Of a two-arm trial some people, drawn at random, are analysed as `make` would, and the rows named
in ``mair/data/sound.yaml`` are printed rounded half up from full precision, with decimals drawn
at random. A check that finds fault with such a paper raises a false alarm.
"""

import math
import tempfile
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pandas as pd
import yaml

from mair.published.numbers import COLUMNS
from mair.results import records
from mair.sections import baseline, flow, measures, nnt
from mair.trial import Trial, load
from mair.trial.errors import ROOT, declared

# the trials, what is printed of each, and its decimals
SOUND = declared("sound")
MODEL = {"covariance": "random-intercept", "inference": "z"}
ERRORS = 0.3  # share of tables with standard errors in place of SDs


def show(value: float, digits: int) -> str:
    """A number printed with so many digits, half up, without a negative zero."""
    unit = Decimal(1).scaleb(-digits)
    text = str(Decimal(repr(float(value))).quantize(unit, rounding=ROUND_HALF_UP))
    return text.lstrip("-") if float(text) == 0 else text


def drawn(name: str, rng) -> Trial:
    """A trial with at least half of the people of each arm, those whose baseline is known."""
    own = SOUND["trials"][name]
    features = [one["name"] for one in own.get("baseline", ()) if "name" in one]
    data = pd.read_csv(ROOT / "mair" / "data" / own["data"], dtype=str).dropna(subset=features)
    some = [d.sample(int(rng.integers(len(d) // 2, len(d) + 1)), random_state=rng)
            for _, d in data.groupby(own["arm"]["column"])]
    with tempfile.TemporaryDirectory() as folder:
        pd.concat(some).to_csv(Path(folder) / "data.csv", index=False)
        file = Path(folder) / "trial.yaml"
        file.write_text(yaml.safe_dump({**own, "participant": "id", "data": "data.csv",
                                        "analysis": MODEL}), encoding="utf-8")
        return load(file)


def rows(trial: Trial) -> pd.DataFrame:
    """The rows of the sections that a trial has."""
    parts = [flow.rows(trial)]
    parts += [baseline.rows(trial)] if trial.baseline else []
    parts += [measures.rows(trial, section) for section in ("outcomes", measures.ONCE)
              if measures.variables(trial, section)]
    return pd.concat([*parts, *([nnt.rows(trial)] if trial.sections.get("responders") else [])])


def paper(name: str, rng) -> tuple[pd.DataFrame, dict]:
    """A trial of ``mair/data/sound.yaml``, printed.

    Parameters
    ----------
    name : str
    rng : numpy Generator
        Draws people, decimals and tests.

    Returns
    -------
    DataFrame, dict
        The paper and its trial file's sections, as
        `mair.published.consistency.consistency` takes them.
    """
    trial, out = drawn(name, rng), []
    computed, hidden = rows(trial), "sd" if rng.random() < ERRORS else "se"
    for line in SOUND["prints"]:
        where = {key: list(trial.arms) if value == "arms" else value
                 for key, value in line["rows"].items()}
        found = records(computed, **where)
        names = [one for one in line["of"] if one != hidden or "se" not in line["of"]]
        for variable in dict.fromkeys(one.variable for one in found):
            own = [one for one in found if one.variable == variable]
            own = [own[rng.integers(len(own))]] if "one" in line else own
            digits = int(rng.integers(1, 4))
            for one in own:
                values = vars(_more(trial, one)) if line["source"] == "table 2" else vars(one)
                out += [(*list(values.values())[:5], statistic, text, line["source"], "")
                        for statistic in names if (text := printed(values, statistic, digits))]
    return pd.DataFrame(out, columns=COLUMNS), trial.sections


def _more(trial: Trial, one):
    """What papers print beside a mean: its standard error, and the SD of the changes."""
    if one.method == "described":
        scores = trial.scores(one.variable).dropna()
        changes = (scores[one.time] - scores.iloc[:, 0])[trial.arm == one.arm]
        one.se, one.change_sd = one.sd / math.sqrt(one.n), changes.std() or math.nan
    return one


def printed(values: dict, statistic: str, digits: int) -> str:
    """A statistic as a paper prints it; empty where there is nothing to print."""
    value = values.get(statistic, math.nan)
    if not math.isfinite(value) or (statistic.startswith("nnt") and values["nnt_through_infinity"]):
        return ""
    if statistic == "p":
        return "<0.001" if value < 0.001 else show(value, 2 + digits % 2)
    if statistic == "nnt":
        value = math.copysign(math.ceil(abs(value) - 1e-9), value)
    return show(value, SOUND["decimals"].get(statistic, digits))
