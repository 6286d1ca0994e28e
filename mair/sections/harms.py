"""Harms: who had an adverse event, how often, and how differently in the two arms."""

from __future__ import annotations

import pandas as pd

from mair.results import Rows
from mair.stats import risk, tests
from mair.trial import Trial

ANY, SERIOUS = "any event", "any serious event"


def rows(trial: Trial) -> pd.DataFrame:
    """Every statistic of the analysis ``harms``; none where none is recorded.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``: of any event, any serious one and each term, by arm the
        participants with at least one (``n percent``, of those of whom something is known) and
        ``events``; their difference ``rd ci_low ci_high`` in percentage points, treatment minus
        control, under the declared interval, and Fisher's ``p``.
    """
    out, events = Rows("harms"), trial.events
    if events is None:
        return out.frame()
    declared, known = trial.sections["harms"], trial.series("harms")
    often = events.groupby("term")["events"].sum().sort_values(ascending=False, kind="stable")
    kinds = {ANY: events} | ({SERIOUS: events[events["serious"] > 0]}
                             if "serious" in declared else {})
    kinds |= {term: events[events["term"] == term] for term in
              dict.fromkeys([*filter(None, often.index), *declared.get("terms", ())])}
    for name, own in kinds.items():
        had, found = known.index.isin(own["participant"]), {}
        for arm in trial.arms:
            here = (trial.arm == arm) & known
            found[arm] = int((here & had).sum()), int(here.sum())
            times = own[own["participant"].isin(here.index[here])]
            out.add(name, arm, n=found[arm][0],
                    percent=100 * found[arm][0] / found[arm][1] if found[arm][1] else None,
                    events=int(times["serious" if name == SERIOUS else "events"].sum()))
        counts, sizes = zip(*(found[arm] for arm in reversed(trial.arms)), strict=True)
        if min(sizes):
            interval = trial.analysis.risk_interval
            apart = risk.risk_difference(counts, sizes, interval=interval,
                                         confidence=trial.analysis.confidence)
            out.add(name, "difference", "", interval, rd=100 * apart.estimate,
                    ci_low=100 * apart.low, ci_high=100 * apart.high)
            table = [(x, of - x) for x, of in zip(counts, sizes, strict=True)]
            out.add(name, "difference", "", "fisher", p=tests.fisher(table).p)
    return out.frame()
