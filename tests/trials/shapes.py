"""One invented trial of MAIR's shape, wide and long, in every format."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyreadstat
import yaml

FORMATS = ["csv", "semicolons.csv", "bars.csv", "utf16.csv", "cp1252.csv", "tsv", "xlsx",
           "title.xlsx", "sav", "dta", "parquet"]
TEXTS = {  # how a text file is written, where not with commas in UTF-8
    "semicolons": {"sep": ";", "decimal": ","}, "bars": {"sep": "|"}, "tsv": {"sep": "\t"},
    "utf16": {"encoding": "utf-16"}, "cp1252": {"encoding": "cp1252"}}

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


def people(n=41, seed=3) -> pd.DataFrame:
    """Wide data with codes, and holes in covariate, scores and lost.

    Rounded, as openpyxl writes 16 digits of a number and not all 17.
    """
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"id": rng.permutation(np.arange(1, n + 1)).astype(float)})
    frame["arm"] = [0.0] * 19 + [1.0] * (n - 19)
    frame["sex"] = rng.integers(1, 3, n).astype(float)
    frame["age"] = rng.normal(52.2, 9, n).round(3)
    for name, low, high in (
            ("education", 1, 4), ("own_home", 0, 2), ("completed_post", 0, 2), ("relapse", 0, 2),
            ("preference", 1, 4), ("sessions", 0, 9), ("n_medications", 0, 5)):
        frame[name] = rng.integers(low, high, n).astype(float)
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
    return frame.assign(**{name: frame[name].map(labels) for name, labels in LABELS.items()
                           if name in frame})


def write(frame: pd.DataFrame, path: Path) -> None:
    """The frame (codes) in the format that the path ends in."""
    kind = path.suffix[1:]  # the last part of a format: semicolons.csv
    labels = {name: labels for name, labels in LABELS.items() if name in frame}
    if kind in ("csv", "tsv"):
        with_labels(frame).assign(note="café").to_csv(path, index=False, **TEXTS.get(
            path.name.split(".")[1], {}))
    elif kind == "xlsx" and "title" in path.name:  # on a second sheet, with a title and a footnote
        with pd.ExcelWriter(path) as book:
            pd.DataFrame({"About": ["not", "the", "data"]}).to_excel(book, sheet_name="About")
            with_labels(frame).to_excel(book, sheet_name="Data", index=False, startrow=2)
            book.sheets["Data"]["A1"] = "What was measured"
            book.sheets["Data"].cell(len(frame) + 5, 1, "* as of the day of the export")
    elif kind == "xlsx":
        with_labels(frame).to_excel(path, index=False)
    elif kind == "parquet":
        out = with_labels(frame)
        for name in ("own_home", "relapse"):
            out[name] = [None if pd.isna(v) else v == 1 for v in frame[name]]
        out["id"] = out["id"].astype(int)
        out.to_parquet(path)
    else:
        writer = {"sav": pyreadstat.write_sav, "dta": pyreadstat.write_dta}[kind]
        writer(frame, str(path), variable_value_labels=labels)


def declare(shape: str, data: str) -> dict:
    """The trial file of ``people()``: shapes.yaml, or the same of a long file."""
    spec = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text("utf-8")) | {"data": data}
    if shape == "long":
        spec["visit"] = "visit"
        for entry in (*spec["outcomes"].values(), *spec["biomarkers"].values()):
            entry["column"] = entry.pop("columns")[0].removesuffix("_0")
    return spec


def save(content: dict, path: Path) -> Path:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def make(folder: Path, shape="wide", kind="csv", **changes) -> Path:
    """Data and trial file in a folder; the trial file's path."""
    frame = people() if shape == "wide" else to_long(people())
    write(frame, folder / f"{shape}.{kind}")
    if "title" in kind:
        changes["read"] = {"sheet": "Data"}
    return save({**declare(shape, f"{shape}.{kind}"), **changes}, folder / f"{shape}_{kind}.yaml")
