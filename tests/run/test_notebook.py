"""Notebooks as text: the parameters cell."""

from pathlib import Path

import pytest
import yaml

from mair.run import notebook
from mair.run import plan as run
from mair.trial.errors import ROOT
from mair.trial.schema import Analysis

DEFAULTS = Analysis().model_dump()


def _problems(tmp_path, text: str) -> list[str]:
    (tmp_path / "note.py").write_text(text)
    source = notebook.read(tmp_path / "note.py", DEFAULTS)
    prefix = f"{tmp_path.name}/note.py: "
    assert all(line.startswith(prefix) for line in source.problems)
    return [line.removeprefix(prefix) for line in source.problems]


CASES = yaml.safe_load(Path(__file__).with_name("parameters.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", CASES, ids=[case.get("says", "right") for case in CASES])
def test_a_parameters_cell_is_checked(tmp_path, case):
    assert _problems(tmp_path, case["text"]) == ([case["says"]] if "says" in case else [])


@pytest.mark.parametrize("name", run.NOTEBOOKS)
def test_the_papers_notebooks_can_be_given_their_parameters(name):
    assert notebook.read(ROOT / "notebooks" / f"{name}.py", DEFAULTS).problems == []
