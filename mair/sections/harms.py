"""Harms: who had an adverse event, how often, and how differently in the two arms."""

import pandas as pd

from mair.results import Rows
from mair.sections import arms
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
        times = own.groupby("participant")["serious" if name == SERIOUS else "events"].sum()
        people = pd.DataFrame({"had": known.index.isin(own["participant"]), "known": True,
                               "events": times.reindex(known.index, fill_value=0)})[known]
        found = {arm: part.sum() for arm, part in arms.split(trial, people).items()}
        for arm, one in found.items():
            out.add(name, arm, n=one["had"],
                    percent=100 * one["had"] / one["known"] if one["known"] else None,
                    events=one["events"])
        counts, sizes = ([found[arm][key] for arm in reversed(trial.arms)]
                         for key in ("had", "known"))
        if min(sizes):
            chosen = trial.analysis
            apart = risk.risk_difference(counts, sizes, interval=chosen.risk_interval,
                                         confidence=chosen.confidence)
            out.add(name, "difference", "", chosen.risk_interval,
                    **arms.interval("rd", apart, times=100))
            out.add(name, "difference", "", "fisher", p=tests.fisher(arms.table(counts, sizes)).p)
    return out.frame()
