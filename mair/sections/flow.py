"""Flow of participants: from assessed to analysed, retention, attendance and opinions."""

from __future__ import annotations

import pandas as pd

from mair.report import fmt
from mair.report.tables import Table
from mair.results import Lookup, Rows
from mair.sections import model as models
from mair.sections import planning
from mair.stats import tests
from mair.stats.risk_limits import wilson
from mair.trial import Trial


def rows(trial: Trial) -> pd.DataFrame:
    """Every statistic of the analyses ``flow`` and ``sample_size``.

    Parameters
    ----------
    trial : Trial

    Returns
    -------
    DataFrame
        Columns of ``results.csv``.
    """
    out = Rows("flow")
    _recruitment(trial, out)
    _retention(trial, out)
    _analysed(trial, out)
    _attendance(trial, out)
    frames = [out.frame(), planning.rows(trial)]
    return pd.concat([frame for frame in frames if len(frame)], ignore_index=True)


def _percent(n, of) -> float | None:
    return 100 * n / of if of else None


def _recruitment(trial: Trial, out: Rows) -> None:
    """Assessed, excluded, enrolled, randomised; the trial file's sums were checked on reading."""
    flow = trial.sections.get("flow") or {}
    assessed = flow.get("assessed")
    excluded = flow.get("excluded") or {}
    others = flow.get("other_arms") or {}
    randomised = trial.n()
    enrolled = randomised + sum(others.values())
    if assessed is not None:
        out.add("assessed", "overall", n=assessed, percent=100.0)
        for reason, n in excluded.items():
            out.add(f"excluded: {reason}", "overall", n=n, percent=_percent(n, assessed))
    out.add("enrolled", "overall", n=enrolled, percent=_percent(enrolled, assessed))
    out.add("randomised", "overall", n=randomised, percent=_percent(randomised, enrolled))
    for arm in trial.arms:
        out.add("randomised", arm, n=trial.n(arm), percent=_percent(trial.n(arm), enrolled))
    for arm, n in others.items():
        out.add("randomised", arm, n=n, percent=_percent(n, enrolled))


def _retention(trial: Trial, out: Rows) -> None:
    """Who was seen on the primary outcome at each visit, and why others were not."""
    seen = trial.scores(trial.primary.name).notna()
    total = {arm: trial.n(arm) for arm in trial.arms}
    for visit in seen.columns:
        kept = {arm: int(seen.loc[trial.arm == arm, visit].sum()) for arm in trial.arms}
        for arm, (n, of) in {
            **{arm: (kept[arm], total[arm]) for arm in trial.arms},
            "overall": (sum(kept.values()), trial.n()),
        }.items():
            low, high = wilson(n, of, confidence=trial.analysis.confidence)
            out.add("retained", arm, visit, n=n, percent=_percent(n, of))
            out.add("retained", arm, visit, "wilson",
                    ci_low=100 * float(low), ci_high=100 * float(high))
        if visit != trial.reference:
            table = [[kept[arm], total[arm] - kept[arm]] for arm in trial.arms]
            out.add("retained", "difference", visit, "fisher", p=tests.fisher(table).p)
    reasons = trial.series("lost")
    reasons = pd.Series(None, trial.arm.index, dtype=object) if reasons is None else reasons
    reasons = reasons.astype(object).where(reasons.notna(), "no reason given")
    for visit, gone in _lost(seen).items():
        for reason in sorted(reasons[gone].astype(str).unique()):
            for arm in trial.arms:
                n = int((gone & (reasons == reason) & (trial.arm == arm)).sum())
                out.add(f"lost: {reason}", arm, visit, n=n, percent=_percent(n, total[arm]))


def _lost(seen: pd.DataFrame) -> dict[str, pd.Series]:
    """Who was never seen again from a visit on, by the first visit they missed."""
    left = (~seen).iloc[:, ::-1].cummin(axis=1).iloc[:, ::-1]
    first = left & ~left.shift(1, axis=1, fill_value=False)
    return {visit: first[visit] for visit in seen.columns if first[visit].any()}


