"""Flow of participants: from assessed to analysed, retention, attendance, progression."""

import numpy as np
import pandas as pd
from statsmodels.stats.rates import confint_poisson

from mair.results import Rows
from mair.sections import arms, harms, planning
from mair.sections import model as models
from mair.stats import tests
from mair.stats.risk_limits import wilson
from mair.trial import Trial

DECISIONS = {0: "stop", 1: "amend", 2: "go"}  # what the statistics ``decision`` stand for


def rows(trial: Trial) -> pd.DataFrame:
    """Every statistic of the analyses ``flow``, ``progression``, ``sample_size`` and ``harms``.

    Parameters
    ----------
    trial : Trial

    Returns
    -------
    DataFrame
        Columns of ``results.csv``.
    """
    out = Rows("flow")
    for part in (_recruited, _retained, _lost, _analysed, _attendance, _progression):
        part(trial, out)
    frames = [out.frame(), planning.rows(trial), harms.rows(trial)]
    return pd.concat([frame for frame in frames if len(frame)], ignore_index=True)


def _percent(n, of) -> float | None:
    return 100 * n / of if of else None


def _count(out: Rows, trial: Trial, variable: str, who: pd.Series, time="", overall=True) -> None:
    """How many of each arm are among `who`, and their percentage of those randomised."""
    for arm, own in arms.split(trial, who, overall).items():
        out.add(variable, arm, time, n=int(own.sum()), percent=_percent(int(own.sum()), len(own)))


def _recruited(trial: Trial, out: Rows) -> None:
    """Assessed, excluded, enrolled, randomised; the trial file's sums were checked on reading."""
    flow = trial.sections.get("flow") or {}
    assessed = flow.get("assessed")
    sizes = {**{arm: trial.n(arm) for arm in trial.arms}, **trial.other_arms,
             **flow.get("other_arms", {})}
    enrolled = sum(sizes.values())
    if assessed is not None:
        out.add("assessed", "overall", n=assessed, percent=100.0)
        for reason, n in flow.get("excluded", {}).items():
            out.add(f"excluded: {reason}", "overall", n=n, percent=_percent(n, assessed))
    for what, n in trial.ignored.items():
        out.add(what, "overall", n=n)
    out.add("enrolled", "overall", n=enrolled, percent=_percent(enrolled, assessed))
    for arm, n in {"overall": trial.n(), **sizes}.items():
        out.add("randomised", arm, n=n, percent=_percent(n, enrolled))


def followed(trial: Trial) -> tuple[str, pd.DataFrame]:
    """The primary outcome, or else the first column of results, and who was seen when.

    Returns
    -------
    str, DataFrame
        Its name, and bool by participant and visit; a column that names no visit stands at the
        last.
    """
    if trial.primary:
        return trial.primary.name, trial.seen(trial.primary.name)
    first = trial.sections["responders"][0]
    known = trial.responder(first["column"]).notna()
    return first["column"], known.to_frame(first.get("visit") or trial.visits[-1])


def _retained(trial: Trial, out: Rows) -> None:
    """Who was seen on the primary outcome at each visit, by arm, compared by Fisher's test."""
    seen = followed(trial)[1]
    for visit in seen.columns:
        _count(out, trial, "retained", seen[visit], visit)
        by_arm = arms.split(trial, seen[visit], overall=True)
        kept, total = zip(*((int(own.sum()), len(own)) for own in by_arm.values()), strict=True)
        limits = wilson(kept, total, confidence=trial.analysis.confidence)
        for arm, low, high in zip(by_arm, *limits, strict=True):
            out.add("retained", arm, visit, "wilson", ci_low=100 * low, ci_high=100 * high)
        if visit != trial.reference or len(seen.columns) == 1:
            out.add("retained", "difference", visit, "fisher",
                    p=tests.fisher(arms.table(kept[:2], total[:2])).p)


def _lost(trial: Trial, out: Rows) -> None:
    """Who was never seen again, and why, at the first of the visits they missed."""
    seen = followed(trial)[1]
    reasons = pd.Series(trial.series("lost"), seen.index, dtype=object).fillna("no reason given")
    left = (~seen).iloc[:, ::-1].cummin(axis=1).iloc[:, ::-1]
    first = left & ~left.shift(1, axis=1, fill_value=False)
    for visit in seen.columns:
        for reason in sorted(reasons[first[visit]].unique()):
            _count(out, trial, f"lost: {reason}", first[visit] & (reasons == reason), visit, False)


