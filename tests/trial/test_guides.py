"""The pages on trial files: no key is left out, and the tutorial runs from draft to tables."""

import re
from functools import reduce
from pathlib import Path

import jupytext
import pandas as pd
import pytest
from oracles import make_examples

from mair.results import KEYS
from mair.sections import baseline, flow, measures, nnt
from mair.trial import file, load
from mair.trial.errors import ROOT
from mair.trial.schema import TrialFile, known_keys

PAGE = (ROOT / "docs" / "trial-file.md").read_text(encoding="utf-8")
# stand in the prose: the other of two ways
PROSE = {("sample_size", "mean"), ("sample_size", "relative_difference"),
         ("progression", "each", "months"), ("responders", 0, "column"),
         ("responders", 0, "better")}


def undocumented(held, where=()):
    """Keys, at a place of a trial file, that none of its examples states."""
    for name in known_keys(where):
        here, at = [one[name] for one in held if isinstance(one, dict) and name in one], (
            *where, name) + (0,) * (name == "responders")  # one, or a list
        if not here:
            yield at
        elif known_keys(at):
            yield from undocumented(here, at)
        else:  # a mapping, or a list, of such
            inside = [list(one.values()) if isinstance(one, dict) else one for one in here]
            yield from undocumented([one for of in inside if isinstance(of, list) for one in of],
                                    (*at, "each"))


def test_the_examples_are_one_trial_file_and_name_every_key(tmp_path):
    blocks = []
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        (tmp_path / "block.yaml").write_text(block, encoding="utf-8")
        content, problems = file.read_yaml(tmp_path / "block.yaml")
        assert problems == []
        blocks.append(content)
    whole = reduce(file._merged, [file.shipped()["PCS"][2], *blocks])
    TrialFile.model_validate(whole)
    both = whole["outcomes"] | whole.pop("biomarkers")  # they have the same keys
    assert {*undocumented([whole | {"outcomes": both}])} == PROSE | {("biomarkers",)}
    for *_, name in PROSE:
        assert f"{name}:" in PAGE or f"`{name}`" in PAGE


def test_the_tutorial_runs(built_real, monkeypatch, capsys):
    """All of its cells, but that the report is one that the tests have run already."""
    ran = []
    monkeypatch.setattr("mair.run.plan.run", lambda params, out, echo: (
        ran.append(load(params)) or built_real / "index.html"))
    names: dict = {}
    for cell in jupytext.read(ROOT / "docs" / "tutorial.py").cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, "tutorial", "exec"), names)
    (trial,) = ran
    assert (trial.n(), trial.title) == (100, "Beat the Blues, worked through")
    said = capsys.readouterr().out.splitlines()
    assert "  8m: TAU 25 of 48, BtheB 27 of 52" in said
    assert sum("expected a number from 0 to 40" in line for line in said) == 13
    assert "outcomes.docx" in names["tables"]


EXAMPLES = pd.read_csv(Path(__file__).with_name("examples.csv"), dtype=str, keep_default_na=False)
SECTIONS = {"nnt": nnt.rows, "flow": flow.rows, "reliability": baseline.rows,
            "outcomes": lambda trial: measures.rows(trial, "one_visit")}


@pytest.mark.parametrize("name", EXAMPLES["file"].unique())
def test_examples_give_back_what_is_printed(name):
    trial, page = load(f"params/{name}.yaml"), (ROOT / "docs" / "examples.md").read_text("utf-8")
    for analysis, own in EXAMPLES[EXAMPLES["file"] == name].groupby("analysis"):
        rows = SECTIONS[analysis](trial).set_index(KEYS)["value"]
        for one in own.to_dict("records"):
            value = rows[tuple(one[key] for key in KEYS)]
            value = float(one["less from"]) - value if one["less from"] else value
            digits = len(one["printed"].partition(".")[2])
            assert f"{value:.{digits}f}" == one["printed"], one
            assert one["printed"] in page


@pytest.mark.parametrize("name", make_examples.EXAMPLES)
def test_data_of_examples_are_what_their_script_makes(name):
    assert make_examples.text(name) == (ROOT / "mair" / "data" / f"{name}.csv").read_text("utf-8")