def _analysed(trial: Trial, out: Rows) -> None:
    """Who enters the mixed model of each outcome, and who is left out for a covariate."""
    complete = models.complete_covariates(trial)
    for name in [*trial.outcomes, *trial.biomarkers]:
        used = trial.scores(name).notna().any(axis=1) & complete
        for arm in (*trial.arms, "overall"):
            of = trial.arm == arm if arm != "overall" else pd.Series(True, trial.arm.index)
            n = int((used & of).sum())
            out.add(f"analysed: {name}", arm, n=n, percent=_percent(n, int(of.sum())))
    for covariate in trial.covariates:
        missing = covariate.values.isna()
        if missing.any():
            for arm in trial.arms:
                out.add(f"left out: {covariate.name} missing", arm,
                        n=int((missing & (trial.arm == arm)).sum()))


def _attendance(trial: Trial, out: Rows) -> None:
    """Sessions and credibility by SPSS's weighted-average quartiles; preference by level."""
    for role in ("sessions", "credibility"):
        values = trial.series(role)
        if values is None:
            continue
        by_arm = {arm: values[trial.arm == arm].dropna().to_numpy(float) for arm in trial.arms}
        for arm, sample in by_arm.items():
            q1, median, q3 = tests.weighted_quantiles(sample, (0.25, 0.5, 0.75))
            out.add(role, arm, "", "weighted-average", n=len(sample), median=median, q1=q1,
                    q3=q3)
        test = tests.mann_whitney(by_arm[trial.treatment], by_arm[trial.control])
        out.add(role, "difference", "", "mann-whitney", p=test.p)
    preference = trial.series("preference")
    if preference is not None:
        known = preference.dropna().astype(str)
        for level in sorted(known.unique()):
            for arm in trial.arms:
                own = known[trial.arm[known.index] == arm]
                n = int((own == level).sum())
                out.add(f"preference: {level}", arm, n=n, percent=_percent(n, len(own)))


def left_out(trial: Trial) -> str:
    """Who is left out of the models for want of a covariate, in one sentence (or none)."""
    sentences = [
        f"Left out of the mixed models, because {covariate.name} is missing: "
        f"{', '.join(covariate.values.index[covariate.values.isna()])}."
        for covariate in trial.covariates
        if covariate.values.isna().any()
    ]
    return " ".join(sentences)


def arithmetic(trial: Trial, frame: pd.DataFrame) -> str:
    """The sums of the diagram, checked; one sentence that says them.

    Raises
    ------
    AssertionError
        The boxes do not add up.
    """
    n = Lookup(frame)
    enrolled = n("flow", "enrolled", "overall", statistic="n")
    arms = frame[(frame["variable"] == "randomised") & (frame["statistic"] == "n")
                 & (frame["arm"] != "overall")]
    assert int(arms["value"].sum()) == enrolled, "the arms do not add up to those enrolled"
    said = [f"{enrolled:g} enrolled = " + " + ".join(
        f"{value:g} {arm}" for arm, value in zip(arms["arm"], arms["value"], strict=True))]
    if ("flow", "assessed", "overall", "", "", "n") in n:
        assessed = n("flow", "assessed", "overall", statistic="n")
        excluded = frame[frame["variable"].str.startswith("excluded: ")
                         & (frame["statistic"] == "n")]
        assert assessed - excluded["value"].sum() == enrolled, "assessed minus excluded is off"
        said.insert(0, f"{assessed:g} assessed - {excluded['value'].sum():g} excluded "
                       f"= {enrolled:g}")
    return "; ".join(said) + "."


def retention_table(trial: Trial, frame: pd.DataFrame) -> Table:
    """Retention by arm and visit, with Wilson intervals and Fisher's p."""
    n = Lookup(frame)
    display, data = [], []
    for visit in trial.primary.visits:
        row, numbers = {"Visit": visit}, {"visit": visit}
        for arm in (*trial.arms, "overall"):
            k = n("flow", "retained", arm, visit, statistic="n")
            percent = n("flow", "retained", arm, visit, statistic="percent")
            low, high = (n("flow", "retained", arm, visit, "wilson", statistic=s)
                         for s in ("ci_low", "ci_high"))
            of = trial.n() if arm == "overall" else trial.n(arm)
            row[_heading(arm, of)] = f"{k:g} ({percent:.1f}%; {low:.1f} to {high:.1f})"
            numbers |= {f"{arm}_n": k, f"{arm}_percent": percent, f"{arm}_low": low,
                        f"{arm}_high": high}
        p = (n("flow", "retained", "difference", visit, "fisher", statistic="p")
             if visit != trial.reference else float("nan"))
        display.append(row | {"p (Fisher)": fmt.p_value(p) if p == p else ""})
        data.append(numbers | {"p_fisher": p})
    return Table(
        "retention", f"Seen on {trial.primary.name}, by visit", pd.DataFrame(display),
        pd.DataFrame(data),
        notes=(f"n (percent of randomised; {trial.analysis.confidence:.0%} Wilson interval).",),
        synthetic=trial.synthetic,
    )