def _analysed(trial: Trial, out: Rows) -> None:
    """Who enters the mixed model of each outcome, and who is left out for a covariate."""
    used = {name: trial.seen(name).any(axis=1) & models.complete_covariates(trial)
            for name in [*trial.outcomes, *trial.biomarkers]}
    if not used:
        name, seen = followed(trial)
        used = {name: seen.any(axis=1)}
    for name, who in used.items():
        _count(out, trial, f"analysed: {name}", who)
    for covariate in trial.covariates:
        missing = covariate.values.isna()
        for arm, own in arms.split(trial, missing).items() if missing.any() else ():
            out.add(f"left out: {covariate.name} missing", arm, n=int(own.sum()))


def _attendance(trial: Trial, out: Rows) -> None:
    """Sessions and credibility by SPSS's weighted-average quartiles; preference by level."""
    for role in ("sessions", "credibility"):
        if (values := trial.series(role)) is None:
            continue
        samples = arms.split(trial, values.dropna())
        for arm, sample in samples.items():
            q1, median, q3 = tests.weighted_quantiles(sample, (0.25, 0.5, 0.75))
            out.add(role, arm, "", "weighted-average", n=len(sample), median=median, q1=q1, q3=q3)
        out.add(role, "difference", "", "mann-whitney",
                p=tests.mann_whitney(*reversed(samples.values())).p)
    if (preferred := trial.series("preference")) is not None:
        counts = pd.crosstab(preferred.astype(object).dropna().astype(str), trial.arm)
        counts = counts.reindex(columns=trial.arms, fill_value=0)
        for (level, arm), n in counts.stack().items():
            out.add(f"preference: {level}", arm, n=n, percent=_percent(n, counts[arm].sum()))


def _progression(trial: Trial, out: Rows) -> None:
    """The declared criteria for going on to a larger trial, held against their thresholds.

    By criterion ``n n_of percent`` with Wilson's limits, of a rate ``n months rate`` with exact
    ones (Garwood 1936); under ``declared`` the thresholds as stated and, as in `DECISIONS`, what
    the estimate decides and what the interval's ends would. Compared as it is, not as rounded.
    """
    for name, one in (trial.sections.get("progression") or {}).items():
        visit, n, of = _counted(trial, name, one)
        key, share, level = (name, "overall", visit), n / of if of else np.nan, trial.analysis
        if "months" in one:
            low, high = confint_poisson(n, of, "exact-c", 1 - level.confidence)
            size, method, unit = {"months": of, "rate": share}, "poisson", 1
        else:
            low, high = wilson(n, of, confidence=level.confidence)
            size, method, unit = {"n_of": of, "percent": 100 * share}, "wilson", 100
        decided = [np.searchsorted((one["amber"], one["green"]), value, side="right")
                   if of else None for value in (share, low, high)]
        out.add(*key, analysis="progression", n=n, **size)
        out.add(*key, method, analysis="progression", ci_low=unit * low, ci_high=unit * high)
        out.add(*key, "declared", analysis="progression", green=one["green"], amber=one["amber"],
                decision=decided[0], decision_low=decided[1], decision_high=decided[2])


def _counted(trial: Trial, name: str, declared: dict) -> tuple[str, int, float]:
    """The visit of a criterion, who met it, and of how many (or in how many months).

    Recruited are the people randomised to any arm. Adherence is of all those randomised to an
    arm in which sessions are recorded: a number that is unknown counts as too few. 0 of 0 where
    nothing was to be observed at the visit.
    """
    if name == "recruitment":
        before = trial.sections.get("flow") or {}
        others = {**trial.other_arms, **before.get("other_arms", {})}
        return "", trial.n() + sum(others.values()), declared.get("months") or (
            before["assessed"] - sum(before["excluded"][one] for one in declared["ineligible"]))
    if name == "adherence":
        came = trial.series("sessions")
        held = trial.arm.isin(trial.arm[came.notna()])
        return "", int((came >= declared["sessions"]).sum()), int(held.sum())
    primary, seen = followed(trial)
    visit = declared.get("visit") or seen.columns[-1]
    every = {one: trial.seen(one) for one in trial.outcomes if name == "completeness"}
    due = pd.DataFrame({one: held[visit] for one, held in ({primary: seen} | every).items()
                        if visit in held}, index=seen.index)
    of = due.any(axis=1) if every else trial.arm.notna() & (visit in seen)
    return visit, int((of & due.all(axis=1)).sum()), int(of.sum())
