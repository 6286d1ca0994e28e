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
from mair.stats import covariance, mixed, smallsample
from mair.trial import Trial, load
from mair.trial.errors import ROOT

SCRIPT = ROOT / "tests" / "oracles" / "verify.R"
TRIALS = ("params/mair.yaml", "params/beat_the_blues.yaml")
PACKAGES = ("lme4", "lmerTest", "pbkrtest")
TOLERANCE = 1e-6  # relative; a variance below 1e-6 of the total counts as zero
SMALL_SAMPLE = 1e-4  # of degrees of freedom and Kenward-Roger's standard errors


def missing() -> str:
    """Empty when R with the packages is there, else what is not."""
    if shutil.which("Rscript") is None:
        return "Rscript is not installed"
    check = "; ".join(f'stopifnot(requireNamespace("{p}", quietly = TRUE))' for p in PACKAGES)
    done = subprocess.run(["Rscript", "-e", check], capture_output=True, check=False)
    return "" if done.returncode == 0 else f"R lacks one of {', '.join(PACKAGES)}"


def _data(name: str, design: models.Design) -> pd.DataFrame:
    """The rows of a model, in the form that ``verify.R`` reads."""
    order = {visit: i for i, visit in enumerate(design.contrasts, start=1)}
    covariates = {f"c_{i}": design.X[:, k] for i, k in enumerate(design.covariates.values())}
    return pd.DataFrame({
        "model": name, "participant": design.rows["participant"],
        "arm": design.X[:, design.names.index("arm")].astype(int),
        "time": design.rows["time"].map(order).fillna(0).astype(int), "y": design.rows["y"],
        **covariates})


def _ours(name: str, design: models.Design) -> dict[tuple[str, str, str], float]:
    """Our values by (model, number of the later visit, statistic)."""
    plain = mixed.random_intercept(design.y, design.X, design.groups)
    general = covariance.fit(design.y, design.X, design.groups, design.visits, "random-intercept")
    found = {"": {"var_participant": plain.var_participant, "var_residual": plain.var_residual,
                  "reml_criterion": plain.criterion}}
    for i, weights in enumerate(design.contrasts.values(), start=1):
        z, (satterthwaite, kr) = smallsample.contrast(plain, weights), (
            smallsample.contrast(general, weights, inference)
            for inference in ("satterthwaite", "kenward-roger"))
        found[str(i)] = {"b": z.estimate, "se": z.se, "satterthwaite_df": satterthwaite.df,
                         "kenward_roger_se": kr.se, "kenward_roger_df": kr.df}
    return {(name, time, statistic): float(value) for time, values in found.items()
            for statistic, value in values.items()}


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
        pd.concat([_data(*one) for one in designs.items()], ignore_index=True).to_csv(
            data, index=False, float_format="%.17g")
        done = subprocess.run(["Rscript", str(SCRIPT), str(data), str(out)],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{SCRIPT.name} failed:\n{done.stderr}")
        theirs = pd.read_csv(out, dtype={"model": str, "time": str}, keep_default_na=False)
    ours = pd.Series({key: v for one in designs.items() for key, v in _ours(*one).items()})
    keys = pd.MultiIndex.from_frame(theirs[["model", "time", "statistic"]])
    found = theirs.rename(columns={"value": "theirs"}).assign(ours=ours.loc[keys].to_numpy())
    variances = found[found["statistic"].str.startswith("var_")]
    total = found["model"].map(variances.groupby("model")["theirs"].sum())
    scale = found["theirs"].abs()
    zero = found["statistic"].eq("var_participant") & (scale < 1e-6 * total)
    found["off"] = (found["ours"] - found["theirs"]).abs() / scale.where(~zero, total)
    loose = found["statistic"].str.contains("satterthwaite|kenward")
    found["agrees"] = found["off"] <= np.where(loose, SMALL_SAMPLE, TOLERANCE)
    return found, done.stdout.strip()


def main() -> int:
    """Compare the repository's trials; exit status 0 when they agree or R is missing."""
    if lacking := missing():
        print(f"verify-r: not compared: {lacking}")
        return 0
    status = 0
    for path in TRIALS:
        found, versions = compare(load(path))
        print(f"{path}: {found['agrees'].sum()} of {len(found)} numbers agree with {versions}; "
              f"largest relative difference {found['off'].max():.1e}")
        if not found["agrees"].all():
            status = 1
            print(found[~found["agrees"]].to_string(index=False), file=sys.stderr)
    return status
