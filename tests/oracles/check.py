"""R's numbers by ``check/check.R`` under several choices: ``python tests/oracles/check.py``.

Needs Rscript with lme4, lmerTest, pbkrtest, nlme and geepack; writes ``check.csv`` beside it.
"""

from pathlib import Path

import pandas as pd

from mair.studies.verify_r import compare
from mair.trial import load

HERE = Path(__file__).parent
TRIALS = {"mair": "params/mair.yaml", "blues": "params/beat_the_blues.yaml",
          "wide": "tests/trials/invented_a.yaml", "long": "tests/trials/invented_b.yaml",
          "once": "tests/trials/once.yaml", "yes or no": "params/indomethacin.yaml",
          "few": "tests/trials/yes_no.yaml", "free": "tests/trials/attacks.yaml",
          "counts": "tests/trials/attack_counts.yaml"}


def choices(text: str) -> dict[str, str]:
    """``covariance=unstructured inference=z`` as keywords of `load`."""
    return dict(part.split("=") for part in text.split())


if __name__ == "__main__":
    cases = pd.read_csv(HERE / "check.txt", sep="|", skipinitialspace=True, keep_default_na=False)
    parts = [compare(load(TRIALS[trial], **choices(how)))[0].assign(trial=trial, choices=how)
             for trial, how in cases.itertuples(index=False)]
    pd.concat(parts)[["trial", "choices", "time", "statistic", "value"]].to_csv(
        HERE / "check.csv", index=False)
