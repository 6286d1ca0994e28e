"""``make size``: true size and coverage of each inference at a trial's own number of people."""

from pathlib import Path

from mair.report import curves, figure, frames_appendix, show, table, tables_appendix
from mair.run import plan
from mair.run.output import Build
from mair.sections import size
from mair.stats.simulated import binomial_limits
from mair.studies import pool
from mair.trial import Trial, load
from mair.trial.errors import TrialError, display

TRIALS, DRAWN = 20_000, 4000  # fixed beforehand: trials of each truth, and those re-randomised


def rows(trial: Trial, trials: int = TRIALS, drawn: int = DRAWN, processes: int = -1):
    """Rates of a trial's inferences: rows of `mair.sections.size.rates`.

    Raises
    ------
    ValueError
        Nothing of the primary outcome can be tested.
    """
    held = size.setting(trial)
    sums = pool.summed(size.block, [(held, truth) for truth in held.sigma],
                       size.blocks(trials, drawn), processes)
    counts = {truth: total for truth, (total, _) in zip(held.sigma, sums, strict=True)}
    return size.rates(held, counts, trials, drawn)


def main(params: str, out: str | None = None) -> None:
    """Simulate, print the table, and write it and the figure into a directory."""
    path = plan.find(params)
    build, trial = Build(Path(out) if out else Path("build") / f"{path.stem}-size"), load(path)
    if not trial.has_data:
        raise TrialError([f"{display(path)}: names no data; expected a trial whose scores say how "
                          "large their variances are"])
    try:
        found = rows(trial)
    except ValueError as error:
        raise TrialError([f"{display(path)}: {trial.primary.name} cannot be simulated: "
                          f"{error}"]) from None
    written(build, trial, path, [tables_appendix.size(trial, found)], *drawn(trial, found),
            synthetic=trial.synthetic)


def drawn(trial, found):
    """The figure and its text: type I error by truth and visit, and what chance allows."""
    frame, alpha = frames_appendix.sizes(trial, found), 1 - trial.analysis.confidence
    said = "; ".join(f"{method} {part['rate'].min():.1f} to {part['rate'].max():.1f}"
                     for method, part in frame.groupby("method", sort=False))
    axes = curves.rates(frame, value=100 * alpha, xlabel="Type I error (%)", band=tuple(
        100 * x for x in binomial_limits(TRIALS, alpha)))
    return axes, f"Type I error in percent, smallest to largest: {said}."


def written(build: Build, trial: Trial, path: Path, tables, axes, alt, *, synthetic: bool) -> None:
    """Print tables; write them and the first one's figure, whole, for an earlier output."""
    print(*(table.plain(one, synthetic) for one in tables), sep="\n\n")
    with build.alone(print), build.staging() as folder:
        whole = folder / "whole"
        (whole / "figures").mkdir(parents=True)
        for one in tables:
            show.write(one, whole, synthetic, trial)
        for suffix, content in figure.render(axes, name := tables[0].name, alt, synthetic).items():
            (whole / "figures" / f"{name}.{suffix}").write_bytes(content)
        build.write_manifest(whole, {"parameters": {"trial": display(path)},
                                     "seed": trial.analysis.seed})
        build.swap(whole)
    print(display(build.out))
