"""``make audit``: no published number that used to be reproduced may stop being so."""

import sys
from pathlib import Path

import pandas as pd

from mair.published import compare
from mair.results import KEYS
from mair.sections import audit
from mair.sections import rows as sections
from mair.trial import load

EXPECTED = Path(__file__).resolve().parents[1] / "data" / "expected_verdicts.csv"
TRIAL = "params/mair.yaml"
NAMES = [*KEYS, "source"]


def verdicts(path: str = TRIAL) -> pd.DataFrame:
    """The verdict on every published number of a trial, computed afresh."""
    trial = load(path)
    return compare.compare(audit.published(trial), sections.rows(trial), audit.checks(trial))


def lost(expected: pd.DataFrame, found: pd.DataFrame) -> list[str]:
    """One line for each number that was reproduced and is not any more.

    Parameters
    ----------
    expected : DataFrame
        Keys, ``source`` and ``verdict``, as stored.
    found : DataFrame
        As `mair.published.compare.compare` gives it.

    Returns
    -------
    list of str
        Naming the keys, what is printed, what is computed and the verdict now.
    """
    kept = expected.loc[expected["verdict"] == "reproduced", NAMES]
    now = kept.merge(found, "left", NAMES, indicator="among")
    return [f"{','.join(row[key] for key in KEYS)} ({row['source']}): " + (
        "no longer among the published numbers" if row["among"] == "left_only" else
        f"printed {row['printed']}, computed {row['computed']!r}, {row['verdict']}")
        for row in now[now["verdict"] != "reproduced"].to_dict("records")]


def store(found: pd.DataFrame, path: Path = EXPECTED) -> None:
    """Store the verdicts as the expected ones."""
    found[[*NAMES, "verdict"]].to_csv(path, index=False, lineterminator="\n")


def main(update: bool = False) -> int:
    """Compare with the stored verdicts, or store them; the exit status."""
    found = verdicts()
    if update:
        store(found)
    expected = pd.read_csv(EXPECTED, dtype=str, keep_default_na=False)
    lines = lost(expected, found)
    for line in lines:
        print(line, file=sys.stderr)
    kept = int((expected["verdict"] == "reproduced").sum()) - len(lines)
    print(f"audit: {kept} numbers reproduced as expected, {len(lines)} no longer")
    return 1 if lines else 0
