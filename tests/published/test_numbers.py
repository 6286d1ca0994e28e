"""Reading ``published.csv`` and the contract's rules about it."""

import pytest

from mair.published import numbers
from mair.trial.errors import TrialError


def test_the_papers_numbers_keep_the_rules():
    rows = numbers.read()
    assert 550 <= len(rows) <= 620
    assert not numbers.problems(rows)
    sources = {"abstract", "discussion"} | {f"table {i}" for i in (2, 3, 4)}
    sources |= {f"section {s}" for s in ("2.2", "2.5", "2.6", "3.1", "3.2", "3.5", "3.6")}
    assert set(rows["source"]) == sources


def broken(tmp_path, edit):
    rows = numbers.read()
    edit(rows)
    path = tmp_path / "p.csv"
    rows.to_csv(path, index=False, lineterminator="\n")
    with pytest.raises(TrialError) as error:
        numbers.read(path)
    return error.value.problems


@pytest.mark.parametrize(
    "printed", ["", "36.8%", "\N{MINUS SIGN}1.34", "1,5", ".5", "5.", "<=0.05"]
)
def test_a_print_outside_the_pattern_is_named(tmp_path, printed):
    (line,) = broken(tmp_path, lambda rows: rows.__setitem__(
        "printed", [printed, *rows["printed"][1:]]))
    assert line.startswith("p.csv: row 2, printed: ") and repr(printed) in line


def test_all_problems_at_once(tmp_path):
    def edit(rows):
        rows.loc[3, "printed"] = "8O"
        rows.loc[5, "source"] = ""
        rows.loc[12] = rows.loc[11]

    lines = broken(tmp_path, edit)
    assert [line.split(",")[0] for line in lines] == ["p.csv: row 5", "p.csv: row 7",
                                                      "p.csv: row 14"]
    assert "twice" in lines[2]


def test_other_columns_are_refused(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("analysis,value\nflow,3\n")
    with pytest.raises(TrialError, match="expected analysis,variable,arm"):
        numbers.read(path)


def test_a_number_knows_what_prints_as_it():
    n = numbers.Number("-26.38")
    assert (n.value, n.decimals, n.relation) == (-26.38, 2, "")
    assert n.met(-26.3849) and n.met(-26.385) and not n.met(-26.3851)
    assert not n.met(float("nan"))
    assert numbers.Number("<0.001").met(0.0009) and not numbers.Number("<0.001").met(0.001)
    assert numbers.Number(">0.05").met(0.06) and not numbers.Number(">0.05").met(0.05)


def test_lookup_by_keys_and_source():
    rows = numbers.read()
    look, table = numbers.Lookup(rows), numbers.Lookup(rows[rows["source"] == "table 2"])
    assert look("baseline", "age", "RT", statistic="mean").printed == "52.21"
    declared = ("outcomes", "AAQ-II", "overall", "", "declared")
    assert look(*declared, statistic="range_high").value == 49
    assert table(*declared, statistic="range_high").value == 70
    assert ("baseline", "age", "RT", "", "", "mean") in look
    with pytest.raises(KeyError):
        look("baseline", "height", statistic="mean")
