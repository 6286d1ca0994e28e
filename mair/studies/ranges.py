"""The extremes of unprinted statistics over cohorts that agree with the paper.

Three kinds of cohorts: the committed one, those of further seeds, and cohorts whose people were
paired over visits anew, at random, and repaired until everything printed is printed. From the
committed one and from the most extreme of the other two each statistic of `targets` is pushed
down and up (`mair.studies.extremes`); every statistic of every cohort met is then computed as a
run computes it. The plan stands in ``mair/data/provenance.yaml``; `mair.published.provenance`
reads the result.
"""

import functools
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import yaml

from mair.results import KEYS, Rows
from mair.sections import analysis, measures, nnt, power, robustness
from mair.sections import rows as sections
from mair.studies import cohort, pool
from mair.studies.agreeing import Paper
from mair.studies.cohort import plausible
from mair.studies.extremes import Windows, climb
from mair.trial import Trial, load
from mair.trial.errors import declared


def targets(trial: Trial, name: str) -> list[tuple]:
    """Keys of what is pushed to its extremes, of one outcome.

    Of every outcome the small-sample p, errors and limits; of the primary one the robustness
    grid, the responder curve, the SD of change and the correlations.
    """
    plan, later, found = declared("provenance")["search"], measures.later(trial, name), []
    for (kind, methods), visit in product(plan["methods"].items(), later):
        section = "robustness" if kind != "small" else "outcomes"
        if section == "outcomes" or name == trial.primary.name:
            found += [(section, name, "difference", visit, method, s)
                      for method, s in product(methods, plan["statistics"][kind])]
    if name == trial.primary.name:
        visit = trial.reductions["visit"]
        found += [("nnt", f"{name} >={share}%", arm, visit, "completers", "percent")
                  for share, arm in product(plan["curve"], trial.arms)]
        found += [("reconstruction", name, arm, f"{a}, {b}", "pearson", "r") for arm, (a, b) in
                  product(trial.arms, zip(trial.visits, trial.visits[1:], strict=False))]
        found += [("power", f"{name}, next trial", "overall", "", "observed", "sd")]
    return found


def statistic(paper: Paper, key: tuple):
    """What a key means of score tables (B, n, k) of an outcome: a function giving (B,)."""
    section, _, arm, visit, method, name = key

    def responding(x):  # with a slope to climb where nobody crosses
        share = float(key[1].partition(">=")[2].rstrip("%")) / 100
        gain = paper.of_arm(paper.gained(x * paper.step), paper.trial.arms.index(arm))
        known = np.isfinite(gain)
        near = 1 / (1 + np.exp(np.clip((share - gain) / 0.02, -50, 50)))
        return 100 * ((gain >= share - 1e-9) + 0.1 * near).sum(1) / known.sum(1)

    def change(x):
        parts = [own[:, :, 1] - own[:, :, 0] for a in (0, 1) for own in [
            x[:, (paper.arm == a) & paper.seen[:, :2].all(1)] * paper.step]]
        df = sum(part.shape[1] - 1 for part in parts)
        return np.sqrt(sum(part.var(1) * part.shape[1] for part in parts) / df)

    def correlated(x):
        y = paper.of_arm(x, paper.trial.arms.index(arm), paper.seen.all(1))
        y = y[..., [paper.visits.index(one) for one in visit.split(", ")]]
        y = y - y.mean(1, keepdims=True)
        return y.prod(2).sum(1) / np.sqrt((y**2).sum(1).prod(1))

    special = {"nnt": responding, "power": change, "reconstruction": correlated}
    return special.get(section, lambda x: paper.contrasts(x, method)[
        "", paper.name, "difference", visit][name])


@functools.lru_cache(maxsize=8)
def _trial(path: str, file: Path) -> Trial:
    with TemporaryDirectory() as folder:
        own = Path(folder) / "cohort.yaml"
        own.write_text(yaml.safe_dump({"extends": path, "data": str(file)}), encoding="utf-8")
        return load(own)


