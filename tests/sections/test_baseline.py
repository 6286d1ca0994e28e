"""Baseline of a tiny trial, worked out by hand."""

import pytest
from trials import tiny

from mair.sections import baseline


@pytest.fixture(scope="module")
def rows():
    return baseline.rows(tiny.trial())


def test_a_continuous_characteristic(rows):
    # C 30 40 50 40, T 40 50 60 50: each SD is sqrt(200/3); t = 10 / sqrt(200/3/2) = sqrt(3) on 6 df
    tiny.agree(rows, "baseline", """
        age | C          | - | -               | n=4 mean=40 sd=8.164966
        age | T          | - | -               | n=4 mean=50 sd=8.164966
        age | overall    | - | -               | n=8 mean=45 sd=9.258201
        age | difference | - | student         | p=0.1339746
        age | difference | - | welch           | p=0.1339746
        age | difference | - | levene-switched | p=0.1339746
        age | difference | - | smd             | smd=1.224745 ci_low=-0.2855090 ci_high=2.734999
    """)


def test_a_binary_characteristic_counts_its_level(rows):
    # 3 of 4 and 2 of 4 women: chi² = 8 (2 x 1 - 2 x 3)² / (4 x 4 x 5 x 3) = 0.5333, with Yates 0;
    # SMD = (0.50 - 0.75) / sqrt((0.25 + 0.1875) / 2)
    tiny.agree(rows, "baseline", """
        sex | C          | - | -       | n=3 n_known=4 percent=75
        sex | T          | - | -       | n=2 n_known=4 percent=50
        sex | overall    | - | -       | n=5 n_known=8 percent=62.5
        sex | difference | - | pearson | p=0.4652088
        sex | difference | - | yates   | p=1
        sex | difference | - | fisher  | p=1
        sex | difference | - | smd     | smd=-0.5345225
    """)


def test_percentages_are_of_the_known(rows):
    # c4's education is missing: chi² = 7 (3 x 2 - 1 x 1)² / (4 x 3 x 4 x 3) = 1.2153;
    # distance = (3/4 - 1/3) / sqrt((3/16 + 2/9) / 2), without a sign
    tiny.agree(rows, "baseline", """
        edu: low  | C          | - | -       | n=1 n_known=3 percent=33.333333
        edu: low  | T          | - | -       | n=3 n_known=4 percent=75
        edu: high | overall    | - | -       | n=3 n_known=7 percent=42.857143
        edu       | difference | - | pearson | p=0.2702894
        edu       | difference | - | smd     | smd=0.9205746
    """)
    assert "sex: male" not in set(rows["variable"])
