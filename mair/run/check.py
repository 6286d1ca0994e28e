"""``make check``: a trial file read and validated, and what it would have analysed."""

from pathlib import Path

from mair.run.locked import planned
from mair.trial import Trial, load


def lines(trial: Trial) -> list[str]:
    """What would be analysed, one line a thing.

    Parameters
    ----------
    trial : Trial

    Returns
    -------
    list of str
        Notices, then arms with n, the visits of each outcome with n seen by arm, covariates,
        and the model.
    """
    chosen = trial.analysis
    said = [f"notice: {notice}" for notice in trial.told]
    said.append(f"trial: {trial.title}" + (" (SYNTHETIC)" if trial.synthetic else ""))
    said += [f"arm: {arm}, {trial.labels[arm]}, n = {trial.n(arm)}" for arm in trial.arms]
    for name in (*trial.outcomes, *trial.biomarkers):
        variable = trial.variable(name)
        primary = ", primary" if name == trial.primary.name else ""
        said.append(f"{variable.section}: {name}{primary}")
        if trial.has_data:
            seen = trial.seen(name).groupby(trial.arm).sum()
            said += [f"  {visit}: " + ", ".join(f"{arm} {seen.loc[arm, visit]} of {trial.n(arm)}"
                                                for arm in trial.arms) for visit in seen]
    said.append(f"covariates: {', '.join(one.name for one in trial.covariates) or 'none'}")
    said.append(f"missing scores: {chosen.missing}")
    if trial.declares("responders"):
        said.append(f"missing responders: {chosen.responder_missing}, "
                    f"interval {chosen.risk_interval}")
    said.append(f"model: {chosen.estimator}, {chosen.covariance}, {chosen.variance} variance, "
                f"{chosen.inference}, "
                f"{100 * chosen.confidence:g} % intervals")
    return said


def main(params: Path | str) -> None:
    """Print what a trial file would have analysed; a TrialError says what is wrong with it."""
    print(*lines(planned(load(params))), sep="\n")
