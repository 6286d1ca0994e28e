"""Baseline characteristics by arm, the tests the paper printed, and standardised differences."""

from __future__ import annotations

import numpy as np
import pandas as pd

from mair.report import fmt
from mair.report.tables import Table
from mair.results import Lookup, Rows
from mair.stats import effects, tests
from mair.trial import Feature, Trial


def rows(trial: Trial) -> pd.DataFrame:
    """Every statistic of the analysis ``baseline``.

    Parameters
    ----------
    trial : Trial

    Returns
    -------
    DataFrame
        Columns of ``results.csv``.
    """
    out = Rows("baseline")
    for feature in trial.baseline:
        if feature.kind == "continuous":
            _continuous(trial, feature, out)
        else:
            _levels(trial, feature, out)
    return out.frame()


def _samples(trial: Trial, feature: Feature) -> dict[str, pd.Series]:
    """Known values by arm."""
    known = feature.values.dropna()
    return {arm: known[trial.arm[known.index] == arm] for arm in trial.arms}


def _continuous(trial: Trial, feature: Feature, out: Rows) -> None:
    samples = {arm: s.to_numpy(float) for arm, s in _samples(trial, feature).items()}
    for arm, sample in {**samples, "overall": np.concatenate(list(samples.values()))}.items():
        out.add(feature.name, arm, n=len(sample),
                mean=sample.mean() if len(sample) else None,
                sd=sample.std(ddof=1) if len(sample) > 1 else None)
    treated, control = samples[trial.treatment], samples[trial.control]
    for method, test in (("student", tests.student), ("welch", tests.welch),
                         ("levene-switched", tests.levene_switched)):
        out.add(feature.name, "difference", "", method, p=test(treated, control).p)
    smd = effects.smd_continuous(treated, control, confidence=trial.analysis.confidence)
    out.add(feature.name, "difference", "", "smd",
            smd=smd.estimate, ci_low=smd.low, ci_high=smd.high)


def _levels(trial: Trial, feature: Feature, out: Rows) -> None:
    samples = _samples(trial, feature)
    counts = {arm: [int((s == level).sum()) for level in feature.levels]
              for arm, s in samples.items()}
    counts["overall"] = [sum(pair) for pair in zip(*counts.values(), strict=True)]
    for i, level in enumerate(feature.levels):
        if feature.kind == "binary" and level != feature.level:
            continue
        label = feature.name if feature.kind == "binary" else f"{feature.name}: {level}"
        for arm, of_arm in counts.items():
            known = sum(of_arm)
            out.add(label, arm, n=of_arm[i], n_known=known,
                    percent=100 * of_arm[i] / known if known else None)
    table = [counts[trial.treatment], counts[trial.control]]
    for method, test in (("pearson", tests.pearson), ("yates", tests.yates),
                         ("fisher", tests.fisher)):
        out.add(feature.name, "difference", "", method, p=test(table).p)
    smd = _smd(feature, table, trial.analysis.confidence)
    out.add(feature.name, "difference", "", "smd",
            smd=smd.estimate, ci_low=smd.low, ci_high=smd.high)


def _smd(feature: Feature, table: list[list[int]], confidence: float):
    """The standardised difference of a binary or categorical feature."""
    if feature.kind == "binary":
        i = feature.levels.index(feature.level)
        return effects.smd_binary((table[0][i], sum(table[0])), (table[1][i], sum(table[1])),
                                  confidence=confidence)
    return effects.smd_levels(table[0], table[1], confidence=confidence)


TESTS = {"continuous": ("student", "welch", "levene-switched"),
         "binary": ("pearson", "yates", "fisher"), "categorical": ("pearson", "yates", "fisher")}


