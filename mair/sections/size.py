"""Does an inference hold at this trial's size? Its true error and coverage, by simulation.

Trials like this one are drawn without a Group x Time effect: the arms' sizes, covariates and who
was seen when are as they were, scores are normal with the covariance that the trial's own data
give, and every inference on offer tests each later visit.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd
import scipy  # scipy.stats is loaded where it is first used

from mair.results import Rows
from mair.sections import analysis as estimates
from mair.sections import model as models
from mair.stats import operating
from mair.stats.smallsample import INFERENCES
from mair.trial import Trial, remembered

BLOCK = 250  # trials to a random stream
ALLOCATIONS = 199  # redrawn a trial: (1 + 199) x 5% is whole, so the test is exact at 5%
REDRAWN = "rerandomisation/random-intercept"
LEVEL = 0.95  # of the exact limits of a rate
TRUTHS = ("declared", "by-arm")


class Setting(NamedTuple):
    """What is held of a trial.

    ``X`` (N, p), ``groups``, ``visits`` (N,) the declared model's; ``arm``, ``strata`` (n,) by
    participant; ``contrasts`` visit -> (p,); ``common``, ``by_arm`` (N, .) the design of
    re-randomisation; ``offered`` covariance structures, the declared one first, as the trial's own
    data let them be fitted; ``sigma`` truth -> (2, k, k), as declared and each arm's own;
    ``alpha``, ``seed``.
    """

    X: np.ndarray
    groups: np.ndarray
    visits: np.ndarray
    arm: np.ndarray
    strata: np.ndarray | None
    contrasts: dict[str, np.ndarray]
    common: np.ndarray
    by_arm: np.ndarray
    offered: tuple[str, ...]
    sigma: dict[str, np.ndarray]
    alpha: float
    seed: int

    @property
    def methods(self) -> list[str]:
        """As in ``results.csv``."""
        return [*(f"{one}/{how}" for one in self.offered for how in INFERENCES), REDRAWN]


def setting(trial: Trial) -> Setting:
    """What is held of a trial's primary outcome.

    Raises
    ------
    ValueError
        No contrast of a later visit, or no estimate of the declared covariance.
    """
    name, chosen = trial.primary.name, trial.analysis
    clda = chosen.estimator == "clda"
    design = models.build(trial, name, clda)
    if not design.contrasts:
        raise ValueError("the primary outcome has no change between the arms to test")
    asked = dict.fromkeys(((chosen.covariance, chosen.variance == "by-arm"),
                           ("random-intercept", False), ("unstructured", False),
                           ("unstructured", True)))
    fits = [estimates.fit(trial, name, one, clda, True, by_arm) for one, by_arm in asked]
    first = np.unique(design.groups, return_index=True)[1]
    arm = (design.rows["arm"].to_numpy()[first] == trial.treatment).astype(int)
    strata = models.strata(trial, design.rows["participant"].to_numpy()[first])
    sigma = {truth: np.broadcast_to(one.sigma, (2, *one.sigma.shape[-2:]))
             for truth, one in zip(TRUTHS, (fits[0], fits[-1]), strict=True)
             if one.converged and (truth == "declared" or one.by_arm)
             and np.linalg.eigvalsh(one.sigma).min() > 0}
    if "declared" not in sigma:
        raise ValueError(fits[0].fallback or "the covariance of the scores is singular")
    offered = dict.fromkeys(f"{one.structure}{estimates.BY_ARM * one.by_arm}"
                            for one in fits if one.converged)
    return Setting(design.X, design.groups, design.visits, arm, strata, design.contrasts,
                   *models.held(design, design.contrasts), tuple(offered), sigma,
                   1 - chosen.confidence, chosen.seed)


def block(held: Setting, truth: str, number: int, count: int, drawn: int = 0) -> np.ndarray:
    """Trials of one random stream.

    Parameters
    ----------
    held : Setting
    truth : str
        Key of ``held.sigma``.
    number : int
        Of the stream.
    count, drawn : int
        Trials, and how many of them are re-randomised.

    Returns
    -------
    ndarray of int, shape (methods, visits, 3)
        Rejected, covered, without a result.
    """
    rng = np.random.default_rng(np.random.SeedSequence(
        held.seed, spawn_key=(list(held.sigma).index(truth), number)))
    y = operating.responses(rng, held.sigma[truth], held.arm, held.groups, held.visits, count)
    L = np.array(list(held.contrasts.values()))
    found = operating.inferences(y, held.X, held.groups, held.visits, held.arm, L, held.offered,
                                 confidence=1 - held.alpha)
    out = np.zeros((len(held.methods), len(L), 3), int)
    out[:-1] = [operating.tallied(one) for one in found.values()]
    p = operating.rerandomised(y[:drawn], held.common, held.by_arm, held.groups, held.arm,
                               held.strata, draws=ALLOCATIONS, rng=rng)
    reject, none = p <= held.alpha + 1e-12, np.isnan(p)
    out[-1] = np.transpose([part.sum(0) for part in (reject, ~reject & ~none, none)])
    return out


def rates(held: Setting, counts: dict[str, np.ndarray], trials: int, drawn: int) -> pd.DataFrame:
    """Counts as rates with exact limits.

    Parameters
    ----------
    held : Setting
    counts : dict of truth to ndarray
        Sums over `block`.
    trials, drawn : int
        Trials of each truth, and those re-randomised.

    Returns
    -------
    DataFrame
        Columns of ``results.csv``: under `scenario`, by visit and method, ``type1 coverage``,
        each with ``_low`` and ``_high`` (`LEVEL`, two-sided), ``simulations``, ``failed``.
    """
    out = Rows("power")
    for truth, total in counts.items():
        for method, by_visit in zip(held.methods, total, strict=True):
            n = drawn if method == REDRAWN else trials
            for visit, (rejected, covered, failed) in zip(
                    held.contrasts if n else (), by_visit, strict=False):
                found = {}
                for name, count in (("type1", rejected), ("coverage", covered)):
                    low, high = scipy.stats.binomtest(count, n).proportion_ci(LEVEL)
                    found |= {name: count / n, f"{name}_low": low, f"{name}_high": high}
                out.add(scenario(truth), "difference", visit, method, **found, simulations=n,
                        failed=failed)
    return out.frame()


def scenario(truth: str) -> str:
    """A truth as the variable of its rows."""
    return f"this trial, covariance {truth}"


def blocks(trials: int, drawn: int) -> list[tuple[int, int, int]]:
    """Number, trials and re-randomised trials of each random stream; the latter spread evenly."""
    starts = range(0, trials, BLOCK)
    return [(number, min(BLOCK, trials - at), -(-drawn * min(at + BLOCK, trials) // trials)
             - -(-drawn * at // trials)) for number, at in enumerate(starts)]


@remembered
def of(trial: Trial, whole: bool = True) -> pd.DataFrame:
    """`rates` of a tenth as many trials as ``draws``, none re-randomised.

    Parameters
    ----------
    trial : Trial
    whole : bool
        False: only the declared covariance, of which the same trials are drawn.

    Returns
    -------
    DataFrame
        Empty where nothing of the primary outcome can be tested.
    """
    try:
        held = setting(trial)
    except ValueError:
        return Rows("power").frame()
    if not whole:
        held = held._replace(offered=held.offered[:1], sigma={"declared": held.sigma["declared"]})
    trials = max(1, trial.analysis.draws // 10)
    return rates(held, {truth: sum(block(held, truth, *one) for one in blocks(trials, 0))
                        for truth in held.sigma}, trials, 0)
