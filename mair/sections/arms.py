"""What every section does with two arms: their values apart, a comparison as statistics."""

import pandas as pd

from mair.trial import Trial


def split(trial: Trial, values: pd.Series | pd.DataFrame,
          overall=False) -> dict[str, pd.Series | pd.DataFrame]:
    """Values by participant, apart in each arm, the control arm first, and `overall` if asked."""
    arm = trial.arm[values.index]
    found = {one: values[arm == one] for one in trial.arms}
    return found | {"overall": values} if overall else found


def interval(name: str, found, ends: str = "ci", times: float = 1.0) -> dict[str, float]:
    """An estimate with its limits as statistics.

    Parameters
    ----------
    name : str
        The statistic of ``found.estimate``.
    found : Interval, or what has its first three fields
    ends : str
        Before ``_low`` and ``_high``.
    times : float
        100 for percentage points.
    """
    return {name: times * found.estimate, f"{ends}_low": times * found.low,
            f"{ends}_high": times * found.high}


def table(counts, sizes) -> list[tuple[int, int]]:
    """Who did and who did not, a row an arm."""
    return [(n, of - n) for n, of in zip(counts, sizes, strict=True)]