def table(trial: Trial, frame: pd.DataFrame) -> Table:
    """Table 1 of a trial: each characteristic by arm, with the standardised difference.

    No p value stands here, as CONSORT advises; `tests_table` holds them.
    """
    n = Lookup(frame)
    arms = (*trial.arms, "overall")
    headings = {arm: f"{arm} (n = {trial.n(arm)})" for arm in trial.arms}
    headings["overall"] = f"Overall (n = {trial.n()})"
    display, data = [], []

    def add(stub, cells, numbers, smd=None):
        shown = fmt.estimate(smd["smd"], smd["ci_low"], smd["ci_high"]) if smd else ""
        display.append({"Characteristic": stub, **cells, "SMD (95% CI)".replace(
            "95", f"{100 * trial.analysis.confidence:g}"): shown})
        data.append({**numbers, **(smd or {})})

    for feature in trial.baseline:
        smd = {s: n("baseline", feature.name, "difference", "", "smd", statistic=s)
               for s in ("smd", "ci_low", "ci_high")}
        missing = int(feature.values.isna().sum())
        unknown = f", {missing} unknown" if missing else ""
        if feature.kind == "continuous":
            cell = {arm: {s: n("baseline", feature.name, arm, statistic=s)
                          for s in ("n", "mean", "sd")} for arm in arms}
            add(f"{feature.label}, mean (SD){unknown}",
                {headings[a]: fmt.mean_sd(c["mean"], c["sd"]) for a, c in cell.items()},
                {"variable": feature.name,
                 **{f"{a}_{s}": v for a, c in cell.items() for s, v in c.items()}}, smd)
            continue
        shown = [feature.level] if feature.kind == "binary" else feature.levels
        if feature.kind == "categorical":
            add(f"{feature.label}, n (%){unknown}", dict.fromkeys(headings.values(), ""),
                {"variable": feature.name}, smd)
        for level in shown:
            own = feature.name if feature.kind == "binary" else f"{feature.name}: {level}"
            cell = {arm: {s: n("baseline", own, arm, statistic=s)
                          for s in ("n", "n_known", "percent")} for arm in arms}
            stub = (f"{feature.label}, n (%){unknown}" if feature.kind == "binary"
                    else f"\u2003{level}")
            add(stub, {headings[a]: fmt.count(c["n"], c["percent"]) for a, c in cell.items()},
                {"variable": own, **{f"{a}_{s}": v for a, c in cell.items()
                                     for s, v in c.items()}},
                smd if feature.kind == "binary" else None)
    return Table(
        "baseline", "Baseline characteristics by arm", pd.DataFrame(display).fillna(""),
        pd.DataFrame(data),
        notes=("SMD: standardised mean difference, treatment minus control; for several levels "
               "the Mahalanobis distance (Yang and Dalton). A constant row has none.",),
        synthetic=trial.synthetic,
    )


def tests_table(trial: Trial, frame: pd.DataFrame) -> Table:
    """The p values behind a printed baseline table, each under its own name."""
    n = Lookup(frame)
    display, data = [], []
    for feature in trial.baseline:
        found = {m: n("baseline", feature.name, "difference", "", m, statistic="p")
                 for m in TESTS[feature.kind]}
        columns = dict(zip(("first", "second", "third"), found.values(), strict=True))
        label = "t" if feature.kind == "continuous" else "counts"
        display.append({"Characteristic": feature.label, "Tests": label,
                        "Student / Pearson": fmt.p_value(columns["first"]),
                        "Welch / Yates": fmt.p_value(columns["second"]),
                        "Levene-switched / Fisher": fmt.p_value(columns["third"])})
        data.append({"variable": feature.name, "kind": feature.kind, **found})
    return Table(
        "baseline_tests", "Baseline tests, as a check on printed p values only",
        pd.DataFrame(display), pd.DataFrame(data),
        notes=("Student and Welch t; Levene (centred on the mean) chooses between them at 0.05. "
               "Pearson without continuity correction, Yates for 2 x 2 only, Fisher exact "
               "(Freeman-Halton for more levels). A constant row is not estimable.",),
        synthetic=trial.synthetic,
    )


def chance(trial: Trial) -> effects.ChanceSMD:
    """What randomisation alone gives as absolute SMD at these arm sizes."""
    return effects.chance_smd(trial.n(trial.treatment), trial.n(trial.control))


def smd_frame(trial: Trial, frame: pd.DataFrame) -> pd.DataFrame:
    """SMDs for a love plot: ``label``, ``smd``, ``low``, ``high``, estimable ones only."""
    own = frame[(frame["method"] == "smd")].pivot(
        index="variable", columns="statistic", values="value")
    labels = {feature.name: feature.label for feature in trial.baseline}
    own = own.reindex(list(labels)).astype(float).dropna()
    return pd.DataFrame({"label": [labels[name] for name in own.index], "smd": own["smd"],
                         "low": own["ci_low"], "high": own["ci_high"]}).reset_index(drop=True)


def chance_sentence(trial: Trial, frame: pd.DataFrame) -> str:
    """What chance alone gives, and how many rows lie beyond it."""
    expected = chance(trial)
    own = smd_frame(trial, frame)
    beyond = own[own["smd"].abs() > expected.bound]
    named = f" ({', '.join(beyond['label'])})" if len(beyond) else ""
    return (
        f"With {trial.n(trial.control)} and {trial.n(trial.treatment)} people, chance alone gives "
        f"an average absolute difference of {expected.expected:.2f} SD and exceeds "
        f"{expected.bound:.2f} once in twenty times. Of {len(own)} estimable rows {len(beyond)} "
        f"lie beyond that{named}."
    )


def alt(trial: Trial, frame: pd.DataFrame) -> str:
    """The love plot in words."""
    own = smd_frame(trial, frame).sort_values("smd")
    if own.empty:
        return "No standardised mean difference is estimable."
    low, high = own.iloc[0], own.iloc[-1]
    return (f"Standardised mean differences at baseline, {trial.treatment} minus {trial.control}, "
            f"from {low['smd']:.2f} ({low['label']}) to {high['smd']:.2f} ({high['label']}), with "
            f"the band of plus or minus {chance(trial).bound:.2f} that chance alone gives.")
