"""A synthetic cohort that agrees with every printed number it can.

No individual data of the trial were ever published. `generate` makes people who, when really
analysed, give back printed means, SDs, counts, coefficients, limits, z and p values. It is one
of very many such data sets: agreement is by construction and says nothing about the original
data, and what no printed number pins down belongs to the generator.

The order: `crew` chooses the covariate vector that all models share; `unpinned` the scores that
no printed moment covers, and the two sums the completers have to meet; `integers` the cells;
`pairing` who has which value; `blood` the biomarkers; `people` the rest.
"""

from __future__ import annotations

import zlib
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from mair.published import numbers
from mair.studies.cohort import blood, people, targets
from mair.studies.cohort.crew import Crew, dropouts
from mair.studies.cohort.scores import levels, scores

DATA = Path(__file__).resolve().parents[2] / "data"
PATH = DATA / "mair_synthetic.csv"
SPECIFICATION = DATA / "cohort.yaml"
SEED = 2020
WORKERS = 2
HIGHEST = 0.95  # correlation of a biomarker, where the printed numbers imply more

__all__ = ["PATH", "SEED", "crew_of", "generate", "main", "many", "specification", "write"]


def specification(path: Path | str | None = None) -> dict:
    """Read what the generator needs beside the published numbers."""
    import yaml

    return yaml.safe_load(Path(path or SPECIFICATION).read_text(encoding="utf-8"))


def crew_of(published: pd.DataFrame, spec: dict) -> Crew:
    """Arms with everyone's covariate: the same for every seed, so many cohorts share it."""
    return dropouts(numbers.Lookup(published), spec)


def generate(published: pd.DataFrame, spec: dict | None = None, seed: int = SEED,
             crew: Crew | None = None) -> pd.DataFrame:
    """People of a two-arm trial who agree with its printed numbers.

    Parameters
    ----------
    published : DataFrame
        As `mair.published.numbers.read` gives it.
    spec : dict, optional
        As ``mair/data/cohort.yaml`` holds it, which is the default.
    seed : int
    crew : Crew, optional
        As `crew_of` gives it, where the caller has it already.

    Returns
    -------
    DataFrame
        One row a person, in random order: ``id``, ``arm``, everything else as the specification
        names it; scores in their units, nan where missing.

    Raises
    ------
    ValueError
        A printed number leaves no room, or no draw prints every row; the message says which.
    """
    spec = specification() if spec is None else spec
    look = numbers.Lookup(published)
    crew = crew_of(published, spec) if crew is None else crew
    rng = np.random.default_rng([seed, 0])
    crew = Crew(crew.arms, tuple(_mixed(rng, arm, m) for arm, m in
                                 zip(crew.arms, crew.m, strict=True)))
    frames = people.describe(rng, look, spec, crew)
    level = levels(rng, crew)
    for name, own in spec["outcomes"].items():
        found = scores(_stream(seed, name), look, spec, name, crew, level)
        per = round(1 / own["step"])
        for frame, rows in zip(frames, found, strict=True):
            for t, visit in enumerate(spec["visits"]):
                frame[f"{own['column']}_{visit}"] = [
                    np.nan if row[t] is None else row[t] / per for row in rows]
    for name, own in spec.get("biomarkers", {}).items():
        marker = _marker(look, spec, name, crew)
        found = blood.biomarker(_stream(seed, name), marker)
        for frame, rows in zip(frames, found, strict=True):
            for t, visit in enumerate(spec["visits"][:2]):
                frame[f"{own['column']}_{spec['suffixes'][visit]}"] = [
                    row[t] / marker.per for row in rows]
    return _shuffled(rng, pd.concat(frames, ignore_index=True))


def _stream(seed: int, name: str):
    """A variable's own random numbers: what else is generated does not change it."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def _mixed(rng, arm, m) -> tuple[int, ...]:
    """The completers' covariates in random order."""
    return (*(m[i] for i in rng.permutation(arm.seen).tolist()), *m[arm.seen :])


def _marker(look, spec: dict, name: str, crew: Crew) -> blood.Marker:
    own = spec["biomarkers"][name]
    cells = tuple(tuple(targets.cell(*targets.moments(look, "biomarkers", name, arm.name, visit),
                                     arm.seen + arm.late, 100) for visit in spec["visits"][:2])
                  for arm in crew.arms)
    d = ("biomarkers", name, "difference", spec["visits"][1], "d_ppc2", "d")
    return blood.Marker(
        name, own.get("log", False), min(own["r"], HIGHEST), cells,
        targets.window(look, "biomarkers", name, spec["visits"][1]),
        targets.slope_window(look, "biomarkers", name, spec["covariate"]), crew.m,
        look(*d[:-1], statistic="d") if d in look else None)


def _shuffled(rng, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows in random order, then numbered: the order says nothing about a person."""
    frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
    frame.insert(0, "id", [f"S{k:02d}" for k in range(1, len(frame) + 1)])
    return frame


def write(frame: pd.DataFrame, path: Path | str, spec: dict | None = None) -> Path:
    """Write a cohort as UTF-8 csv, each column with the decimals of its instrument."""
    spec = specification() if spec is None else spec
    places = {own["column"]: 0 if own["step"] == 1 else 2 for own in spec["outcomes"].values()}
    places |= {own["column"]: 2 for own in spec.get("biomarkers", {}).values()}
    out = frame.copy()
    for column in out:
        digits = places.get(column.rpartition("_")[0])
        if digits is not None:
            out[column] = ["" if value != value else f"{value:.{digits}f}"
                           for value in frame[column]]
    path = Path(path)
    out.to_csv(path, index=False, lineterminator="\n")
    return path


def main(out: Path | str | None = None, seed: int = SEED) -> Path:
    """Generate the cohort and write it, by default to ``mair/data/mair_synthetic.csv``."""
    return write(generate(numbers.read(), seed=seed), PATH if out is None else out)


def _one(seed: int, published, spec, crew, out_dir: Path) -> Path:
    return write(generate(published, spec, seed, crew), out_dir / f"mair_synthetic_{seed:03d}.csv",
                 spec)


def many(n: int, out_dir: Path | str) -> list[Path]:
    """Write cohorts of seeds 1 to ``n`` into ``out_dir``, created when missing.

    Two at a time; the covariate vector is found once for all.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    published, spec = numbers.read(), specification()
    work = partial(_one, published=published, spec=spec, crew=crew_of(published, spec),
                   out_dir=out_dir)
    with ProcessPoolExecutor(WORKERS) as pool:
        return list(pool.map(work, range(1, n + 1)))
