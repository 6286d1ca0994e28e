"""The text notebooks: what each of them promises, and that its prose holds no result."""

import ast
import csv
import json
import re
from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from pathlib import Path

import jupytext
import pytest

from mair.run import kernels as execute
from mair.run import plan as run
from mair.trial.errors import ROOT
from mair.trial.schema import Analysis

FOLDER = ROOT / "notebooks"
NAMES = list(run.NOTEBOOKS)
ESTIMATE = ("outcomes", "one_visit", "biomarkers", "nnt", "robustness")
LONGEST = 12


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def node(name):
    return jupytext.read(FOLDER / f"{name}.py", fmt="py:percent")


def _sources(node, kind: str) -> list[str]:
    return [cell.source for cell in node.cells if cell.cell_type == kind]


def _parameters(node) -> dict:
    """Names and literals of the tagged cell."""
    tagged = [c for c in node.cells if "parameters" in c.metadata.get("tags", [])]
    assert len(tagged) == 1
    found = {}
    for statement in ast.parse(tagged[0].source).body:
        assert isinstance(statement, ast.Assign), ast.unparse(statement)
        (target,) = statement.targets
        found[target.id] = ast.literal_eval(statement.value)
    return found


def test_there_are_no_others():
    assert sorted(p.stem for p in FOLDER.glob("*.py")) == sorted(NAMES)


# Form


def test_it_argues_and_the_package_computes(node):
    defined = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    for source in _sources(node, "code"):
        assert [n for n in ast.walk(ast.parse(source)) if isinstance(n, defined)] == []
        assert len(source.splitlines()) <= LONGEST, source
        assert not re.search(r"^\s*[%!]", source, re.MULTILINE)  # no magic: it is Python


def test_it_opens_with_its_question_and_what_it_reads_and_writes(node, name):
    first = node.cells[0]
    assert first.cell_type == "markdown"
    assert re.match(r"# \w", first.source)
    for word in ("Question", "Reads", "Writes"):
        assert re.search(rf"\*{word}\b", first.source), word
    titles = re.findall(r"^# .*", "\n\n".join(_sources(node, "markdown")), re.MULTILINE)
    assert len(titles) == 1
    said = any(re.match(r"## The estimand", source) for source in _sources(node, "markdown"))
    assert said == (name in ESTIMATE)


@pytest.fixture
def made_by(name, built, request) -> Path:
    """A finished run that has the notebook."""
    return request.getfixturevalue("built_once") if name == "one_visit" else built


def test_it_writes_what_it_says(node, name, made_by):
    said = re.search(r"\*Writes\*(.*?)(?:\n\n|\Z)", node.cells[0].source, re.DOTALL)[1]
    files = json.loads((made_by / "manifest.json").read_text())["notebooks"][name]["files"]
    with (made_by / "rows" / f"{name}.csv").open(encoding="utf-8") as file:
        made = {row["analysis"] for row in csv.DictReader(file)}
    made |= {re.sub(r".*/|\.\w+$", "", f) for f in files if re.match("tables/|figures/", f)}
    assert set(re.findall(r"`(\w+)`", said)) == made


def test_no_sentence_lacks_its_number(name, made_by):
    made = json.loads((made_by / "notebooks" / f"{name}.ipynb").read_text())
    said = ["".join(out["data"]["text/markdown"]) for cell in made["cells"]
            for out in cell.get("outputs", ()) if "text/markdown" in out.get("data", {})]
    assert said and not [text for text in said if re.search(r"\bnan\b|–%|\b(is|of) –", text)]


# Parameters


def test_its_parameters_reach_the_trial(node):
    calls = [n for source in _sources(node, "code") for n in ast.walk(ast.parse(source))
             if isinstance(n, ast.Call) and getattr(n.func, "id", "") == "load"]
    (call,) = calls
    assert [ast.unparse(argument) for argument in call.args] == ["trial"]
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    declared = _parameters(node)
    assert declared.pop("trial") == "params/mair.yaml" and declared.pop("out") is None
    assert given == {key: key for key in declared}
    schema = Analysis().model_dump()
    assert declared == {key: schema[key] for key in declared}


