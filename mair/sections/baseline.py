"""Baseline characteristics by arm, the tests a paper may print, and standardised differences."""

import numpy as np
import pandas as pd

from mair.results import Rows
from mair.sections import arms
from mair.stats import effects, reliability, tests
from mair.trial import Feature, Trial

CONTINUOUS = {"student": tests.student, "welch": tests.welch,
              "levene-switched": tests.levene_switched}
COUNTS = {"pearson": tests.pearson, "yates": tests.yates, "fisher": tests.fisher}


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
        known = feature.values.dropna()
        samples = arms.split(trial, known)
        samples["overall"] = pd.concat(samples.values())  # one arm after the other
        describe = _continuous if feature.kind == "continuous" else _levels
        found, smd = describe(feature, samples, trial, out)
        for method, test in found.items():
            out.add(feature.name, "difference", "", method, p=test.p)
        out.add(feature.name, "difference", "", "smd", **arms.interval("smd", smd))
    for name, items in trial.items.items():
        _reliability(trial, name, items.dropna(), out)
    return out.frame()


def _reliability(trial: Trial, name: str, items: pd.DataFrame, out: Rows) -> None:
    """How well the items of a scale agree at the first visit, in all who answered each."""
    rng, confidence = np.random.default_rng(trial.analysis.seed), trial.analysis.confidence
    for method, found in (("alpha", reliability.alpha(items, confidence=confidence)),
                          ("omega", reliability.omega(items, rng=rng, confidence=confidence))):
        out.add(name, "overall", trial.reference, method, analysis="reliability", n=len(items),
                items=items.shape[1], **arms.interval("estimate", found))


def labels(feature: Feature) -> dict[str, str]:
    """The variable in ``results.csv`` of each level that a binary or categorical row counts."""
    if feature.kind == "binary":
        return {feature.level: feature.name}
    return {level: f"{feature.name}: {level}" for level in feature.levels}


def _continuous(feature: Feature, samples: dict, trial: Trial, out: Rows):
    """Mean and SD by arm; the tests and the standardised difference, treatment minus control."""
    for arm, sample in samples.items():
        out.add(feature.name, arm, n=len(sample), mean=sample.mean(), sd=sample.std(ddof=1))
    pair = samples[trial.treatment], samples[trial.control]
    smd = effects.smd_continuous(*pair, confidence=trial.analysis.confidence)
    return {method: test(*pair) for method, test in CONTINUOUS.items()}, smd


def _levels(feature: Feature, samples: dict, trial: Trial, out: Rows):
    """Counts of each level by arm; the tests and the standardised difference."""
    counts = {arm: {level: int((s == level).sum()) for level in feature.levels}
              for arm, s in samples.items()}
    for level, label in labels(feature).items():
        for arm, of in counts.items():
            known = sum(of.values())
            out.add(label, arm, n=of[level], n_known=known,
                    percent=100 * of[level] / known if known else None)
    pair = counts[trial.treatment], counts[trial.control]
    table = [list(of.values()) for of in pair]
    binary = feature.kind == "binary"
    sizes = [(of[feature.level], sum(of.values())) for of in pair] if binary else table
    smd = (effects.smd_binary if binary else effects.smd_levels)(
        *sizes, confidence=trial.analysis.confidence)
    return {method: test(table) for method, test in COUNTS.items()}, smd
