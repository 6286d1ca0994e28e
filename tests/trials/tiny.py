"""A tiny trial, two arms of four, whose numbers can be worked out by hand.

Pain (lower is better) falls by 20 on average in T and not at all in C; CRP halves in T and stays
in C, so their ratio of change is one half. Nobody is lost but c4, who moved before the last visit.
"""

import copy
import math
import tempfile
from pathlib import Path

import pytest
import yaml

from mair.results import records
from mair.trial import load

DATA = """\
id,arm,age,sex,edu,pain_0,pain_1,pain_2,crp_0,crp_1,well,sessions,prefers,lost
c1,C,30,female,low,40,42,38,2,2,no,8,T,
c2,C,40,female,high,50,48,52,4,4,yes,8,C,
c3,C,50,male,high,60,60,60,8,16,no,6,C,
c4,C,40,female,,50,50,,4,2,,2,none,moved
t1,T,40,female,low,40,20,24,2,1,yes,8,T,
t2,T,50,male,low,50,30,30,4,2,yes,7,T,
t3,T,60,male,low,60,44,36,8,2,yes,8,T,
t4,T,50,female,high,50,26,30,4,4,no,5,none,
"""
SPEC = yaml.safe_load("""
trial: Therapy versus control (invented)
data: tiny.csv
participant: id
arm: {column: arm, control: C, treatment: T, labels: {C: Control, T: Therapy}}
visits: [before, after, later]
visit_labels: {later: a year later}
outcomes:
  Pain: {columns: [pain_0, pain_1, pain_2], label: Pain score, range: [0, 100], better: lower}
biomarkers:
  CRP: {columns: [crp_0, crp_1, null], unit: mg/L, transform: log}
baseline:
  - {name: age, label: "Age, years"}
  - {name: sex, kind: binary, level: female, label: Women}
  - {name: edu, kind: categorical, label: Education}
responders: {column: well}
flow: {assessed: 12, excluded: {declined: 2}, other_arms: {X: 2}, lost: lost, sessions: sessions,
       preference: prefers}
sample_size: {sd: 10, difference: 10, alpha: 0.05, power: 0.8, dropout: 0.2}
analysis: {covariance: random-intercept, inference: z, estimator: difference, missing: observed,
           fdr_families: {outcomes: outcomes, biomarkers: biomarkers}}
""")


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