def test_it_uses_what_it_declares(node):
    read = {n.id for source in _sources(node, "code") for n in ast.walk(ast.parse(source))
            if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    assert _parameters(node).keys() <= read


# The file


def test_its_header_names_the_kernel_and_nothing_else(node, name):
    text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    header = text.split("# ---\n")[1]
    assert node.metadata["kernelspec"] == execute.KERNELSPEC
    assert set(node.metadata) <= {"kernelspec", "jupytext"}  # the reader adds the latter
    assert "jupytext:" not in header and "version" not in header
    assert text.endswith("\n") and not text.endswith("\n\n")


# Numbers in prose
#
# A number in a Markdown cell was typed, so it is wrong as soon as the data differ. It is taken
# for a result when it has a decimal point or is 10 or more (in digits or in words), and some
# value of results.csv, rounded half up or half even to as many decimals as are typed, reads
# like it, sign aside. Not taken for results: years, numbers of sections, tables and figures,
# numbers with letters attached (`d_ppc2`, `E9`), and whole numbers below 10 ("two arms"),
# which count things in the text more often than people.

WORDS = {"ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13", "fourteen": "14",
         "fifteen": "15", "sixteen": "16", "seventeen": "17", "eighteen": "18", "nineteen": "19",
         "twenty": "20", "thirty": "30", "forty": "40", "fifty": "50", "sixty": "60",
         "seventy": "70", "eighty": "80", "ninety": "90", "hundred": "100"}
NUMBER = re.compile(r"(?<![\w.])(\d+(?:\.\d+)?)(?![\w]|\.\d)")
NOT_RESULTS = re.compile(
    r"\]\([^)]*\)"  # where a link leads
    r"|\b(?:sections?|tables?|figures?|chapters?|items?|methods?|appendix)\s+\d+(?:\.\d+)*"
    r"|(?<![\d.])(?:19|20)\d\d(?![\d.]\d|\d)",
    re.IGNORECASE)


def typed_results(prose: str, values: list[Decimal]) -> list[str]:
    """Numbers of a text that read like one of the values."""
    text = NOT_RESULTS.sub(" ", prose)
    text = re.sub(r"[A-Za-z]+", lambda m: WORDS.get(m[0].lower(), m[0]), text)
    found = []
    for number in NUMBER.findall(text):
        typed = Decimal(number)
        if "." not in number and typed < 10:
            continue
        last = Decimal(1).scaleb(typed.as_tuple().exponent)
        if any(typed == abs(value.quantize(last, rounding=how))
               for value in values for how in (ROUND_HALF_UP, ROUND_HALF_EVEN)):
            found.append(number)
    return found


@pytest.fixture(scope="module")
def values(built) -> list[Decimal]:
    """Every value of the default run's results.csv."""
    with (built / "results.csv").open(encoding="utf-8") as file:
        found = {Decimal(row["value"]) for row in csv.DictReader(file) if row["value"]}
    return [value for value in found if value.is_finite()]


@pytest.mark.parametrize(("prose", "found"), [
    ("Retention was 84.2 % (16 of 19).", ["84.2", "16", "19"]),
    ("lower by 26.455 points", ["26.455"]),
    ("an ARR of 65.5 points; p = 0.049", ["65.5", "0.049"]),
    ("Nineteen people and **twenty-two** people", ["19", "20"]),
    ("In 2020 (section 84.2, Table 16) two arms of E9(R1), 5 sessions, d_ppc2.", []),
    ("[here](https://doi.org/10.3390/jcm19)", []),
    ("threshold 77.7 and 1234 of 999.5", []),
    ("rounded half even 2.4, half up 2.5, neither 2.3", ["2.4", "2.5"]),
])
def test_the_rule_finds_results_and_nothing_else(prose, found):
    values = [Decimal(v) for v in ("84.21052631578947", "16", "19", "-26.4549", "65.46052631",
                                   "0.0489", "20", "2.45", "5", "2")]
    assert typed_results(prose, values) == found


def test_no_prose_holds_a_result(node, values):
    assert len(values) > 1000
    assert typed_results("\n\n".join(_sources(node, "markdown")), values) == []
