"""One invented trial of MAIR's shape, wide and long, in every format."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import yaml

FORMATS = ["csv", "xlsx", "sav", "dta", "parquet"]

# One trial of MAIR's shape. Codes stand for the labels; the csv and xlsx hold the labels.
LABELS = {"arm": {0: "RT", 1: "MAIR"},
          "sex": {1: "female", 2: "male"},
          "education": {1: "none", 2: "primary", 3: "university"},
          "own_home": {0: "no", 1: "yes"},
          "completed_post": {0: "no", 1: "yes"},
          "preference": {1: "MAIR", 2: "RT", 3: "indifferent"},
          "relapse": {0: "no", 1: "yes"},
          "visit": {1: "baseline", 2: "post", 3: "followup"}}
SCORES = {"fiq": (0, 1, 2), "pcs": (0, 1, 2), "bdnf": (0, 1), "crp": (0, 1)}
VISITS = ("baseline", "post", "followup")


def people(n=41, seed=3) -> pd.DataFrame:
    """Wide data with codes, and holes in covariate, scores and lost.

    Rounded, as openpyxl writes 16 digits of a number and not all 17.
    """
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": rng.permutation(np.arange(1, n + 1)).astype(float)})
    frame["arm"] = [0.0] * 19 + [1.0] * (n - 19)
    frame["sex"] = rng.integers(1, 3, n).astype(float)
    frame["age"] = rng.normal(52.2, 9, n).round(3)
    frame["education"] = rng.integers(1, 4, n).astype(float)
    frame["own_home"] = rng.integers(0, 2, n).astype(float)
    frame["completed_post"] = rng.integers(0, 2, n).astype(float)
    frame["relapse"] = rng.integers(0, 2, n).astype(float)
    frame["preference"] = rng.integers(1, 4, n).astype(float)
    frame["sessions"] = rng.integers(0, 9, n).astype(float)
    frame["n_medications"] = rng.integers(0, 5, n).astype(float)
    frame["lost"] = ["moved" if x < 0.2 else "" for x in rng.random(n)]
    frame.loc[4, "n_medications"] = np.nan
    frame.loc[5, "relapse"] = np.nan
    for name, visits in SCORES.items():
        for t in visits:
            frame[f"{name}_{t}"] = np.exp(rng.normal(1, 0.4, n)).round(5)
            if t:
                frame.loc[rng.random(n) < 0.2, f"{name}_{t}"] = np.nan
    return frame


def to_long(wide: pd.DataFrame) -> pd.DataFrame:
    """One row a visit; rows are left out where nothing was measured."""
    keep = [c for c in wide if c.split("_")[0] not in SCORES]
    parts = []
    for t in range(3):
        part = wide[keep].copy()
        part["visit"] = float(t + 1)
        for name, visits in SCORES.items():
            part[name] = wide[f"{name}_{t}"] if t in visits else np.nan
        if t:
            part = part[part[list(SCORES)].notna().any(axis=1)]
        parts.append(part)
    # file order: by visit, so that participants first appear in the wide file's order
    return pd.concat(parts, ignore_index=True)


def with_labels(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy()
    for name, labels in LABELS.items():
        if name in out:
            out[name] = out[name].map(labels)
    return out


def write(frame: pd.DataFrame, path: Path) -> None:
    """The frame (codes) in the format that the path ends in."""
    kind = path.suffix[1:]
    labels = {name: labels for name, labels in LABELS.items() if name in frame}
    if kind == "csv":
        with_labels(frame).to_csv(path, index=False)
    elif kind == "xlsx":
        with_labels(frame).to_excel(path, index=False)
    elif kind == "parquet":
        out = with_labels(frame)
        out["own_home"] = [None if pd.isna(v) else v == 1 for v in frame["own_home"]]
        out["relapse"] = [None if pd.isna(v) else v == 1 for v in frame["relapse"]]
        out["id"] = out["id"].astype(int)
        out.to_parquet(path)
    else:
        writer = {"sav": pyreadstat.write_sav, "dta": pyreadstat.write_dta}[kind]
        writer(frame, str(path), variable_value_labels=labels)


def declare(shape: str, data: str) -> dict:
    """The trial file of ``people()``."""

    def measured(name):
        if shape == "long":
            return {"column": name}
        return {"columns": [f"{name}_{t}" if t in SCORES[name] else None for t in range(3)]}

    return {"trial": "a test",
            "data": data,
            "participant": "id",
            **({"visit": "visit"} if shape == "long" else {}),
            "arm": {"column": "arm", "control": "RT", "treatment": "MAIR"},
            "visits": list(VISITS),
            "covariates": ["n_medications", "education", "PCS"],
            "outcomes": {"FIQ": {**measured("fiq"), "range": [0, 100], "primary": True},
                         "PCS": measured("pcs")},
            "biomarkers": {"BDNF": measured("bdnf"),
                           "hs-CRP": {**measured("crp"), "transform": "log"}},
            "describe": {"biomarkers": "completed_post"},
            "baseline": ["age",
                         {"name": "sex", "kind": "binary", "level": "female"},
                         "own_home",
                         "education",
                         "FIQ"],
            "responders": {"column": "relapse", "better": "no"},
            "flow": {"assessed": 83,
                     "excluded": {"not eligible": 13, "declined": 6},
                     "other_arms": {"ABCT": 23},
                     "lost": "lost",
                     "sessions": "sessions",
                     "preference": "preference"}}


def save(content: dict, path: Path) -> Path:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def make(folder: Path, shape="wide", kind="csv", **changes) -> Path:
    """Data and trial file in a folder; the trial file's path."""
    frame = people() if shape == "wide" else to_long(people())
    write(frame, folder / f"{shape}.{kind}")
    return save({**declare(shape, f"{shape}.{kind}"), **changes}, folder / f"{shape}_{kind}.yaml")