def _heading(arm: str, n: int) -> str:
    return f"{arm.capitalize() if arm == 'overall' else arm} (n = {n})"


def attendance_table(trial: Trial, frame: pd.DataFrame) -> Table | None:
    """Sessions attended, credibility and preference by arm; None where nothing is declared."""
    n = Lookup(frame)
    display, data = [], []
    for role, label in (("sessions", "Sessions attended"), ("credibility", "Credibility")):
        if ("flow", role, trial.control, "", "weighted-average", "n") not in n:
            continue
        row, numbers = {"": f"{label}, median (Q1 to Q3)"}, {"variable": role}
        for arm in trial.arms:
            cell = {s: n("flow", role, arm, "", "weighted-average", statistic=s)
                    for s in ("n", "median", "q1", "q3")}
            row[_heading(arm, trial.n(arm))] = (
                f"{cell['median']:g} ({cell['q1']:g} to {cell['q3']:g}), n = {cell['n']:g}")
            numbers |= {f"{arm}_{s}": value for s, value in cell.items()}
        p = n("flow", role, "difference", "", "mann-whitney", statistic="p")
        display.append(row | {"p (Mann-Whitney)": fmt.p_value(p)})
        data.append(numbers | {"p": p})
    levels = frame.loc[frame["variable"].str.startswith("preference: "), "variable"].unique()
    for variable in levels:
        row, numbers = {"": f"Preferred: {variable.removeprefix('preference: ')}"}, {
            "variable": variable}
        for arm in trial.arms:
            k, percent = (n("flow", variable, arm, statistic=s) for s in ("n", "percent"))
            row[_heading(arm, trial.n(arm))] = f"{k:g} ({percent:.1f}%)"
            numbers |= {f"{arm}_n": k, f"{arm}_percent": percent}
        display.append(row | {"p (Mann-Whitney)": ""})
        data.append(numbers)
    if not display:
        return None
    return Table(
        "attendance", "Attendance, credibility and preference", pd.DataFrame(display),
        pd.DataFrame(data),
        notes=("Quartiles by the weighted-average rule (SPSS; Hyndman-Fan type 6). "
               "Preference as percent of those who answered.",),
        synthetic=trial.synthetic,
    )



def outline_table(trial: Trial) -> Table | None:
    """The interventions session by session, as ``about: interventions`` declares them."""
    declared = trial.about.get("interventions")
    if not declared:
        return None
    frame = pd.DataFrame(declared).astype(str)
    return Table("interventions", "The interventions, session by session", frame, frame,
                 synthetic=trial.synthetic)


def later_visits(trial: Trial) -> tuple[str, ...]:
    """The primary outcome's visits after the reference visit."""
    return tuple(visit for visit in trial.primary.visits if visit != trial.reference)


def alt(trial: Trial, frame: pd.DataFrame) -> str:
    """The flow diagram in words."""
    n = Lookup(frame)
    parts = []
    for arm in trial.arms:
        seen = ", ".join(
            f"{n('flow', 'retained', arm, visit, statistic='n'):g} seen at {visit}"
            for visit in later_visits(trial))
        used = n("flow", f"analysed: {trial.primary.name}", arm, statistic="n")
        parts.append(f"{arm}: {trial.n(arm)} allocated, {seen}, {used:g} analysed.")
    return "CONSORT flow diagram. " + arithmetic(trial, frame) + " " + " ".join(parts)


def not_reported(trial: Trial) -> str:
    """What the trial's report leaves open, as ``about: not_reported`` lists it."""
    declared = trial.about.get("not_reported")
    if declared:
        return "Not reported in the source: " + ", ".join(map(str, declared)) + "."
    return ("Not read by this report, and to be added by hand: harms, recruitment rate, fidelity "
            "of delivery, and the criteria for going on to a larger trial.")
