"""The trial of tiny.yaml and tiny.csv, and how rows are held against those worked out by hand."""

import copy
import math
import tempfile
from pathlib import Path

import pytest
import yaml

from mair.results import records
from mair.trial import load

HERE = Path(__file__).parent
DATA = (HERE / "tiny.csv").read_text("utf-8")
SPEC = yaml.safe_load((HERE / "tiny.yaml").read_text("utf-8"))


def trial(data=DATA, **changes):
    """The tiny trial, with some top-level keys of its file exchanged (None takes one away)."""
    spec = {key: value for key, value in (copy.deepcopy(SPEC) | changes).items()
            if value is not None}
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tiny.csv").write_text(data, encoding="utf-8")
        path = Path(folder) / "tiny.yaml"
        path.write_text(yaml.safe_dump(spec, sort_keys=False), encoding="utf-8")
        return load(path)


def agree(rows, analysis, expected):
    """Each line of `expected` (variable | arm | time | method | statistic=value …) is in the rows.

    ``-`` stands for a key that is empty, and for a statistic that cannot be estimated.
    """
    found = {(one.variable, one.arm, one.time, one.method): vars(one)
             for one in records(rows, analysis=analysis)}
    for line in filter(None, map(str.strip, expected.splitlines())):
        *key, statistics = (part.strip() for part in line.split("|"))
        own = found[tuple("" if part == "-" else part for part in key)]
        for name, value in (part.split("=") for part in statistics.split()):
            wanted = math.nan if value == "-" else float(value)
            assert own[name] == pytest.approx(wanted, rel=2e-6, abs=1e-9, nan_ok=True), (key, name)