@functools.lru_cache(maxsize=64)
def _paper(path: str, file: Path, name: str) -> Paper:
    return Paper(_trial(path, file), name)


def shuffled(path: str, file: Path, name: str, number: int):
    """A cohort of another generator: who has which score of a visit drawn anew, then repaired;
    None where it cannot be."""
    paper, plan = _paper(path, file, name), declared("provenance")["search"]
    windows, x = Windows.of(paper, paper.start), paper.start.copy()
    rng = pool.stream(plan["seed"], 0, number)
    for who, t in product(paper.groups, range(x.shape[1])):
        x[who, t] = rng.permutation(x[who, t])
    x, left = climb(rng, paper, x, None, 1, windows, plan["repair"], plan["repair"])
    return None if left else x


def begun(path: str, file: Path, again=None) -> dict[tuple, list[float]]:
    """Values of every statistic of `targets` at a cohort's scores, by outcome and generator; the
    primary outcome's third generator is its table ``again``, as `shuffled` gives it."""
    trial, out = load(path), {}
    for name in trial.outcomes:
        paper, keys = _paper(path, file, name), targets(trial, name)
        tables = [paper.start, *([again] if again is not None and name == trial.primary.name
                                 else [])]
        for x in tables:
            out[name, x is again] = [float(statistic(paper, key)(x[None])[0]) for key in keys]
    return out


def extreme(path: str, name: str, key: tuple, sign: int, starts: list, place: tuple):
    """The most extreme of some climbs: its value, and the rows of its cohort, where it is wide.

    ``starts``: of each generator the (file, table or None for the file's own) to begin at.
    """
    plan, found = declared("provenance")["search"], []
    for number, (file, x) in enumerate(starts):
        paper = _paper(path, file, name)
        goal, rng = statistic(paper, key), pool.stream(plan["seed"], *place, number)
        x, _ = climb(rng, paper, paper.start if x is None else x, goal, sign,
                     Windows.of(paper, paper.start), plan["rounds"])
        found.append((sign * float(goal(x[None])[0]), file, x))
    value, file, x = max(found, key=lambda one: one[0])
    wide = key[4] not in (*plan["methods"]["narrow"], *plan["methods"]["small"])
    return sign * value, computed(path, file, name, x) if wide else None


def computed(path: str, file: Path, name: str = "", x=None) -> pd.DataFrame:
    """The rows of a cohort as a run computes them; of one outcome, where its scores are given."""
    trial = _trial(path, file)
    if not name:
        frames = [sections.rows(trial), robustness.rows(trial),
                  plausible.rows(trial, cohort.specification())]
        names = list(trial.outcomes)
    else:
        scores = {**trial._scores, name: _paper(path, file, name).frame(x)}
        trial = replace(trial, outcomes={name: trial.outcomes[name]}, biomarkers={},
                        _scores=scores, _memo={})
        frames, names = [measures.rows(trial, "outcomes")], [name]
        frames[0] = frames[0][frames[0]["statistic"] != "q"]
        if trial.primary.primary:
            frames += [nnt.rows(trial), robustness.rows(trial, quick=True),
                       plausible.rows(trial, cohort.specification())]
    out = pd.concat([*frames, more(trial, names)], ignore_index=True)
    return out.drop_duplicates(KEYS).astype({"value": float})


def more(trial: Trial, names: list[str]) -> pd.DataFrame:
    """Small-sample contrasts; of the primary outcome the curve's points and the next trial."""
    out, plan = Rows("power"), declared("provenance")["search"]
    for name in names:
        one = analysis.analyse(
            trial, name, covariance="random-intercept", variance="common", missing="observed",
            inference="kenward-roger", estimator="difference")
        for visit, c in one.contrasts.items():
            out.add(name, "difference", visit, one.method, analysis="outcomes",
                    **analysis.statistics(c))
    if trial.primary.primary:
        gained, name = nnt.improvements(trial).dropna(), trial.primary.name
        for share, arm in product(plan["curve"], trial.arms):
            own = gained[trial.arm[gained.index] == arm]
            out.add(f"{name} >={share}%", arm, trial.reductions["visit"],
                    "completers", analysis="nnt",
                    percent=100 * float((own >= share / 100 - 1e-9).mean()))
        power.next_trial(trial, out)
    return out.frame()


