"""Lock, pyproject.toml and environment.yml name the same packages at the same versions."""

from __future__ import annotations

import pytest
import yaml

from mair.run import environment
from mair.run.environment import ROOT


def test_environment_yml_is_what_lock_and_pyproject_give():
    found = (ROOT / "environment.yml").read_text(encoding="utf-8")
    assert found == environment.text(), "run `python -m mair environment`"


def test_every_package_asked_for_is_pinned_once_under_condas_name():
    content = yaml.safe_load(environment.text())
    pins = [line for line in content["dependencies"] if line not in ("python>=3.12", "pip")]
    assert len(pins) == len(set(pins)) == len(environment.named(ROOT / "pyproject.toml"))
    locked = environment.pins(ROOT / "requirements.lock")
    assert f"numpy={locked['numpy']}" in pins
    assert f"playwright-python={locked['playwright']}" in pins
    assert "compared, not solved" in environment.text()


def _project(folder, asked: str, lock: str) -> None:
    (folder / "pyproject.toml").write_text(f'[project]\nname = "x"\ndependencies = ["{asked}"]\n')
    (folder / "requirements.lock").write_text(lock)


def test_of_two_pins_the_newest_counts(tmp_path):
    _project(tmp_path, "Some_Pkg[extra]>=1",
             "some-pkg==1.9.0 ; python_version < '3.12' \\\n    --hash=sha256:0\n"
             "some-pkg==1.10.0 ; python_version >= '3.12' \\\n    --hash=sha256:1\n")
    assert "  - some-pkg=1.10.0\n" in environment.text(tmp_path)


def test_a_package_missing_from_the_lock_is_named(tmp_path):
    _project(tmp_path, "absent>=1", "other==1.0\n")
    with pytest.raises(KeyError, match="absent"):
        environment.text(tmp_path)
