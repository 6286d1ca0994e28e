"""``make verify-r``: the file ``check/check.R`` of each trial, run by R where R is to be had."""

import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from mair.report import scripts
from mair.trial import Trial, load

TRIALS = ("params/mair.yaml", "params/beat_the_blues.yaml")
PACKAGES = ("lme4", "lmerTest", "pbkrtest", "nlme")
TOLERANCE = 1e-6  # relative; of an estimate that is smaller, of its standard error
LEAST = 1e-6  # what is smaller, a difference of 0 too, is not told from it; but for a p value


def missing() -> str:
    """Empty when R with the packages is there, else what is not."""
    if shutil.which("Rscript") is None:
        return "Rscript is not installed"
    check = "; ".join(f'stopifnot(requireNamespace("{p}", quietly = TRUE))' for p in PACKAGES)
    done = subprocess.run(["Rscript", "-e", check], capture_output=True, check=False)
    return "" if done.returncode == 0 else f"R lacks one of {', '.join(PACKAGES)}"


def compare(trial: Trial) -> tuple[pd.DataFrame, str]:
    """Our numbers beside those of ``check.R``, as `judged`; versions of R and its packages."""
    with tempfile.TemporaryDirectory() as folder:
        script, out = Path(folder, "check.R"), Path(folder, "numbers.csv")
        script.write_bytes(scripts.scripts(trial)[script.name])
        done = subprocess.run(["Rscript", str(script), str(trial.data_path), str(out)],
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{script.name} of {trial.path.name} failed:\n{done.stderr}")
        found = pd.read_csv(out)
    return judged(found, scripts.declared(trial)["numbers"]), done.stdout.splitlines()[-1].strip()


def judged(found: pd.DataFrame, numbers: list[dict]) -> pd.DataFrame:
    """R's numbers beside ours.

    Parameters
    ----------
    found : DataFrame
        ``time`` (number of the visit), ``statistic``, ``value``, of R.
    numbers : list of dict
        The same of ours, but for what is not estimable.

    Returns
    -------
    DataFrame
        With ``ours``, ``off`` (relative difference) and ``agrees``, as where neither has a number.
    """
    ours = pd.DataFrame(numbers, columns=["time", "statistic", "value"])
    ours = ours.set_index(["time", "statistic"])["value"].astype(float)
    own, se = (ours.reindex(pd.MultiIndex.from_arrays([found["time"], names])).to_numpy()
               for names in (found["statistic"], ["se"] * len(found)))
    r, statistic = found["value"], found["statistic"]
    scale = r.abs().clip(lower=LEAST).where(statistic != "p", r.abs())
    scale = scale.where(statistic != "b", r.abs().clip(lower=se))
    alike = (r == own) | (~np.isfinite(r) & np.isnan(own))
    off = ((own - r).abs() / scale).where(~alike, 0.0)
    return found.assign(ours=own, off=off, agrees=off <= TOLERANCE)


def main() -> int:
    """Compare the repository's trials; exit status 0 when they agree or R is missing."""
    if lacking := missing():
        print(f"verify-r: not compared: {lacking}")
        return 0
    status = 0
    for path, inference in product(TRIALS, (None, "kenward-roger")):
        found, versions = compare(load(path, inference=inference))
        print(f"{path}, {inference or 'as declared'}: {found['agrees'].sum()} of {len(found)} "
              f"numbers of check.R agree with {versions}; largest relative difference "
              f"{found['off'].max():.1e}")
        if not found["agrees"].all():
            status = 1
            print(found[~found["agrees"]].to_string(index=False), file=sys.stderr)
    print("check.sps: not run, SPSS is not to be had here")
    return status
