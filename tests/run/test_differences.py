"""Runs beside each other: `make compare`, and the page of `make all`."""

import re
import shutil
from pathlib import Path

import pytest

from mair.run import differences
from mair.run import plan as run
from mair.trial.errors import ROOT

CONTRAST = "outcomes,FIQ,difference,post,random-intercept/z,b,"


@pytest.fixture
def altered(built, tmp_path) -> Path:
    """A copy of the default run with one estimate a point higher and another choice."""
    shutil.copytree(built, tmp_path / "other", ignore=shutil.ignore_patterns("figures", "tables"))
    for name, old, new in (
            ("results.csv", rf"(?<={re.escape(CONTRAST)})(.*)", lambda m: str(float(m[1]) + 1)),
            ("manifest.json", '"inference": "z"', '"inference": "satterthwaite"')):
        text = (tmp_path / "other" / name).read_text()
        (tmp_path / "other" / name).write_text(re.sub(old, new, text))
    return tmp_path / "other"


def test_two_runs_as_a_page(built, altered, capsys):
    differences.main(built, altered)
    page = altered.with_name("other.compared.html").read_text()
    assert capsys.readouterr().out.startswith(CONTRAST[:-1])
    cells = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(.*?)</tr>", page)]
    assert ["inference", "z", "satterthwaite"] in cells
    (primary,) = (row for row in cells if row and row[0] == "FIQ, after treatment")
    assert primary[1].startswith("−26.38 (") and primary[2].startswith("−25.38 (")
    assert primary[3] == "1.00; interval as wide"
    assert page.count("<figure") == 3 and "SYNTHETIC" in page  # outcomes, biomarkers, responders
    assert [cell[5] for cell in cells if cell[:2] == ["outcomes", "FIQ"]] == ["b"]


def test_every_trial_file_on_a_page(built, built_real, tmp_path, monkeypatch, capsys):
    """One that is wrong does not keep the others from running."""
    folder, build = tmp_path / "params", tmp_path / "build"
    folder.mkdir()
    shutil.copytree(built, build / "mair", ignore=shutil.ignore_patterns("figures"))
    shutil.copytree(built, build / "mair_other", ignore=shutil.ignore_patterns("figures"))
    shutil.copytree(built_real, build / "real", ignore=shutil.ignore_patterns("figures"))
    for name in ("mair", "mair_other", "real", "wrong"):
        (folder / f"{name}.yaml").write_text("nothing: 1\n")
    checked = run.main
    monkeypatch.setattr(run, "main", lambda params, out: checked(params, out) if (
        "wrong" in params) else None)
    assert differences.every(folder, build) == 2
    said = capsys.readouterr()
    assert "wrong.yaml: nothing: unknown key" in said.err and said.out.endswith("index.html\n")
    page = (build / "index.html").read_text()
    assert re.findall('<a href="(.*?)"', page) == [
        f"{name}/index.html" for name in ("mair", "mair_other", "real")]
    assert "n\u00a0=\u00a0100</td>" in page and "BDI, 8 months" in page
    assert page.count("<figure") == 1  # of the two that share a title


def test_the_variants_say_what_differs_and_nothing_else():
    for file in sorted((ROOT / "params").glob("mair_*.yaml")):
        text = file.read_text()
        assert "extends: mair.yaml" in text and len(text.splitlines()) <= 10, file.name
