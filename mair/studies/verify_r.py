"""``make verify-r``: every mixed model of a trial, beside lme4's, where R is to be had."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from mair.sections import model as models
from mair.stats import covariance as structures
from mair.stats import mixed, smallsample
from mair.trial import Trial, load

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "tests" / "oracles" / "verify.R"
TRIALS = ("params/mair.yaml", "params/beat_the_blues.yaml")
PACKAGES = ("lme4", "lmerTest", "pbkrtest")
TOLERANCE = 1e-6  # relative; a variance below 1e-6 of the total counts as zero
SMALL_SAMPLE = 1e-4  # of degrees of freedom and Kenward-Roger's standard errors


def available() -> str:
    """Empty when R with the packages is there, else what is missing."""
    if shutil.which("Rscript") is None:
        return "Rscript is not installed"
    check = "; ".join(f'stopifnot(requireNamespace("{p}", quietly = TRUE))' for p in PACKAGES)
    done = subprocess.run(["Rscript", "-e", check], capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else f"R lacks one of {', '.join(PACKAGES)}"


def _data(designs: dict[str, models.Design]) -> pd.DataFrame:
    """The rows of every model, in the form that ``verify.R`` reads."""
    frames = []
    for name, design in designs.items():
        later = list(design.contrasts)
        order = {visit: i + 1 for i, visit in enumerate(later)}
        part = pd.DataFrame({
            "model": name, "participant": design.rows["participant"],
            "arm": design.X[:, design.names.index("arm")].astype(int),
            "time": design.rows["time"].map(order).fillna(0).astype(int),
            "y": design.rows["y"],
        })
        for i, column in enumerate(design.covariates.values()):
            part[f"c_{i}"] = design.X[:, column]
        frames.append(part)
    return pd.concat(frames, ignore_index=True)


def _ours(designs: dict[str, models.Design]) -> dict[tuple[str, str, str], float]:
    """Our values by (model, number of the later visit, statistic)."""
    found = {}
    for name, design in designs.items():
        result = mixed.random_intercept(design.y, design.X, design.groups)
        for i, weights in enumerate(design.contrasts.values(), start=1):
            one = smallsample.contrast(result, weights)
            found |= {(name, str(i), "b"): float(one.estimate),
                      (name, str(i), "se"): float(one.se)}
        general = structures.fit(design.y, design.X, design.groups, design.visits,
                                 "random-intercept")
        for i, weights in enumerate(design.contrasts.values(), start=1):
            kr = smallsample.contrast(general, weights, "kenward-roger")
            found |= {
                (name, str(i), "satterthwaite_df"):
                    float(smallsample.contrast(general, weights, "satterthwaite").df),
                (name, str(i), "kenward_roger_se"): float(kr.se),
                (name, str(i), "kenward_roger_df"): float(kr.df),
            }
        found |= {(name, "", "var_participant"): float(result.var_participant),
                  (name, "", "var_residual"): float(result.var_residual),
                  (name, "", "reml_criterion"): float(result.criterion)}
    return found


def compare(trial: Trial) -> tuple[pd.DataFrame, str]:
    """Our numbers beside lme4's.

    Returns
    -------
    DataFrame
        ``model``, ``time`` (number of the later visit), ``statistic``, ``ours``, ``theirs``,
        ``off`` (relative difference), ``agrees``.
    str
        Versions of R and its packages.
    """
    designs = {name: models.build(trial, name) for name in (*trial.outcomes, *trial.biomarkers)}
    with tempfile.TemporaryDirectory() as folder:
        data, out = Path(folder, "data.csv"), Path(folder, "out.csv")
        _data(designs).to_csv(data, index=False, float_format="%.17g")
        done = subprocess.run(["Rscript", str(SCRIPT), str(data), str(out)],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{SCRIPT.name} failed:\n{done.stderr}")
        theirs = pd.read_csv(out, dtype={"model": str, "time": str}, keep_default_na=False)
    ours = _ours(designs)
    theirs["ours"] = [ours[key] for key in
                      theirs[["model", "time", "statistic"]].itertuples(index=False, name=None)]
    theirs = theirs.rename(columns={"value": "theirs"})
    total = theirs[theirs["statistic"].str.startswith("var_")].groupby("model")["theirs"].sum()
    scale = theirs["theirs"].abs()
    zero = theirs["statistic"].eq("var_participant") & (
        scale < 1e-6 * theirs["model"].map(total))
    scale = scale.where(~zero, theirs["model"].map(total))
    theirs["off"] = np.abs(theirs["ours"] - theirs["theirs"]) / scale
    loose = theirs["statistic"].str.contains("satterthwaite|kenward")
    theirs["agrees"] = theirs["off"] <= loose.map({True: SMALL_SAMPLE, False: TOLERANCE})
    return theirs, done.stdout.strip()


def main() -> int:
    """Compare the repository's trials; exit status 0 when they agree or R is missing."""
    missing = available()
    if missing:
        print(f"verify-r: not compared: {missing}")
        return 0
    status = 0
    for path in TRIALS:
        found, versions = compare(load(path))
        worst = found["off"].max()
        print(f"{path}: {int(found['agrees'].sum())} of {len(found)} numbers agree with "
              f"{versions}; largest relative difference {worst:.1e}")
        for row in found[~found["agrees"]].itertuples():
            status = 1
            print(f"  {row.model} {row.time} {row.statistic}: ours {row.ours!r}, "
                  f"lme4 {row.theirs!r}", file=sys.stderr)
    return status
