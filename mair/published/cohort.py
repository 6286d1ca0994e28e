"""The first synthetic cohort: 41 invented people who agree with the printed summaries.

No individual data of the trial were ever published. These people are drawn by a seeded
generator so that the means, SDs and counts of Tables 2, 3 and 4 and of sections 3.1, 3.5 and
3.6 come out as printed. What no printed number pins down belongs to the generator.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from mair.published import numbers
from mair.published.cohort_blood import MARKERS, biomarker
from mair.published.cohort_people import attended, demographics, opinions
from mair.published.cohort_scores import OUTCOMES, VISITS, Arm, outcome

PATH = Path(__file__).resolve().parent.parent / "data" / "mair_synthetic.csv"
SEED = 2020
DECIMALS = 4
ARMS = ("RT", "MAIR")  # control, treatment
COLUMNS = {name: name.lower().replace("-", "_") for name in OUTCOMES}
BLOOD_COLUMNS = {"BDNF": "bdnf", "hs-CRP": "crp", "TNF-a": "tnf", "IL-6": "il6", "IL-10": "il10"}


def arm_sizes(look: numbers.Lookup) -> dict[str, tuple[int, int, int]]:
    """Randomised, seen at every visit, and seen after treatment only, by arm.

    Section 3.1 prints percentages of the randomised: 16 and 15 of 19, 19 and 19 of 22.
    """
    sizes = {}
    for arm in ARMS:
        n = int(look("flow", "randomised", arm, statistic="n").value)
        post, last = (
            round(n * look("flow", "retained", arm, visit, statistic="percent").value / 100)
            for visit in ("post", "followup")
        )
        sizes[arm] = (n, last, post - last)
    return sizes


def flow_columns(rng, arm: Arm, sessions: list[int]) -> pd.DataFrame:
    """Who was lost, who was seen after treatment, and sessions: the fewest to the lost."""
    lost = arm.n - arm.seen
    kept = [sessions[lost:][k] for k in rng.permutation(arm.seen)]
    return pd.DataFrame(
        {
            "completed_post": ["yes"] * (arm.seen + arm.late) + ["no"] * (lost - arm.late),
            "lost": [""] * arm.seen + ["not reported"] * lost,
            # of the lost, those seen after treatment came most often
            "sessions": kept + sessions[:lost][::-1],
        }
    )


def generate(published: pd.DataFrame, seed: int = SEED) -> pd.DataFrame:
    """A synthetic cohort from the published numbers.

    Parameters
    ----------
    published : DataFrame
        As `mair.published.numbers.read` gives it.
    seed : int

    Returns
    -------
    DataFrame
        One row a person: ``id``, ``arm``, demographics, flow, medications, scores (rounded to
        `DECIMALS`, nan where missing) and biomarkers; columns as ``params/mair.yaml`` has them.

    Raises
    ------
    ValueError
        When a printed number leaves no room, naming it.
    """
    look = numbers.Lookup(published)
    rng = np.random.default_rng(seed)
    sizes = arm_sizes(look)
    sessions = attended(rng, look, {arm: size[0] for arm, size in sizes.items()})
    frames, arms = [], []
    for name, (n, seen, late) in sizes.items():
        people = demographics(rng, look, name, n)
        medications = people["n_medications"].to_numpy(float)
        severity = rng.standard_normal(n)
        arms.append(Arm(name, name == ARMS[1], n, seen, late, medications, severity))
        flow = flow_columns(rng, arms[-1], sessions[name])
        opinion = opinions(rng, look, name, n)
        frames.append(pd.concat([people, flow, opinion], axis=1).assign(arm=name))
    for name, stem in COLUMNS.items():
        for frame, y in zip(frames, outcome(rng, look, name, arms), strict=True):
            for t, visit in enumerate(VISITS):
                frame[f"{stem}_{visit}"] = y[:, t].round(DECIMALS)
    for name in MARKERS:
        for frame, y in zip(frames, biomarker(rng, look, name, arms), strict=True):
            for t, visit in enumerate(("pre", "post")):
                frame[f"{BLOOD_COLUMNS[name]}_{visit}"] = y[:, t].round(DECIMALS)
    return _shuffled(rng, pd.concat(frames, ignore_index=True))


def _shuffled(rng, frame: pd.DataFrame) -> pd.DataFrame:
    """Rows in random order, then numbered: the order says nothing about a person."""
    frame = frame.iloc[rng.permutation(len(frame))].reset_index(drop=True)
    frame.insert(0, "id", [f"S{k:02d}" for k in range(1, len(frame) + 1)])
    frame.insert(1, "arm", frame.pop("arm"))
    return frame


def write(frame: pd.DataFrame, path: Path | str) -> Path:
    """Write a cohort as UTF-8 csv, numbers with a fixed count of decimals."""
    path = Path(path)
    frame.to_csv(path, index=False, lineterminator="\n", float_format=f"%.{DECIMALS}f")
    return path


def main(out: Path | str | None = None, seed: int = SEED) -> Path:
    """Generate the cohort and write it, by default to ``mair/data/mair_synthetic.csv``."""
    return write(generate(numbers.read(), seed), PATH if out is None else out)


def many(n: int, out_dir: Path | str) -> list[Path]:
    """Write cohorts of seeds 1 to ``n`` into ``out_dir``, created when missing."""
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    published = numbers.read()
    return [
        write(generate(published, seed), out_dir / f"mair_synthetic_{seed:03d}.csv")
        for seed in range(1, n + 1)
    ]
