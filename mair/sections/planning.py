"""The planned sample size, under each formula, and the correlation that a change depends on."""

from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import ndtri

from mair.published import numbers
from mair.results import Rows
from mair.stats import power
from mair.stats.simulated import CORRELATION
from mair.trial import Trial, remembered

METHODS = ("normal", "t")


class Correlation(NamedTuple):
    """Of two visits within arms: ``value``, exact limits ``low`` and ``high`` (95 %, compound
    symmetry), nan where ``source`` is ``assumed``; else it is ``printed`` or ``data``.
    """

    value: float
    low: float
    high: float
    source: str

    def change(self, value=None) -> float:
        """SD of a change over the SD of a score."""
        return float(np.sqrt(2 * (1 - (self.value if value is None else value))))


@remembered
def correlation(trial: Trial) -> Correlation:
    """How strongly two visits of the primary outcome correlate within the arms.

    Of a synthetic trial what its published numbers imply, of any other those seen at every
    visit; where neither says so, `mair.stats.simulated.CORRELATION`.
    """
    found = _printed(trial) if trial.synthetic and trial.published else None
    source = "printed" if found else "data"
    if found is None and trial.has_data:
        seen = trial.scores(trial.primary.name).dropna()
        if len(seen.columns) > 1 and len(seen) > 3:
            found = power.intraclass(seen.to_numpy(float), trial.arm[seen.index] == trial.treatment)
    if found is None or not np.isfinite(found[0]):
        return Correlation(CORRELATION, np.nan, np.nan, "assumed")
    value, df, k = found
    return Correlation(round(value, 3), *power.intraclass_limits(value, df, k), source)


def _printed(trial: Trial) -> tuple[float, int, int] | None:
    """Correlation, df and visits behind the printed standard errors of a random intercept.

    At compound symmetry these follow from the printed SDs, averaged over arms and visits, and
    from who was seen: those described at every visit, the others of an arm at the first alone.
    None where a number is not printed.
    """
    visits, look = trial.primary.visits, numbers.Lookup(numbers.read(trial.published))

    def printed(statistic, *key, of=("outcomes", trial.primary.name)):
        return look(*of, *key, statistic=statistic).value

    try:
        n = np.array([printed("n", arm, visits[0], "described") for arm in trial.arms])
        whole = np.array([printed("n", arm, of=("flow", "randomised")) for arm in trial.arms])
        sd = np.array([[printed("sd", arm, visit, "described") for visit in visits]
                       for arm in trial.arms])
        width = np.array([printed("ci_high", *key) - printed("ci_low", *key) for key in (
            ("difference", visit, "random-intercept/z") for visit in visits[1:])])
    except KeyError:
        return None
    variance = ((n - 1) @ sd**2 / (n - 1).sum()).mean()
    error = ((width / (2 * ndtri(0.975))) ** 2).mean()

    def excess(r):
        alike, total = np.linalg.inv((1 - r) * np.eye(len(visits)) + r), 0.0
        for seen, all_ in zip(n, whole, strict=True):
            information = seen * alike
            information[0, 0] += all_ - seen
            cov = np.linalg.inv(information)
            total += (cov[0, 0] + np.diag(cov)[1:] - 2 * cov[0, 1:]).mean()
        return variance * total - error

    ends = -0.9 / (len(visits) - 1), 0.999
    if not excess(ends[0]) > 0 > excess(ends[1]):
        return None
    return brentq(excess, *ends), int(n.sum() - len(n)), len(visits)


def difference(declared: dict) -> float:
    """The difference to detect: declared, or the declared fraction of the declared mean."""
    return declared.get("difference") or declared["mean"] * declared["relative_difference"]


def rows(trial: Trial) -> pd.DataFrame:
    """Every statistic of the analysis ``sample_size``; none where nothing is declared."""
    out, declared = Rows("sample_size"), trial.sections.get("sample_size")
    if not declared:
        return out.frame()
    name, delta = trial.primary.name, difference(declared)
    d = delta / declared["sd"]
    inputs = {key: value for key, value in declared.items() if key != "difference"}
    out.add(name, "overall", "", "declared", **inputs, difference=delta, d=d)
    for method in METHODS:
        n = power.sample_size(d, alpha=declared["alpha"], power=declared["power"], method=method)
        out.add(name, "overall", "", method, d=d, n=n,
                power=power.achieved_power(d, n, alpha=declared["alpha"], method=method))
        for rule, planned in inflated(declared, n).items():
            out.add(name, "overall", "", f"{method}/{rule}", n_with_dropout=planned)
    return out.frame()


def inflated(declared: dict, n: int) -> dict[str, int]:
    """Participants of both arms by rule for the dropout declared; empty where none is."""
    return {rule: power.inflate(n, declared["dropout"], rule=rule)
            for rule in ("divided", "multiplied") if "dropout" in declared}
