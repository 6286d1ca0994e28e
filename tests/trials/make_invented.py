"""Makes the data of the two invented trials beside it: ``python tests/trials/make_invented.py``.

Nobody's record is in them. invented_a: wide CSV, four visits, higher is better, a covariate
that one participant lacks, answers that read None. invented_b: long labelled SPSS file,
three visits named by numbers, biomarkers on the log scale, one of them with values under a
detection limit, and a yes/no column whose good result is no.
"""

import csv
import sys
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
SEED = 20261123


def invented_a(rng) -> list[dict]:
    """Thirty people, walking groups against usual care."""
    rows = []
    for i in range(30):
        walking = i % 2 == 1
        level = rng.normal(48, 12)
        row = {"person": f"W{i + 1:02d}",
               "group": "walking" if walking else "usual care",
               "age": round(rng.normal(64, 9)),
               "centre": ["north", "south", "west"][int(rng.integers(3))],
               "support": ["None", "family", "friends"][int(rng.integers(3))],
               "smoker": ["no", "yes"][int(rng.random() < 0.3)]}
        left = int(rng.integers(1, 4)) if rng.random() < 0.25 else 4
        for t, visit in enumerate(("w0", "w4", "w8", "w16")):
            score = level + 2 * t + 3 * t * walking + rng.normal(0, 6)
            metres = 380 + 2 * level + 8 * t * walking + rng.normal(0, 25)
            seen = t < left
            row[f"who5_{visit}"] = int(np.clip(4 * round(score / 4), 0, 100)) if seen else ""
            if t in (0, 3):
                row[f"walk_{visit}"] = round(metres, 1) if seen else ""
        rows.append(row)
    rows[6]["age"] = ""
    return rows


def invented_b(rng) -> list[dict]:
    """Thirty-six people, a suppository against placebo after endoscopy; one row a visit."""
    rows = []
    for i in range(36):
        treated = (i // 2 + i) % 2
        centre = 1 + i % 3
        ill = int(rng.random() < (0.15 if treated else 0.35))
        pain = rng.normal(3, 1)
        amylase, crp = rng.normal(4.3, 0.3), rng.normal(0.6, 0.7)
        left = 2 if rng.random() < 0.15 else 3
        for t, day in enumerate((0, 1, 7)[:left]):
            now = pain + (2.5 if t == 1 else -1 if t == 2 else 0) + 2 * ill * (t == 1)
            score = round(now - 0.4 * treated * t + rng.normal(0, 0.8))
            level = np.exp(crp + (1.2 + ill) * (t == 1))
            rows.append({"subject": float(101 + i),
                         "arm": treated,
                         "centre": centre,
                         "sex": int(rng.random() < 0.6) + 1,
                         "day": float(day),
                         "pain": float(np.clip(score, 0, 10)),
                         "amylase": (None if t == 2 else
                                     round(float(np.exp(amylase + (0.5 + 0.6 * ill) * t)), 1)),
                         "crp": "<1" if level < 1 else f"{level:.2f}",
                         "pancreatitis": ill})
            if t:  # what does not change is given at the first visit only
                rows[-1]["sex"] = None
    return rows


def write(folder: Path) -> None:
    """Write both data files."""
    import pandas as pd
    import pyreadstat

    rng = np.random.default_rng(SEED)
    rows = invented_a(rng)
    with (folder / "invented_a.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    pyreadstat.write_sav(pd.DataFrame(invented_b(rng)),
                         str(folder / "invented_b.sav"),
                         variable_value_labels={"arm": {0: "Placebo", 1: "Indometacin"},
                                                "centre": {1: "Ghent", 2: "Aarhus", 3: "Turin"},
                                                "sex": {1: "male", 2: "female"},
                                                "day": {0: "before", 1: "day 1", 7: "day 7"},
                                                "pancreatitis": {0: "no", 1: "yes"}})


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
