"""Notebooks as text: the parameters cell."""

from __future__ import annotations

import pytest

from mair.run import notebook
from mair.run import plan as run
from mair.trial.errors import ROOT
from mair.trial.schema import Analysis

DEFAULTS = Analysis().model_dump()
CELL = '# %% tags=["parameters"]\ntrial = "x"\nout = None\n'


def _problems(tmp_path, text: str) -> list[str]:
    (tmp_path / "note.py").write_text(text)
    source = notebook.read(tmp_path / "note.py", DEFAULTS)
    prefix = f"{tmp_path.name}/note.py: "
    assert all(line.startswith(prefix) for line in source.problems)
    return [line.removeprefix(prefix) for line in source.problems]


@pytest.mark.parametrize(("text", "expected"), [
    (CELL + "seed = 2020\nconfidence: float = 0.95\n", []),
    ("# %%\nx = 1\n", [
        "0 cells tagged `parameters`; expected one"]),
    (CELL + "\n" + CELL, ["2 cells tagged `parameters`; expected one"]),
    ('# %% tags=["parameters"]\ntrial = "x"\n',
     ["the parameters cell does not declare `out`"]),
    (CELL + "seed = 2021\n", ["parameter `seed` is 2021; the schema's default is 2020"]),
    (CELL + "draws = 10000.0\n",
     ["parameter `draws` is 10000.0; the schema's default is 10000"]),
    (CELL + "sead = 2020\n",
     ["parameter `sead` is neither trial, out nor an `analysis` key"]),
    (CELL + "seed = 2000 + 20\n", [
        "`seed = 2000 + 20` is not a literal of text, number, true/false, None, list or dict"]),
    (CELL + "draws = {1: 2}\n", [
        "`draws = {1: 2}` is not a literal of text, number, true/false, None, list or dict"]),
    (CELL + "a = b = 1\n",
     ["the parameters cell holds `a = b = 1`; expected `name = literal`"]),
    (CELL + "import os\n",
     ["the parameters cell holds `import os`; expected `name = literal`"]),
    (CELL + "seed = 2020\n\n# %%\nfor seed in range(3):\n    pass\n", [
        "cell 2 assigns the parameter `seed` again; the injected value would be lost"]),
    (CELL + "\n# %%\nwith open(trial) as out:\n    pass\n", [
        "cell 2 assigns the parameter `out` again; the injected value would be lost"]),
    (CELL + "\n# %%\nimport x as trial\n", [
        "cell 2 assigns the parameter `trial` again; the injected value would be lost"]),
    (CELL + "seed = 2020\n\n# %%\n%time y = [seed for seed in range(3)]\n", []),
    (CELL + "\n# %%\nx = = 1\n", ["cell 2 is not Python: invalid syntax"]),
])
def test_a_parameters_cell_is_checked(tmp_path, text, expected):
    assert _problems(tmp_path, text) == expected


@pytest.mark.parametrize("name", run.NOTEBOOKS)
def test_the_papers_notebooks_can_be_given_their_parameters(name):
    assert notebook.read(ROOT / "notebooks" / f"{name}.py", DEFAULTS).problems == []
