"""A synthetic cohort that agrees with every printed number it can.

No individual data of the trial were ever published. `generate` makes people who, when really
analysed, give back printed means, SDs, counts, coefficients, limits, z and p values. It is one
of very many such data sets: agreement is by construction and says nothing about the original
data, and what no printed number pins down belongs to the generator.

The order: `allocation` chooses the covariate vector that all models share; `undescribed` the
scores that no printed moment covers, and the two sums the completers have to meet; `integers`
the values of an arm at a visit; `pairing` who has which value; `biomarkers` the blood;
`characteristics` the rest.
"""

import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from mair.published import numbers
from mair.studies import pool
from mair.studies.cohort import biomarkers, characteristics, targets
from mair.studies.cohort.allocation import Allocation, allocate
from mair.studies.cohort.integers import normals, shuffled
from mair.studies.cohort.scores import scores

DATA = Path(__file__).resolve().parents[2] / "data"
PATH = DATA / "mair_synthetic.csv"
SPECIFICATION = DATA / "cohort.yaml"
SEED = 2020
HIGHEST = 0.95  # correlation of a biomarker, where the printed numbers imply more


def specification() -> dict:
    """What the generator needs beside the published numbers: ``mair/data/cohort.yaml``."""
    return yaml.safe_load(SPECIFICATION.read_text(encoding="utf-8"))


def lookup(published: pd.DataFrame, spec: dict) -> numbers.Lookup:
    """The printed numbers by key, those of the specification's ``source`` before any others."""
    other = published["source"] != spec["source"]
    return numbers.Lookup(published.loc[other.sort_values(kind="stable").index])


def generate(published: pd.DataFrame, spec: dict | None = None, seed: int = SEED,
             people: Allocation | None = None) -> pd.DataFrame:
    """People of a two-arm trial who agree with its printed numbers.

    Parameters
    ----------
    published : DataFrame
        As `mair.published.numbers.read` gives it.
    spec : dict, optional
        As ``mair/data/cohort.yaml`` holds it, which is the default.
    seed : int
    people : Allocation, optional
        As `allocate` gives it, where the caller has it already: it is the same for every seed.

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
    look = lookup(published, spec)
    people = allocate(look, spec) if people is None else people
    rng = np.random.default_rng([seed, 0])
    people = Allocation(people.arms, tuple((*shuffled(rng, m[: arm.seen]), *m[arm.seen :])
                                           for arm, m in zip(people.arms, people.m, strict=True)))
    frames = characteristics.describe(rng, look, spec, people)
    level = [normals(rng, arm.n) for arm in people.arms]

    def stream(name):  # a variable's own: what else is generated does not change it
        return np.random.default_rng([seed, zlib.crc32(name.encode())])

    for name, own in spec["outcomes"].items():
        found = scores(stream(name), look, spec, name, people, level)
        for frame, rows in zip(frames, found, strict=True):
            columns = [f"{own['column']}_{visit}" for visit in spec["visits"]]
            frame[columns] = rows / round(1 / own["step"])
    for name, own in spec.get("biomarkers", {}).items():
        marker = _marker(look, spec, name, people)
        found = biomarkers.biomarker(stream(name), marker)
        for frame, rows in zip(frames, found, strict=True):
            frame[[f"{own['column']}_{spec['suffixes'][visit]}"
                   for visit in spec["visits"][:2]]] = rows / marker.per
    frame = pd.concat(frames, ignore_index=True)
    frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
    frame.insert(0, "id", [f"S{k:02d}" for k in range(1, len(frame) + 1)])
    return frame


def _marker(look, spec: dict, name: str, people: Allocation) -> biomarkers.Marker:
    own, visits = spec["biomarkers"][name], spec["visits"][:2]
    described = [[targets.allowed(look, arm.seen + arm.late, 100, "biomarkers", name, arm.name,
                                  visit) for visit in visits] for arm in people.arms]
    return biomarkers.Marker(
        name, own.get("log", False), min(own["r"], HIGHEST), described,
        targets.window(look, "biomarkers", name, visits[1]),
        targets.slope_window(look, "biomarkers", name, spec["covariate"]), people.m,
        targets.printed(look, "biomarkers", name, "difference", visits[1], "d_ppc2",
                        statistic="d"))


def write(frame: pd.DataFrame, path: Path | str, spec: dict | None = None) -> Path:
    """Write a cohort as UTF-8 csv, each column with the decimals of its instrument.

    Parameters
    ----------
    frame : DataFrame
        As `generate` gives it.
    path : path
    spec : dict, optional
        As ``mair/data/cohort.yaml`` holds it, which is the default.
    """
    spec = specification() if spec is None else spec
    whole = [f"{own['column']}_{visit}" for own in spec["outcomes"].values()
             if own["step"] == 1 for visit in spec["visits"]]
    frame.astype(dict.fromkeys(whole, "Int64")).to_csv(
        path, index=False, lineterminator="\n", float_format="%.2f")
    return Path(path)


def main(out: Path | str | None = None, seed: int = SEED, paper: str | None = None) -> Path:
    """Generate the cohort and write it, by default to ``mair/data/mair_synthetic.csv``.

    With an entered ``paper``: its cohort and a trial file (`cohort.paper`), into ``out``.
    """
    if paper:
        from mair.studies.cohort.paper import write as write_paper

        return write_paper(paper, out or Path("build") / f"{Path(paper).stem}-cohort", seed)
    return write(generate(numbers.read(), seed=seed), PATH if out is None else out)


def many(n: int, folder: Path | str) -> list[Path]:
    """Write cohorts of seeds 1 to ``n`` into a folder, created when missing."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    published, spec = numbers.read(), specification()
    (people,) = pool.each(allocate, [(lookup(published, spec), spec)])
    made = pool.each(generate, [(published, spec, seed, people) for seed in range(1, n + 1)])
    return [write(frame, folder / f"mair_synthetic_{seed:03d}.csv", spec)
            for seed, frame in enumerate(made, 1)]