def ranges(path: str | Path, files: list[Path], *, processes: int = -1) -> pd.DataFrame:
    """Lowest and highest value of every statistic, and whether its extremes were searched for.

    Parameters
    ----------
    path : path
        The trial file; its own data are the committed cohort.
    files : list of Path
        Cohorts of further seeds.
    processes : int
        As for `mair.studies.pool.each`.

    Returns
    -------
    DataFrame
        `KEYS`, ``low``, ``high``, ``searched``: 1 also where a statistic was in every cohort what
        a searched one was.
    """
    path, first = str(Path(path).resolve()), load(path).data_path
    files = [first, *(Path(file).resolve() for file in files)]
    name, most = load(path).primary.name, declared("provenance")["search"]["shuffled"]
    again = list(pool.each(shuffled, [(path, file, name, k) for k, file in
                                      enumerate(files[:most])], processes))
    again += [None] * (len(files) - len(again))
    frames = list(pool.each(computed, [(path, file) for file in files], processes))
    values = list(pool.each(begun, [(path, *one) for one in zip(files, again, strict=True)],
                            processes))
    tasks = climbs(path, files, again, values)
    return united(frames, tasks, list(pool.each(extreme, tasks, processes)))


def climbs(path: str, files: list[Path], again: list, values: list[dict]) -> list[tuple]:
    """Tasks for `extreme`, each from the committed cohort and from the most extreme of the other
    seeds and of the repaired ones; ``again`` and ``values`` of each file as `shuffled` and
    `begun` give them."""
    trial, out = load(path), []
    for number, name in enumerate(trial.outcomes, 1):
        own = [(one[name, False], file, None) for one, file in zip(values, files, strict=True)]
        anew = [(one[name, True], file, x) for one, file, x in
                zip(values, files, again, strict=True) if (name, True) in one]
        generators = [some for some in (own[:1], own[1:], anew) if some]
        for (k, key), sign in product(enumerate(targets(trial, name)), (-1, 1)):
            starts = [max(some, key=lambda one: sign * one[0][k])[1:] for some in generators]
            out.append((path, name, key, sign, starts, (number, k, 1 + (sign > 0))))
    return out


def united(frames: list[pd.DataFrame], tasks: list[tuple], found: list[tuple]) -> pd.DataFrame:
    """The extremes over rows of whole cohorts, over the values found by tasks of `extreme`, and
    over the rows that came with them. A statistic that is in all whole cohorts what a searched
    one is shares its extremes.
    """
    full, own = len(frames), {}
    for (_, _, key, *_), (value, rows) in zip(tasks, found, strict=True):
        own.setdefault(key, []).extend([value] if key[0] != "nnt" else [])  # that has a slope
        frames = frames if rows is None else [*frames, rows]
    table = pd.concat([frame.set_index(KEYS)["value"].rename(k) for k, frame in enumerate(frames)],
                      axis=1)
    whole = table.iloc[:, :full].round(9).fillna(np.inf)
    twin = {(key[1:4], key[5], tuple(whole.loc[key])): values for key, values in own.items()
            if key in whole.index}
    pushed = [own.get(key, twin.get((key[1:4], key[5], tuple(values)))) for key, values in
              zip(whole.index, whole.to_numpy().tolist(), strict=True)]
    searched = pd.DataFrame([values or [] for values in pushed], index=table.index, dtype=float)
    both = pd.concat([table, searched], axis=1)
    out = pd.DataFrame({"low": both.min(axis=1), "high": both.max(axis=1),
                        "searched": [int(values is not None) for values in pushed]})
    return out[(out["low"] < out["high"]) | (out["searched"] == 1)].reset_index()
